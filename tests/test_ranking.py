"""The ranker: means, counts and shares against their definitions."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textlrp.errors import InputError
from textlrp.explanation import Explanation
from textlrp.ranking import rank
from textlrp.text.tokens import tokenise


def explained(text: str, relevance: list[float], target: str = "positive", known: tuple[bool, ...] = ()) -> Explanation:
    total = float(sum(relevance))
    return Explanation(text, tuple(tokenise(text)), np.array(relevance), target, total, {"words": total}, known=known)


CORPUS = st.lists(st.lists(st.tuples(st.sampled_from("abcde"), st.floats(-10, 10)), max_size=8), min_size=1, max_size=6)


@given(CORPUS)
def test_every_figure_is_what_its_name_says(corpus: list[list[tuple[str, float]]]) -> None:
    ranking = rank(explained(" ".join(w for w, _ in text), [r for _, r in text]) for text in corpus)
    for word in ranking.words:
        values = [r for text in corpus for w, r in text if w == word.word]
        assert word.occurrences == len(values)
        assert word.texts == sum(any(w == word.word for w, _ in text) for text in corpus)
        assert word.total == pytest.approx(sum(values), abs=1e-9)
        assert word.mean == pytest.approx(np.mean(values), abs=1e-9)
        size = sum(map(abs, values))
        if size > 1e-6:
            assert word.positive_share == pytest.approx(sum(max(v, 0) for v in values) / size, abs=1e-9)


@given(CORPUS)
def test_the_order_of_the_texts_does_not_matter(corpus: list[list[tuple[str, float]]]) -> None:
    made = [explained(" ".join(w for w, _ in text), [r for _, r in text]) for text in corpus]
    one, other = rank(made), rank(made[::-1])
    assert {w.word: w.texts for w in one.words} == {w.word: w.texts for w in other.words}


def test_rare_words_are_left_out() -> None:
    ranking = rank([explained("good film", [1.0, 0.5]), explained("good", [1.0])], min_texts=2)
    assert [w.word for w in ranking.words] == ["good"]


def test_words_the_model_does_not_know_are_one_word() -> None:
    ranking = rank([explained("qwx zyx", [1.0, 2.0], known=(False, False))])
    assert [(w.word, w.mean) for w in ranking.words] == [("<unk>", 1.5)]


def test_different_targets_cannot_be_ranked_together() -> None:
    with pytest.raises(InputError, match="margin"):
        rank([explained("a", [1.0]), explained("a", [1.0], target="negative")])


def test_an_empty_corpus_is_an_error() -> None:
    with pytest.raises(InputError, match="empty"):
        rank([])


def test_csv_guards_spreadsheets_against_formulas() -> None:
    rows = list(csv.DictReader(io.StringIO(rank([explained("=) film", [1.0, -1.0])]).to_csv())))
    assert not any(row["word"].startswith(("=", "+", "-", "@")) and len(row["word"]) > 1 for row in rows)


def test_json_holds_the_top_of_both_sides() -> None:
    data = json.loads(rank([explained("good bad film", [2.0, -3.0, 0.5])]).to_json(1))
    assert [(row["side"], row["word"]) for row in data["words"]] == [("positive", "good"), ("negative", "bad")]
