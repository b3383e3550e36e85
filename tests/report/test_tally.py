"""The sums behind the report's tables."""

from __future__ import annotations

import numpy as np
import pytest

from textlrp.explanation import Explanation
from textlrp.ranking import rank
from textlrp.report.gather import phrases
from textlrp.report.tally import Tally
from textlrp.text.tokens import tokenise

TEXTS = ["good good film", "a good plot", "bad film", "good bad film"]
RELEVANCE = [[2.0, 1.0, -0.5], [0.1, -1.0, 0.2], [-2.0, 0.3], [0.5, -1.0, 0.0]]


@pytest.fixture
def tally() -> Tally:
    found = Tally()
    for i, (text, relevance) in enumerate(zip(TEXTS, RELEVANCE, strict=True)):
        tokens = tokenise(text)
        found.add([token.text for token in tokens], np.array(relevance), [token.start for token in tokens], i)
    return found


def test_means_intervals_and_counts_are_those_of_the_ranker(tally: Tally) -> None:
    explained = [
        Explanation(text, tuple(tokenise(text)), np.array(r), "positive", sum(r), {"words": sum(r)})
        for text, r in zip(TEXTS, RELEVANCE, strict=True)
    ]
    ranking = rank(explained)
    for each in ranking:
        row = tally.row(each.word)
        assert (row.texts, row.occurrences) == (each.texts, each.occurrences)
        assert row.mean == pytest.approx(each.mean)
        assert row.total == pytest.approx(each.total)
        assert (row.interval or ()) == pytest.approx(each.interval() or ())


def test_sign_flips_are_the_share_of_texts_against_the_mean(tally: Tally) -> None:
    assert tally.row("good").flips == pytest.approx(1 / 3)


def test_places_are_where_a_word_spoke_most_and_least(tally: Tally) -> None:
    assert [(place.text, place.start) for place in tally.row("good").places] == [(0, 0), (1, 2)]
    assert [place.text for place in tally.row("bad", sign=-1).places] == [2, 3]


def test_a_full_tally_forgets_rare_keys_and_says_how_much_it_may_have_lost() -> None:
    tally = Tally(most=50)
    for i in range(400):
        tally.add(["often", f"once{i}"], np.array([1.0, 2.0]), [0, 6], i)
    assert len(tally) <= 51
    assert tally.row("often").texts == 400
    assert tally.lost >= 1


def test_phrases_have_one_sign_and_no_punctuation_inside() -> None:
    keys, values, starts = phrases(
        ["so", "very", "bad", ",", "so"], np.array([-1.0, -2.0, -3.0, -1.0, -1.0]), [0, 3, 8, 11, 13]
    )
    assert dict(zip(keys, values.tolist(), strict=True)) == {"so very": -3.0, "very bad": -5.0, "so very bad": -6.0}
    assert starts == [0, 3, 0]
