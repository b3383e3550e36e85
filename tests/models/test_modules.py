"""What every architecture promises: a text's logits do not depend on its company, and relevance can find its way back."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from textlrp.models.build import build, parameter_count
from textlrp.models.config import ARCHITECTURES, make_config
from textlrp.models.ngrams import NGramEmbedding

WORDS = 40
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("dense", {}),
    ("dense", {"pooling": ["mean", "max", "root"], "hidden": [8], "ngrams": [2, 3], "ngram_buckets": 64}),
    ("dense", {"ngrams": [2], "ngram_buckets": 64, "ngram_pooling": ["mean", "max"]}),
    ("lstm", {"pooling": ["mean", "max", "root", "last"], "units": 8}),
    ("lstm", {"pooling": ["last"], "units": 8, "bidirectional": False, "layers": 2}),
    ("lstm", {"units": 8, "ngrams": [1, 2, 3], "ngram_buckets": 64, "ngram_dim": 2, "once": True}),
    ("gru", {"pooling": ["max"], "units": 8, "layers": 2}),
    ("gru", {"pooling": ["mean", "last"], "units": 8, "bidirectional": False}),
    ("cnn", {"widths": [1, 2, 5], "channels": 8, "pooling": ["mean", "max"], "hidden": [6]}),
]
NAMES = [f"{arch}-{number}" for number, (arch, _) in enumerate(VARIANTS)]


def module_of(arch: str, options: dict[str, Any]) -> nn.Module:
    config = make_config(arch, vocabulary_size=WORDS, classes=["a", "b", "c"], embedding_dim=6, **options)
    module = build(config, seed=1).eval()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(0.3 * torch.randn(weight.shape, generator=generator))
    return module


MODULES = {name: module_of(*variant) for name, variant in zip(NAMES, VARIANTS, strict=True)}
texts_of_ids = st.lists(st.lists(st.integers(0, WORDS - 1), max_size=12), min_size=1, max_size=5)


def padded(texts: list[list[int]], extra: int, filler: int) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(len(text) for text in texts) + extra
    ids = torch.tensor([text + [filler] * (width - len(text)) for text in texts], dtype=torch.int64).reshape(len(texts), width)
    return ids, torch.tensor([len(text) for text in texts])


@pytest.mark.parametrize("name", NAMES)
@given(texts=texts_of_ids, extra=st.integers(0, 4), filler=st.integers(0, WORDS - 1))
@settings(max_examples=25)
def test_a_text_has_the_same_logits_alone_and_in_any_batch(name: str, texts: list[list[int]], extra: int, filler: int) -> None:
    module = MODULES[name]
    together = module(*padded(texts, extra, filler))
    alone = torch.cat([module(*padded([text], 0, 0)) for text in texts])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
@given(texts=texts_of_ids)
@settings(max_examples=15)
def test_the_fast_way_of_predicting_gives_the_same_logits(name: str, texts: list[list[int]]) -> None:
    module, batch = MODULES[name], padded(texts, 1, 0)
    with torch.inference_mode():
        fast = module(*batch)
    torch.testing.assert_close(fast, module(*batch), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_text_is_seen_through_the_biases_alone(name: str) -> None:
    module = MODULES[name]
    head = module.head
    assert isinstance(head, nn.Sequential)
    features = next(each for each in head if isinstance(each, nn.Linear)).in_features
    expected = head(torch.zeros(1, features))
    torch.testing.assert_close(module(torch.zeros(1, 3, dtype=torch.int64), torch.tensor([0])), expected)
    torch.testing.assert_close(module(torch.zeros(1, 0, dtype=torch.int64), torch.tensor([0])), expected)


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_reaches_the_words_and_no_padding(name: str) -> None:
    module = MODULES[name]
    ids = torch.tensor([[5, 6, 7, 8, 9, 30, 30], [10, 11, 12, 13, 14, 15, 16]])
    module.zero_grad()
    module(ids, torch.tensor([5, 7])).square().sum().backward()
    table = module.embedding
    assert isinstance(table, nn.Embedding)
    assert table.weight.grad is not None
    assert bool((table.weight.grad[30] == 0).all())
    assert bool((table.weight.grad[5:17].abs().sum(1) > 0).any())


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_same_seed_builds_the_same_module_and_touches_no_other_randomness(arch: str) -> None:
    config = make_config(arch, vocabulary_size=20, classes=["a", "b"])
    before = torch.get_rng_state()
    first, second, other = (build(config, seed=seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    assert sum(weight.numel() for weight in first.values()) == parameter_count(config)


@given(
    ids=st.lists(st.integers(0, 2**31), min_size=0, max_size=9),
    n=st.integers(1, 4),
    seed=st.integers(0, 99),
)
@settings(max_examples=50)
def test_shared_relevance_keeps_its_sum(ids: list[int], n: int, seed: int) -> None:
    table = NGramEmbedding(n, 50, 3)
    row = torch.tensor([ids], dtype=torch.int64).reshape(1, len(ids))
    indices = table.indices(row)
    assert indices.numel() == 0 or (int(indices.min()) >= 0 and int(indices.max()) < 50)
    relevance = torch.randn(indices.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    shared = table.share_relevance(relevance, row)
    assert shared.shape == row.shape
    torch.testing.assert_close(shared.sum(), relevance.sum())


def test_an_ngram_is_its_words_in_their_order() -> None:
    table = NGramEmbedding(2, 1_000_003, 3)
    rows = table.indices(torch.tensor([[7, 8, 7, 8]]))[0].tolist()
    assert rows[0] == rows[2]
    assert rows[0] != rows[1]
