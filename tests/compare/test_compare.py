"""Comparing methods: the right numbers under the right names, and reasons for what was left out."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pytest
from scipy.stats import spearmanr

import textlrp
from tests.compare.conftest import compared
from textlrp import baselines
from textlrp.classifier import TextClassifier
from textlrp.compare import SLOW, compare, known_methods
from textlrp.comparison import UNACCOUNTED, rank_correlation
from textlrp.errors import InputError, MissingPackageError, RelevanceError, UnknownNameError

TEXT = "A warm, funny film with a dull ending; not bad at all, and a good cast."


@pytest.fixture(scope="module")
def dense() -> TextClassifier:
    return textlrp.load("imdb-dense")


@pytest.fixture(scope="module")
def three() -> TextClassifier:
    """Three classes, one hidden layer: class activation cannot be used."""
    words = {"good": "fine warm", "so-so": "plain middling", "bad": "dull flat"}
    texts = [f"a {word} film" for name in words for word in words[name].split() for _ in range(8)]
    labels = [name for name in words for _ in range(16)]
    return TextClassifier("dense", model_options={"hidden": [4]}, epochs=4, validation=0.2).fit(texts, labels)


def test_without_names_all_quick_methods_are_used_and_the_slow_ones_are_named(dense: TextClassifier) -> None:
    found = compare(dense, TEXT)
    names = [row.method for row in found.rows]
    assert names[:2] == ["LRP zero", "LRP epsilon"]
    assert names[5:] == [*baselines.METHODS, "class activation"]
    assert [each.method for each in found.skipped] == list(SLOW)


def test_each_row_is_what_its_method_says_alone(dense: TextClassifier) -> None:
    found = compare(dense, TEXT, target="positive", methods=["gamma", "occlusion"])
    np.testing.assert_array_equal(found.rows[0].explanation.relevance, dense.explain(TEXT, "positive", "gamma").relevance)
    tokens = dense.explain(TEXT).tokens
    logits = dense.logits([TEXT])[0]
    without = dense.logits([TEXT[: tokens[1].start] + TEXT[tokens[1].end :]])[0]
    assert found.rows[1].explanation.relevance[1] == pytest.approx(float(logits[1] - without[1]), abs=1e-5)


@pytest.mark.parametrize("target", ["predicted", "margin", "bad", 2, ("good", "bad")])
def test_every_method_explains_the_same_score(three: TextClassifier, target: object) -> None:
    """Integrated gradients sum to the score less that of no words, whatever the target."""
    found = compare(three, "a warm fine dull film", target=target, methods=["epsilon", "SHAP"])  # type: ignore[arg-type]
    lrp, shap = (row.explanation for row in found.rows)
    assert (lrp.target, lrp.score) == (shap.target, shap.score)
    nothing = (
        three.explain("", target=(shap.target.split(" - ")[0], shap.target.split(" - ")[1])).score
        if " - " in shap.target
        else three.explain("", target=shap.target).score
    )
    assert shap.relevance.sum() == pytest.approx(lrp.score - nothing, abs=1e-5)


def test_conservation_is_relevance_over_score_and_the_ledger_accounts_for_lrp(dense: TextClassifier) -> None:
    lrp, occlusion = compare(dense, TEXT, methods=["epsilon", "occlusion"]).rows
    assert lrp.conserved == pytest.approx(lrp.explanation.relevance.sum() / lrp.explanation.score)
    assert lrp.accounted == pytest.approx(1.0, abs=1e-4)
    assert occlusion.accounted == occlusion.conserved
    assert sum(occlusion.explanation.ledger.values()) == pytest.approx(occlusion.explanation.score)
    assert UNACCOUNTED in occlusion.explanation.ledger


def test_rank_correlation_is_that_of_scipy_and_undefined_where_nothing_is_ranked() -> None:
    random = np.random.default_rng(0)
    relevances = [random.integers(0, 5, size=30).astype(float) for _ in range(3)]
    found = rank_correlation([*relevances, np.zeros(30)])
    for i in range(3):
        for j in range(3):
            assert found[i, j] == pytest.approx(spearmanr(relevances[i], relevances[j]).statistic)
    assert np.isnan(found[3]).all()


def test_names_may_be_written_plainly_and_a_name_counts_once(dense: TextClassifier) -> None:
    names = ["LRP epsilon", "Gradient-x-Input", "gradient × input", "alpha_beta"]
    found = compare(dense, TEXT, methods=names)
    assert [row.method for row in found.rows] == ["LRP epsilon", "gradient × input", "LRP alpha-beta"]
    assert len({name.casefold().replace("×", "x").replace("-", " ") for name in known_methods()}) == len(known_methods())


def test_a_wrong_name_is_met_with_the_nearest_right_one(dense: TextClassifier) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'occlusion'"):
        compare(dense, TEXT, methods=["oclusion"])
    with pytest.raises(InputError, match="name at least one method"):
        compare(dense, TEXT, methods=[])


def test_what_the_network_does_not_allow_is_skipped_with_the_reason_but_an_error_where_named(three: TextClassifier) -> None:
    reasons = {each.method: each.reason for each in compare(three, "a warm film").skipped}
    assert "1 hidden layer" in reasons["class activation"]
    with pytest.raises(RelevanceError, match="1 hidden layer"):
        compare(three, "a warm film", methods=["class activation"])


def test_a_missing_package_is_skipped_with_how_to_install_it(dense: TextClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.split(".")[0] == "lime"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lime", None)
    found = compare(dense, "good film", methods="all")
    assert "SHAP" in [row.method for row in found.rows]
    assert "pip install lime" in {each.method: each.reason for each in found.skipped}["LIME"]
    with pytest.raises(MissingPackageError):
        compare(dense, "good film", methods=["LIME"])


def test_a_method_whose_numbers_overflow_is_skipped_and_the_others_stand(
    dense: TextClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(baselines.METHODS, "gradient", lambda module, ids, lengths, weights: ids * float("nan"))
    found = compare(dense, "good film")
    assert len(found.rows) == 10
    assert "not finite" in {each.method: each.reason for each in found.skipped}["gradient"]


@pytest.mark.parametrize("text", ["", " ", "film"])
def test_texts_without_words_to_rank_are_no_error(dense: TextClassifier, text: str) -> None:
    found = compare(dense, text)
    assert len(found.rows) == 11
    assert np.isnan(found.correlation()).all()
    assert json.loads(found.to_json())["rank_correlation"][0][0] is None
    assert found.to_html()


def test_json_holds_every_number_and_nothing_that_json_does_not_know() -> None:
    found = compared("good \ud800 film\x00, a <b>")
    read = json.loads(found.to_json(), parse_constant=lambda name: pytest.fail(name))
    assert read["text"] == found.rows[0].explanation.text
    for row, written in zip(found.rows, read["methods"], strict=True):
        assert written["relevance"] == row.explanation.relevance.tolist()
        assert written["seconds"] == row.seconds
        assert written["words_carry"] == row.conserved
    assert read["rank_correlation"][0][1] == found.correlation()[0, 1]
    assert read["rank_correlation"][3][3] is None
    assert math.isnan(found.correlation()[3, 3])
    assert read["skipped"] == [{"method": "LIME", "reason": "no such package positive"}]
