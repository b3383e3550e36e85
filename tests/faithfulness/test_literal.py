"""Each measure against a slow, literal version of its published definition, in float64 on small cases."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, f1_score
from torch import nn

from textlrp.faithfulness import Sample, make_sample
from textlrp.faithfulness.agreement import agreement
from textlrp.faithfulness.columns import curves, deletion_values
from textlrp.faithfulness.deletion import BINS, counts, curve, falling
from textlrp.faithfulness.network import logits_without
from textlrp.faithfulness.probes import infidelity, sensitivity, subsets, without_subsets
from textlrp.faithfulness.statistics import average_precision, interval, means, pearson, resamples, spearman
from textlrp.models.build import build
from textlrp.models.config import make_config

ARCHITECTURES = {
    "dense": {},
    "dense with n-grams": {"ngrams": [2, 3], "ngram_buckets": 50},
    "lstm": {"units": 5, "bidirectional": True},
    "lstm with n-grams": {"units": 5, "bidirectional": True, "ngrams": [1, 2], "ngram_buckets": 50},
    "gru": {"units": 5, "bidirectional": True},
    "cnn": {"channels": 6},
}


def network(name: str) -> nn.Module:
    arch = name.split()[0]
    config = make_config(arch, vocabulary_size=40, classes=["a", "b", "c"], embedding_dim=6, **ARCHITECTURES[name])
    return build(config, seed=3).double().eval()


def ask(module: nn.Module, ids: list[int]) -> np.ndarray:
    """The logits of one text alone."""
    with torch.no_grad():
        return module(torch.tensor([ids]), torch.tensor([len(ids)]))[0].numpy()


def ask_with_zero_vectors(module: nn.Module, ids: list[int], deleted: set[int]) -> np.ndarray:
    """The logits of one text whose words and n-grams are looked up one by one, those with a deleted word as zeros."""
    kept = {}

    def words(_ids: torch.Tensor) -> torch.Tensor:
        rows = [torch.zeros(6) if t in deleted else module.embedding.weight[word] for t, word in enumerate(ids)]
        return torch.stack([row.double() for row in rows])[None]

    def grams(table: Any) -> Any:
        def look_up(given: torch.Tensor, _: torch.Tensor | None = None) -> torch.Tensor:
            rows = []
            for t, index in enumerate(table.indices(given)[0]):
                gone = any(t + k in deleted for k in range(table.n))
                rows.append(table.weight[index] * (0.0 if gone else 1.0))
            return torch.stack(rows)[None]

        return look_up

    for part in module.modules():
        if isinstance(part, nn.Embedding):
            kept[part], part.forward = part.forward, words
        elif hasattr(part, "share_relevance"):
            kept[part], part.forward = part.forward, grams(part)
    try:
        return ask(module, ids)
    finally:
        for part, forward in kept.items():
            part.forward = forward


@pytest.fixture(scope="module")
def texts() -> list[list[int]]:
    generator = np.random.default_rng(4)
    return [generator.integers(2, 40, size=size).tolist() for size in (3, 7, 7, 12, 20)]


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("keep", [False, True])
def test_leaving_words_out_is_predicting_the_text_without_them(name: str, keep: bool, texts: list[list[int]]) -> None:
    module, generator = network(name), np.random.default_rng(0)
    orders = [generator.permutation(len(ids)) for ids in texts]
    found = curve(module, [np.array(ids) for ids in texts], orders, keep=keep)
    for i, (ids, order) in enumerate(zip(texts, orders, strict=True)):
        for p, share in enumerate((0.01, 0.05, 0.10, 0.20, 0.50)):
            chosen = set(order[: max(1, math.ceil(share * len(ids)))].tolist())
            left = [word for t, word in enumerate(ids) if (t in chosen) == keep]
            np.testing.assert_allclose(found[i, p], ask(module, left), atol=1e-10)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_zero_vector_is_a_word_and_its_n_grams_looked_up_as_zeros(name: str, texts: list[list[int]]) -> None:
    module, generator = network(name), np.random.default_rng(1)
    deleted = [generator.random(len(ids)) < 0.4 for ids in texts]
    found = logits_without(module, [np.array(ids) for ids in texts], deleted, how="zero vector")
    for i, ids in enumerate(texts):
        literal = ask_with_zero_vectors(module, ids, set(np.flatnonzero(deleted[i]).tolist()))
        np.testing.assert_allclose(found[i], literal, atol=1e-10)


def test_words_are_deleted_in_falling_order_and_equal_ones_by_lot() -> None:
    relevance = np.array([0.0, 3.0, 0.0, -1.0, 0.0, 5.0])
    orders = {tuple(falling(relevance, seed=seed)) for seed in range(50)}
    assert all(order[:2] == (5, 1) and order[-1] == 3 for order in orders)
    assert len(orders) == 6  # every order of the three zeros


def literal_eraser(module: nn.Module, ids: list[int], relevance: np.ndarray) -> tuple[float, float, float, float]:
    """Comprehensiveness, sufficiency, AOPC and separation of one text, word by word."""

    def chance(logits: np.ndarray, winner: int) -> float:
        return math.exp(logits[winner]) / sum(math.exp(each) for each in logits)

    whole = ask(module, ids)
    winner = max(range(3), key=lambda c: whole[c])
    rival = max((c for c in range(3) if c != winner), key=lambda c: whole[c])
    ranked = sorted(range(len(ids)), key=lambda t: -relevance[t])
    comprehensive, sufficient, dropped, separated = 0.0, 0.0, 0.0, 0.0
    for share in (0.01, 0.05, 0.10, 0.20, 0.50):
        top = ranked[: math.ceil(share * len(ids))]
        without = ask(module, [word for t, word in enumerate(ids) if t not in top])
        alone = ask(module, [word for t, word in enumerate(ids) if t in top])
        comprehensive += (chance(whole, winner) - chance(without, winner)) / 5
        sufficient += (chance(whole, winner) - chance(alone, winner)) / 5
        dropped += ((whole[winner] - whole[rival]) - (without[winner] - without[rival])) / 5
        separated += ((alone[winner] - alone[rival]) - (without[winner] - without[rival])) / 5
    return comprehensive, sufficient, dropped, separated


def plain_sample(module: nn.Module, texts: list[list[int]], labels: list[int] | None = None) -> Sample:
    from textlrp.encoding import Reading

    return make_sample(module, [Reading("", (), np.array(ids), 0) for ids in texts], labels)


@pytest.mark.parametrize("name", ["dense", "lstm"])
def test_comprehensiveness_sufficiency_aopc_and_separation(name: str, texts: list[list[int]]) -> None:
    module, generator = network(name), np.random.default_rng(2)
    sample = plain_sample(module, texts)
    relevance = [generator.standard_normal(len(ids)) for ids in texts]
    rows = [np.array(ids) for ids in texts]
    orders = [falling(values) for values in relevance]
    drawn = {"deletion": curve(module, rows, orders), "keep": curve(module, rows, orders, keep=True)}
    found = deletion_values(curves(drawn, sample), sample)
    for i, ids in enumerate(texts):
        literal = literal_eraser(module, ids, relevance[i])
        names = ("comprehensiveness", "sufficiency", "aopc", "separation")
        np.testing.assert_allclose([found[key][i] for key in names], literal, atol=1e-10)


def test_accuracy_is_of_the_right_texts_and_recovery_of_the_wrong_ones(texts: list[list[int]]) -> None:
    module = network("dense")
    sample = plain_sample(module, texts)
    labels = sample.logits.argmax(axis=1)
    labels[1] = (labels[1] + 1) % 3
    sample = plain_sample(module, texts, labels.tolist())
    rows, orders = [np.array(ids) for ids in texts], [np.arange(len(ids)) for ids in texts]
    found = deletion_values(curves({"deletion": curve(module, rows, orders)}, sample), sample)
    for i, ids in enumerate(texts):
        hits = [int(ask(module, ids[count:]).argmax() == labels[i]) for count in counts(len(ids))]
        assert found["recovered" if i == 1 else "accuracy"][i] == pytest.approx(np.mean(hits))
        assert np.isnan(found["accuracy" if i == 1 else "recovered"][i])


def test_sensitivity_n_is_the_mean_correlation_over_random_sets(texts: list[list[int]]) -> None:
    module, ids = network("lstm"), texts[-1]
    relevance = np.random.default_rng(3).standard_normal(len(ids))
    masks = subsets(len(ids), seed=5, sizes=(2, 6), draws=8)
    lost = without_subsets(module, [np.array(ids)], [masks])[0]
    drops = ask(module, ids)[0] - lost[..., 0]
    literal = []
    for size in range(2):
        sums, changes = [], []
        for draw in range(8):
            gone = set(np.flatnonzero(masks[size, draw]).tolist())
            assert len(gone) == (2, 6)[size]
            sums.append(sum(relevance[t] for t in gone))
            changes.append(ask(module, ids)[0] - ask_with_zero_vectors(module, ids, gone)[0])
        literal.append(np.corrcoef(sums, changes)[0, 1])
    assert sensitivity(relevance, masks, drops) == pytest.approx(np.mean(literal), abs=1e-9)


def test_infidelity_is_the_mean_squared_error_and_scaling_makes_it_least() -> None:
    generator = np.random.default_rng(6)
    relevance, masks = generator.standard_normal(9), subsets(9, seed=1, sizes=(3,), draws=12)
    drops = generator.standard_normal((1, 12))
    errors = [(sum(relevance[t] for t in range(9) if masks[0, d, t]) - drops[0, d]) ** 2 for d in range(12)]
    assert infidelity(relevance, masks, drops) == pytest.approx(sum(errors) / float((drops**2).sum()))
    tried = min(infidelity(scale * relevance, masks, drops) for scale in np.linspace(0, 3, 30001))
    assert infidelity(relevance, masks, drops, scaled=True) == pytest.approx(tried, abs=1e-6)


small = st.integers(-3, 3).map(float)


@given(arrays(np.float64, 12, elements=small), arrays(np.bool_, 12))
def test_average_precision_is_scikit_learns_also_where_scores_are_equal(scores: np.ndarray, marks: np.ndarray) -> None:
    if marks.any():
        assert average_precision(scores, marks) == pytest.approx(average_precision_score(marks, scores))
    else:
        assert math.isnan(average_precision(scores, marks))


@given(arrays(np.float64, 9, elements=small), arrays(np.float64, 9, elements=small))
def test_correlations_are_numpys_and_scipys(a: np.ndarray, b: np.ndarray) -> None:
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert math.isnan(pearson(a, b))
        assert math.isnan(spearman(a, b))
    else:
        assert pearson(a, b) == pytest.approx(np.corrcoef(a, b)[0, 1])
        assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)


def test_a_bootstrap_mean_is_the_mean_of_the_texts_drawn_without_those_not_measured() -> None:
    values = np.array([1.0, np.nan, 4.0, 7.0])
    drawn = resamples(4, rounds=50, seed=2)
    for row, mean in zip(drawn, means(values, drawn), strict=True):
        taken = [value for value, times in zip(values, row, strict=True) for _ in range(times) if not math.isnan(value)]
        assert mean == pytest.approx(np.mean(taken)) if taken else math.isnan(mean)


def test_a_95_percent_interval_holds_the_mean_in_about_95_of_100_samples() -> None:
    generator = np.random.default_rng(8)
    held = [interval(generator.exponential(size=80), resamples(80, rounds=300, seed=s)) for s in range(300)]
    assert 0.90 <= np.mean([found.low <= 1.0 <= found.high for found in held]) <= 0.98


def test_agreement_with_marks() -> None:
    relevance = [np.array([3.0, 2.0, -1.0, 0.5]), np.array([1.0, 2.0])]
    marks = [np.array([1, 0, -1, 1]), np.array([0, 0])]
    found = agreement(relevance, marks)
    taken = math.ceil(0.5 * 4)  # half of the words are marked in the texts that have marks
    assert found["f1"][0] == pytest.approx(f1_score([1, 0, 0, 1], [1, 1, 0, 0]))
    assert taken == 2
    assert found["auprc"][0] == pytest.approx(average_precision_score([1, 0, 0, 1], relevance[0]))
    assert found["pointing"][0] == 1.0
    assert found["sign"][0] == 1.0
    assert all(np.isnan(each[1]) for each in found.values())


def test_the_bins_are_erasers() -> None:
    assert BINS == (0.01, 0.05, 0.10, 0.20, 0.50)
