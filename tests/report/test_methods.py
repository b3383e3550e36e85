"""Methods compared on a report's texts: means and medians of single comparisons, and where there is nothing to compare."""

from __future__ import annotations

import pytest

import textlrp
from textlrp.compare import compare
from textlrp.errors import InputError
from textlrp.report.methods import agreement, compare_examples
from textlrp.report.write import Report
from textlrp.text.tokens import tokenise

METHODS = ["epsilon", "gradient × input", "occlusion"]


def test_agreement_is_the_mean_of_correlations_and_the_median_of_shares() -> None:
    classifier = textlrp.load("imdb-dense")
    texts = ["A fine and funny film, never dull.", "Dull and long, yet with one fine scene.", "Not bad, not good: fine."]
    found = [(i, compare(classifier, text, target="margin", methods=METHODS)) for i, text in enumerate(texts)]
    whole = agreement(found)
    for i, one in enumerate(whole.methods):
        shares = sorted(each.rows[i].conserved for _, each in found)
        assert whole.conserved[i] == pytest.approx(shares[1])
        for j in range(len(whole.methods)):
            mean = sum(each.correlation()[i, j] for _, each in found) / 3
            assert whole.correlation[i, j] == pytest.approx(mean), one
    assert whole.index == min(range(3), key=lambda i: len(tokenise(texts[i])))


def test_only_texts_of_a_bearable_length_are_compared() -> None:
    classifier = textlrp.load("imdb-dense")
    assert compare_examples(classifier, ["short", "word " * 401], count=3) is None
    texts = ["short", " ".join(["fine"] * 30), "word " * 401]
    found = compare_examples(classifier, texts, count=3)
    assert found is not None
    assert (found.texts, found.index) == (1, 1)
    with pytest.raises(InputError, match="at least 1"):
        compare_examples(classifier, texts, count=0)


def test_a_method_that_failed_on_one_text_is_left_out_of_all() -> None:
    classifier = textlrp.load("imdb-dense")
    one = compare(classifier, "A fine film.", methods=METHODS)
    other = compare(classifier, "A dull film.", methods=METHODS[:2])
    assert agreement([(0, one), (1, other)]).methods == tuple(row.method for row in other.rows)


def test_the_report_shows_every_method_and_says_which_were_not_used(bundled_report: Report) -> None:
    page = bundled_report.path.read_text("utf-8")
    for name in ("LRP gamma", "integrated gradients", "occlusion", "Do they agree?", "LIME"):
        assert name in page
