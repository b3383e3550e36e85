"""The Explanation record: what it refuses, what it ranks, and that it survives a file."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textlrp.errors import ExplanationError, InputError
from textlrp.explanation import Explanation
from textlrp.text.tokens import Token, tokenise

TEXT = st.text(st.characters(codec=None), max_size=60)  # lone surrogates too


def explained(text: str, relevance: list[float] | None = None, **changes: Any) -> Explanation:
    tokens = tuple(tokenise(text))
    values = np.linspace(-1.0, 1.0, len(tokens)) if relevance is None else np.array(relevance)
    given: dict[str, Any] = {
        "text": text,
        "tokens": tokens,
        "relevance": values,
        "target": "positive",
        "score": float(values.sum() + 0.5),
        "ledger": {"words": float(values.sum()), "bias": 0.5},
        "prediction": "positive",
        "probabilities": {"negative": 0.25, "positive": 0.75},
        **changes,
    }
    return Explanation(**given)


@given(TEXT)
def test_json_reads_back_to_an_equal_explanation(text: str) -> None:
    e = explained(text)
    assert Explanation.from_json(e.to_json()) == e


@given(TEXT)
def test_json_is_ascii_so_that_every_file_holds_it(text: str) -> None:
    assert explained(text).to_json().isascii()


@given(TEXT)
def test_a_dict_reads_back_to_an_equal_explanation(text: str) -> None:
    e = explained(text)
    assert Explanation.from_dict(json.loads(json.dumps(e.to_dict()))) == e


def test_other_relevance_is_another_explanation() -> None:
    assert explained("good film", [1.0, 0.0]) != explained("good film", [1.0, 0.1])


def test_top_sums_the_occurrences_of_a_word_and_shows_it_as_first_written() -> None:
    top = explained("Good film , good plot", [1.0, -0.5, 0.0, 0.5, -2.0]).top(5)
    assert top.positive == [("Good", 1.5)]
    assert top.negative == [("plot", -2.0), ("film", -0.5)]


def test_top_of_nothing_is_nothing() -> None:
    assert explained("").top(3) == ([], [])


@pytest.mark.parametrize("k", [-1, 1.5, True, None])
def test_top_takes_whole_numbers_alone(k: object) -> None:
    with pytest.raises(InputError):
        explained("good").top(k)  # type: ignore[arg-type]


GOOD: dict[str, Any] = {
    "text": "good film",
    "tokens": (Token("good", 0, 4), Token("film", 5, 9)),
    "relevance": np.array([1.0, 0.5]),
    "target": "positive",
    "score": 1.5,
    "ledger": {"words": 1.5},
    "prediction": "positive",
    "probabilities": {"negative": 0.25, "positive": 0.75},
}


@pytest.mark.parametrize(
    "changes",
    [
        {"relevance": np.array([1.0])},
        {"relevance": np.array([np.nan, 0.0])},
        {"relevance": np.array([np.inf, 0.0])},
        {"relevance": ["a", "b"]},
        {"tokens": (Token("good", 0, 4), Token("filn", 5, 9))},
        {"tokens": (Token("film", 5, 9), Token("good", 0, 4))},
        {"tokens": (Token("good", 0, 4), Token("d film", 3, 9))},
        {"known": (True,)},
        {"read_to": 3},
        {"score": float("nan")},
        {"ledger": {"words": float("inf")}},
        {"ledger": []},
        {"probabilities": {"negative": -1.0, "positive": 2.0}},
        {"prediction": "neutral"},
        {"text": b"good film"},
    ],
    ids=str,
)
def test_what_cannot_be_an_explanation_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ExplanationError):
        Explanation(**{**GOOD, **changes})


@pytest.mark.parametrize(
    "data",
    ["", "null", "[]", "{}", "[" * 100_000, '{"format": "textlrp explanation", "version": 99}', "NaN", b"\xff", '{"a": 1e999}'],
)
def test_foreign_json_is_refused(data: str | bytes) -> None:
    with pytest.raises(ExplanationError):
        Explanation.from_json(data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_other_value_is_refused(value: object) -> None:
    with pytest.raises(ExplanationError):
        Explanation.from_dict(value)  # type: ignore[arg-type]


@given(
    st.sampled_from(["text", "tokens", "relevance", "target", "score", "ledger", "probabilities", "known", "read_to"]),
    st.data(),
)
def test_a_field_of_the_wrong_kind_is_refused(name: str, data: st.DataObject) -> None:
    stored = explained("a good film").to_dict()
    wrong = data.draw(st.sampled_from([None, object, {"x": {}}, [[]], "x", -5, 1e308, [None], True]))
    if wrong is object:
        del stored[name]
    else:
        stored[name] = wrong
    try:
        found = Explanation.from_dict(stored)
    except ExplanationError:
        return
    assert isinstance(found, Explanation)


def test_relevance_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        explained("good").relevance[0] = 5.0


def test_sides_of_a_margin_are_its_two_classes() -> None:
    assert explained("good", target="positive - negative").sides == ("for positive", "for negative")
