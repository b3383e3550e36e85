"""On a linear bag of words the truth is known: every measure must tell it from noise, from a shuffle, from its opposite."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from textlrp import faithfulness
from textlrp.faithfulness import COLUMNS, Evaluation
from textlrp.faithfulness.agreement import Rationale
from textlrp.faithfulness.deletion import counts

LADDER = ("true", "noisy", "shuffled", "reversed")


@pytest.fixture(scope="module")
def lexicon(known: Any) -> dict[str, str]:
    """The strongest words of each class, by the model itself."""
    ids = np.arange(2, len(known.vocabulary))
    strength = known.module.truth(ids, np.array([-1.0, 1.0]))
    order = np.argsort(strength)
    return {known.vocabulary.words[ids[i]]: "no" for i in order[:12]} | {
        known.vocabulary.words[ids[i]]: "yes" for i in order[-12:]
    }


@pytest.fixture(scope="module")
def rationales(known: Any, lexicon: dict[str, str]) -> list[Rationale]:
    """The places of the lexicon's words of a text's class, as spans of characters."""
    found = []
    for reading, logits in zip(known.sample.readings, known.sample.logits, strict=True):
        label = ["no", "yes"][int(logits.argmax())]
        spans = tuple((token.start, token.end) for token in reading.tokens if lexicon.get(token.text) == label)
        found.append(Rationale(reading.text, label, spans))
    return found


@pytest.fixture(scope="module")
def judged(known: Any, lexicon: dict[str, str], rationales: list[Rationale]) -> Evaluation:
    return faithfulness.evaluate_sample(
        known.classifier,
        known.sample,
        methods=["epsilon", "gradient x input", "occlusion", "integrated gradients"],
        own=known.own,
        lexicon=lexicon,
        rationales=rationales,
        limits={"costly": 60},
        measures=[each for each in faithfulness.MEASURES if each != "cost"],
    )


#: The sign of an explanation does not change what noise does to it, nor what is found by the best scaling from 0 on.
SIGNLESS = {"stability"}


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_ranks_truth_noise_shuffle_opposite(judged: Evaluation, column: str) -> None:
    ladder = LADDER[:3] if column in SIGNLESS else LADDER
    for better, worse in itertools.pairwise(ladder):
        ahead = judged.difference(better, worse, column)
        sign = COLUMNS[column].sign
        assert ahead.n > 10
        assert sign * ahead.mean > 0, f"{column}: {better} is not ahead of {worse}"


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_tells_the_truth_from_a_shuffle_beyond_chance(judged: Evaluation, column: str) -> None:
    ahead = judged.difference("true", "shuffled", column)
    assert min(COLUMNS[column].sign * ahead.low, COLUMNS[column].sign * ahead.high) > 0


@pytest.mark.parametrize("method", ["LRP epsilon", "gradient × input", "occlusion", "integrated gradients"])
def test_the_deletion_curve_of_a_method_that_finds_the_truth_is_the_optimal_one(
    judged: Evaluation, known: Any, method: str
) -> None:
    sample = known.sample
    best = np.empty((len(sample), 5))
    for i, reading in enumerate(sample.readings):
        falling = np.sort(known.module.truth(reading.ids, sample.weights[i]))[::-1]
        best[i] = sample.scores[i] - np.cumsum(falling)[counts(len(falling)) - 1]
    np.testing.assert_allclose(judged.curves[method]["deletion score"], best, atol=1e-3)
    np.testing.assert_allclose(judged.curves[method]["zero score"], best, atol=1e-3)


def test_no_order_deletes_better_than_the_truth(judged: Evaluation) -> None:
    best = judged.curves["true"]["deletion score"]
    for method in judged.methods:
        assert (judged.curves[method]["deletion score"] >= best - 1e-4).all(), method


def test_the_truth_has_no_infidelity_and_full_correlation(judged: Evaluation) -> None:
    assert judged.interval("true", "infidelity").mean < 1e-6
    assert judged.interval("true", "sensitivity").mean > 1 - 1e-6


def test_the_truth_passes_the_randomisation_test(judged: Evaluation) -> None:
    found = judged.randomisation("true")
    assert found is not None
    assert found.passed


def test_a_shuffle_fails_the_randomisation_test(judged: Evaluation) -> None:
    found = judged.randomisation("shuffled")
    assert found is not None
    assert not found.passed


def test_an_explanation_that_does_not_look_at_the_model_fails_the_randomisation_test(known: Any) -> None:
    own = {"length": lambda batch: [np.array([len(t.text) + t.start / 1000 for t in r.tokens]) for r in batch.readings]}
    found = faithfulness.evaluate_sample(known.classifier, known.sample, methods=[], own=own, measures=["randomisation"])
    test = found.randomisation("length")
    assert test is not None
    assert test.repeated.mean > 0.99
    assert not test.passed


def test_misclassified_texts_recover_under_the_truth_and_not_under_its_opposite(judged: Evaluation) -> None:
    assert judged.interval("true", "recovered").mean > 0.5
    assert judged.interval("reversed", "recovered").mean < 0.1


def test_the_words_of_a_linear_model_carry_the_score_but_for_the_bias(judged: Evaluation, known: Any) -> None:
    bias = (known.sample.weights @ known.module.head.bias.detach().numpy()) / known.sample.scores
    assert judged.facts["LRP epsilon"]["carried"] == pytest.approx(np.median(1 - bias), rel=1e-2)
    assert judged.facts["LRP epsilon"]["unaccounted"] < 1e-6


def test_a_method_that_explained_fewer_texts_is_compared_on_those_alone(known: Any) -> None:
    how = {"measures": ["deletion", "stability"], "limit_of": {"noisy": 12}}
    found = faithfulness.evaluate_sample(known.classifier, known.sample, methods=[], own=known.own, **how)
    most, every = found.groups()
    assert "noisy" not in most.methods
    assert (most.settings["texts"], every.settings["texts"]) == (60, 12)
    assert all(every.interval(name, "aopc").n == 12 for name in every.methods)
    assert found.difference("true", "noisy", "aopc").mean == pytest.approx(
        every.interval("true", "aopc").mean - every.interval("noisy", "aopc").mean
    )


def test_an_explanation_that_says_nothing_fails_the_randomisation_test(known: Any) -> None:
    own = {"nothing": lambda batch: [np.zeros(len(r.ids)) for r in batch.readings]}
    found = faithfulness.evaluate_sample(known.classifier, known.sample, methods=[], own=own, measures=["randomisation"])
    test = found.randomisation("nothing")
    assert test is not None
    assert not test.passed
