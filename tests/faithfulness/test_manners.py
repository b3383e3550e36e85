"""Samples, methods, states, noise and recommendations: what they promise besides numbers."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import textlrp
from textlrp import baselines, faithfulness
from textlrp.encoding import read
from textlrp.errors import DataError, InputError, MissingPackageError, UnknownNameError
from textlrp.faithfulness.attention import attention
from textlrp.faithfulness.batch import Batch, explain
from textlrp.faithfulness.choose import Candidate
from textlrp.faithfulness.methods import select
from textlrp.faithfulness.noise import Neighbours, variants
from textlrp.faithfulness.randomise import STAGES, scrambled
from textlrp.faithfulness.statistics import Interval
from textlrp.text.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def reviews() -> Any:
    return textlrp.load_reviews("bundled")


@pytest.fixture(scope="module")
def dense() -> Any:
    return textlrp.load("imdb-dense")


# ---------------------------------------------------------------------- samples


def test_a_sample_is_the_same_for_the_same_seed_and_another_for_another(dense: Any, reviews: Any) -> None:
    one, two, other = (faithfulness.draw(dense, reviews["text"][:], reviews["label"][:], limit=30, seed=s) for s in (1, 1, 2))
    assert one.numbers.tolist() == two.numbers.tolist() != other.numbers.tolist()


def test_a_fifth_of_a_sample_is_misclassified_where_there_are_so_many(dense: Any, reviews: Any) -> None:
    sample = faithfulness.draw(dense, reviews["text"][:], reviews["label"][:], limit=40)
    assert int((~sample.right).sum()) == 8


def test_every_prefix_of_a_sample_is_spread_over_lengths(dense: Any, reviews: Any) -> None:
    sample = faithfulness.draw(dense, reviews["text"][:], limit=100)
    edges = np.quantile(sample.lengths, [0.2, 0.4, 0.6, 0.8])
    held = np.bincount(np.searchsorted(edges, sample.lengths[:25]), minlength=5)
    assert held.min() >= 3


def test_the_score_of_a_misclassified_text_is_its_prediction_minus_its_label(dense: Any, reviews: Any) -> None:
    sample = faithfulness.draw(dense, reviews["text"][:], reviews["label"][:], limit=40)
    wrong = np.flatnonzero(~sample.right)
    assert (sample.scores >= 0).all()
    assert (sample.weights[wrong, sample.labels[wrong]] == -1).all()


def test_texts_of_one_token_are_left_out_and_none_is_an_error(dense: Any) -> None:
    assert len(faithfulness.draw(dense, ["good", "very good"], limit=5)) == 1
    with pytest.raises(DataError, match="two tokens"):
        faithfulness.draw(dense, ["good", ""], limit=5)


# ---------------------------------------------------------------------- methods


def test_a_method_of_ones_own_joins_by_name(known: Any) -> None:
    faithfulness.register("place", lambda batch: [np.arange(len(r.ids)) for r in batch.readings])
    found = faithfulness.evaluate_sample(known.classifier, known.sample, methods=["place"], measures=["deletion"])
    assert found.methods == ["place", "random"]
    with pytest.raises(InputError, match="choose another"):
        faithfulness.register("gradient", lambda batch: [])


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (lambda batch: [], "for 0 texts"),
        (lambda batch: [[1.0] for _ in batch.readings], "shape"),
        (lambda batch: [np.full(len(r.ids), np.nan) for r in batch.readings], "not finite"),
    ],
)
def test_a_method_that_gives_nonsense_is_refused_by_name(known: Any, method: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        explain("mine", method, known.module, known.sample)
    assert "'mine'" in str(error.value)


def test_an_unknown_method_or_measure_is_an_error_with_the_nearest_name(known: Any) -> None:
    with pytest.raises(UnknownNameError, match="'gradient'"):
        faithfulness.evaluate_sample(known.classifier, known.sample, methods=["gradent"])
    with pytest.raises(UnknownNameError, match="'deletion'"):
        faithfulness.evaluate_sample(known.classifier, known.sample, measures=["deletions"])


def test_an_absent_package_is_skipped_and_said_so(known: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def ready(name: str) -> None:
        if name == "SHAP":
            raise MissingPackageError("SHAP needs the package 'shap'")

    monkeypatch.setattr(baselines, "ready", ready)
    chosen = select(["SHAP", "gradient"], known.module, known.sample)
    assert "SHAP" not in chosen.chosen
    assert "needs the package" in chosen.skipped["SHAP"]


def test_methods_that_do_not_apply_and_rules_that_repeat_another_are_skipped(known: Any) -> None:
    chosen = select(["epsilon", "epsilon:half", "class activation", "attention"], known.module, known.sample)
    assert next(iter(chosen.chosen)) == "LRP epsilon"
    assert chosen.skipped["LRP epsilon:half"] == "the same as LRP epsilon on this model"
    assert "global pooling" in chosen.skipped["class activation"]
    assert "no attention" in chosen.skipped["attention"]


class Attentive(nn.Module):
    """Words, self-attention and attention pooling."""

    def __init__(self, *, layers: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(20, 8, padding_idx=0)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True) if layers else None
        self.query, self.head = nn.Linear(8, 1), nn.Linear(8, 2)
        self.seen: Tensor | None = None

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        outside = torch.arange(ids.shape[1]) >= lengths[:, None]
        x = self.embedding(ids)
        if self.encoder is not None:
            return self.head(self.encoder(x, src_key_padding_mask=outside).mean(1))
        self.seen = torch.softmax(self.query(x)[..., 0].masked_fill(outside, -1e9), dim=-1)
        return self.head((self.seen[..., None] * x).sum(1))


def batch(module: nn.Module) -> Batch:
    ids, lengths = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0]]), torch.tensor([4, 2])
    return Batch(module, (), ids, lengths, torch.ones(2, 2), np.arange(2))


def test_attention_pooling_gives_its_weights() -> None:
    module = Attentive(layers=False).eval()
    found = attention(batch(module))
    assert module.seen is not None
    torch.testing.assert_close(found, module.seen.detach())
    assert found[1, 2:].abs().max() == 0


def test_self_attention_gives_the_mean_over_heads_and_tokens_that_attend() -> None:
    module = Attentive(layers=True)
    given = batch(module)
    found = attention(given)
    assert module.encoder is not None
    assert module.training
    module.eval()
    with torch.no_grad():
        x, outside = module.embedding(given.ids), torch.arange(4) >= given.lengths[:, None]
        weights = module.encoder.self_attn(x, x, x, key_padding_mask=outside, need_weights=True)[1]
    torch.testing.assert_close(found[0], weights[0].mean(0))
    torch.testing.assert_close(found[1, :2], weights[1, :2, :2].mean(0))


# ---------------------------------------------------------------------- resuming


def counted(known: Any, calls: list[int]) -> Any:
    def method(batch: Batch) -> Any:
        calls.append(len(batch.readings))
        return known.true(batch)

    return method


def test_a_run_that_was_stopped_goes_on_where_it_stopped(known: Any, tmp_path: Path) -> None:
    calls: list[int] = []
    how = {"methods": [], "measures": ["deletion", "stability"], "state": tmp_path, "chunk": 20}

    def stops(batch: Batch) -> Any:
        if sum(calls) >= 25:
            raise KeyboardInterrupt
        return counted(known, calls)(batch)

    with pytest.raises(KeyboardInterrupt):
        faithfulness.evaluate_sample(known.classifier, known.sample, own={"mine": stops}, **how)
    calls.clear()
    own = {"mine": counted(known, calls)}
    resumed = faithfulness.evaluate_sample(known.classifier, known.sample, own=own, **how)
    work = sum(calls)
    calls.clear()
    whole = faithfulness.evaluate_sample(known.classifier, known.sample, own=own, **{**how, "state": None})
    assert work < sum(calls)
    assert resumed.to_dict() == whole.to_dict()
    calls.clear()
    faithfulness.evaluate_sample(known.classifier, known.sample, own=own, **how)
    assert sum(calls) == 2  # the two texts on which a method is tried


def test_a_damaged_file_is_computed_again_and_other_weights_share_nothing(known: Any, tmp_path: Path) -> None:
    how = {"methods": ["epsilon"], "measures": ["deletion"], "state": tmp_path}
    first = faithfulness.evaluate_sample(known.classifier, known.sample, **how)
    files = sorted(tmp_path.rglob("*.npz"))
    files[0].write_bytes(files[0].read_bytes()[:50])
    files[1].write_bytes(b"")
    assert faithfulness.evaluate_sample(known.classifier, known.sample, **how).to_dict() == first.to_dict()
    other = known.classifier
    other.module = scrambled(known.module, "all")
    sample = faithfulness.make_sample(other.module, known.sample.readings)
    faithfulness.evaluate_sample(other, sample, **how)
    assert len(list(tmp_path.iterdir())) == 2


# ---------------------------------------------------------------------- noise and scrambling


def test_every_kind_of_noise_keeps_the_number_of_tokens() -> None:
    vocabulary = Vocabulary(["it", "'s", "is", "do", "n't", "not", "good", "fine", "film", "a", "ca", "can", "wo", "will"])
    module = nn.Sequential(nn.Embedding(len(vocabulary), 3))
    with torch.no_grad():
        module[0].weight[vocabulary["fine"]] = module[0].weight[vocabulary["good"]] + 0.01
    reading = read("It's a good film, don't miss; can't and won't", vocabulary)
    found = variants(reading, vocabulary, Neighbours(module, vocabulary), np.random.default_rng(0))
    assert set(found) == {"surface", "contractions", "neighbours"}
    assert all(len(each.tokens) == len(reading.tokens) == len(each.ids) for each in found.values())
    assert found["surface"].ids.tolist() == reading.ids.tolist()
    assert found["surface"].text != reading.text
    assert found["contractions"].text == "It is a good film, do not miss; can not and will not"
    for each in found.values():
        assert all(each.text[t.start : t.end] == t.text for t in each.tokens)


@pytest.mark.parametrize("stage", STAGES)
def test_scrambling_keeps_the_distribution_of_each_tensor_and_the_model_itself(known: Any, stage: str) -> None:
    before = {name: each.clone() for name, each in known.module.state_dict().items()}
    copied = scrambled(known.module, stage, seed=1)
    changed = {name for name, each in copied.state_dict().items() if not torch.equal(each, before[name])}
    assert changed - {"head.bias"} == ({"embedding.weight", "head.weight"} if stage == "all" else {"head.weight"})
    for name, each in copied.state_dict().items():
        torch.testing.assert_close(each.flatten().sort().values, before[name].flatten().sort().values)
    assert not copied.embedding.weight[0].any()
    assert all(torch.equal(each, before[name]) for name, each in known.module.state_dict().items())


# ---------------------------------------------------------------------- recommendations


def test_the_recommended_rule_is_the_better_one_and_says_how_to_use_it(dense: Any, reviews: Any) -> None:
    found = faithfulness.recommend(
        dense, reviews["text"][:60], reviews["label"][:60], rules=["alpha-beta", "epsilon"], budget=60
    )
    assert (found.rule, found.gates) == ("epsilon", "all")
    assert found.settled
    assert found.usage == 'classifier.explain(text, rule="epsilon", gates="all")'
    assert "separates best" in found.sentence()
    dense.explain("A fine film", rule=found.rule, gates=found.gates)


def recommended(behind: Interval, confidence: float) -> str:
    """What is said of two rules of which the second lies so far behind."""
    value, nothing = Interval(2.0, 1.5, 2.5, 60), Interval(0.0, 0.0, 0.0, 60)
    rules = (Candidate("epsilon", "all", value, nothing, 60), Candidate("zero", "all", value, behind, 60))
    return faithfulness.Recommendation("epsilon", "all", confidence, rules, {}, 60, 1.0, ("epsilon", "all")).sentence()


@pytest.mark.parametrize(
    ("behind", "confidence", "said"),
    [
        (Interval(0.0, -0.0, 0.0, 60), 0.0, "on 60 texts they differ by nothing"),
        (Interval(-1e-5, -1e-5, 1e-5, 60), 0.6, "on 60 texts they differ by nothing"),
        (Interval(1e-4, -0.02, 0.01, 60), 0.3, "the difference is 0.000 logits (95 %: -0.010 to 0.020, 60 texts)"),
        (Interval(-0.1, -0.3, 0.02, 60), 0.9, "the difference is 0.100 logits (95 %: -0.020 to 0.300, 60 texts)"),
    ],
)
def test_rules_that_nothing_tells_apart_are_level(behind: Interval, confidence: float, said: str) -> None:
    sentence = recommended(behind, confidence)
    assert f"is level with 'zero' with gates 'all': {said}" in sentence
    assert "-0.000" not in sentence


@pytest.mark.parametrize(("high", "confidence"), [(-0.01, 0.99), (0.001, 0.96)])
def test_a_rule_is_ahead_where_the_interval_or_the_rounds_say_so(high: float, confidence: float) -> None:
    assert "separates best: ahead of 'zero'" in recommended(Interval(-0.1, -0.2, high, 60), confidence)


def test_what_does_not_conserve_is_recommended_only_if_it_is_named(reviews: Any) -> None:
    lstm, few = textlrp.load("imdb-lstm"), reviews["text"][:12]
    usual = faithfulness.recommend(lstm, few, rules=["epsilon"], budget=0.001)
    named = faithfulness.recommend(lstm, few, rules=["epsilon"], gates=["all", "zero"], budget=0.001)
    assert {each.gates for each in usual.candidates} == {"all", "prop", "abs", "half"}
    assert {each.gates for each in named.candidates} == {"all", "zero"}
    with pytest.raises(UnknownNameError, match=r"unknown gate rule 'nope'.*Known: all, prop"):
        faithfulness.recommend(lstm, few, gates=["nope"])


def test_a_budget_that_is_used_up_stops_after_the_first_round(dense: Any, reviews: Any) -> None:
    ticks = itertools.count(0, 100)
    found = faithfulness.recommend(
        dense, reviews["text"][:80], rules=["epsilon", "zero"], budget=1, clock=lambda: float(next(ticks))
    )
    assert found.texts == 10


def test_a_budget_of_nothing_is_an_error(dense: Any) -> None:
    with pytest.raises(InputError, match="above 0"):
        faithfulness.recommend(dense, ["a b"], budget=0)
