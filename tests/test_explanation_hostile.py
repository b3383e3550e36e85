"""Stored explanations that somebody made to do harm: refused with a reason, at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from textlrp.errors import ExplanationError
from textlrp.explanation import Explanation
from textlrp.strict_json import parse
from textlrp.text.tokens import tokenise

HUGE = 10**400  # a whole number that no float holds


def sound(**changes: Any) -> dict[str, Any]:
    """A stored explanation of "a good film", with some fields changed."""
    tokens = tokenise("a good film")
    e = Explanation("a good film", tuple(tokens), [0.0, 1.0, 0.5], "p", 1.5, {"words": 1.5}, "p", {"p": 0.5, "n": 0.5})
    return {**e.to_dict(), **changes}


def token(text: Any = "good", start: Any = 2, end: Any = 6) -> dict[str, Any]:
    return {"text": text, "start": start, "end": end}


@pytest.mark.parametrize(
    "changes",
    [
        {"relevance": [1.0, HUGE, 0.0]},
        {"relevance": [1.0, 10**30, float("nan")]},
        {"relevance": [1.0, 2.0]},
        {"relevance": [1.0, 1e101, 0.0]},
        {"score": HUGE},
        {"ledger": {"words": -HUGE}},
        {"probabilities": {"p": HUGE}},
        {"tokens": [token(start=-4, end=6)]},
        {"tokens": [token(start=2, end=HUGE)]},
        {"tokens": [token(start=2.0)]},
        {"tokens": [token(start=True)]},
        {"tokens": [token(), token()]},
        {"tokens": [token("film", 7, 12)]},
        {"tokens": [{**token(), "more": 1}]},
        {"read_to": HUGE},
        {"read_to": 12},
        {"known": [True]},
        {"known": [1, 1, 1]},
        {"target": "\ud800"},
        {"target": "x" * 3_000},
        {"model": "x" * 1_001},
        {"version": True},
        {"version": 1.0},
    ],
    ids=lambda changes: repr(changes)[:60],
)
def test_a_hostile_field_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ExplanationError):
        Explanation.from_json(json.dumps(sound(**changes)))
    with pytest.raises(ExplanationError):
        Explanation.from_dict(sound(**changes))


def test_a_field_that_stands_twice_is_refused() -> None:
    text = json.dumps(sound()).replace('"score"', '"score": 9.0, "score"')
    with pytest.raises(ExplanationError, match="'score' stands twice"):
        Explanation.from_json(text)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity"])
def test_a_number_that_is_none_is_refused(number: str) -> None:
    with pytest.raises(ExplanationError, match=r"too large|not a JSON number"):
        Explanation.from_json(json.dumps(sound()).replace("1.5", number))


def test_the_margin_of_two_classes_with_long_names_is_kept() -> None:
    one, other = "a" * 1_000, "b" * 1_000
    e = Explanation.from_dict(sound(target=f"{one} - {other}", prediction=one, probabilities={one: 0.5, other: 0.5}))
    assert e.sides == (f"for {one}", f"for {other}")


def test_the_sides_of_a_hundred_thousand_classes_are_found_at_once() -> None:
    names = [f"class - {number}" for number in range(100_000)]
    e = Explanation.from_dict(
        sound(target=f"{names[5]} - {names[7]}", prediction=names[0], probabilities=dict.fromkeys(names, 0.0))
    )
    assert e.sides == ("for class - 5", "for class - 7")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("[[[1]]]", "more than 2 levels"),
        ("[" + "[]," * 20 + "[]]", "more than 10 lists"),
        ('{"a": {"b": 1, "b": 2}}', "'b' stands twice"),
        ('{"a": NaN}', "NaN is not"),
        ("[1e309]", "too large"),
        (b'"\xff"', "utf-8"),
        ("", "Expecting value"),
        ("9" * 5_000, "digits"),
    ],
)
def test_strict_json_says_what_is_wrong(text: str | bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(text, most_depth=2, most_parts=10 if len(text) < 1_000 else None)
