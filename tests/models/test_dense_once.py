"""With `once`, each of the c occurrences of a word or n-gram counts 1/c."""

from __future__ import annotations

import pytest
import torch

from textlrp.models.build import build
from textlrp.models.config import make_config
from textlrp.models.dense import Dense
from textlrp.models.pooling import shares


def dense(**options) -> Dense:
    sizes = {"embedding_dim": 3, "pooling": ["root", "max"], "ngrams": [2], "ngram_buckets": 50, "ngram_dim": 2, "once": True}
    return build(make_config("dense", vocabulary_size=9, classes=["bad", "good"], **(sizes | options)), seed=1).eval()


def test_shares_of_a_key_sum_to_1_and_padding_has_none():
    generator = torch.Generator().manual_seed(0)
    keys = torch.randint(0, 6, (5, 12), generator=generator)
    lengths = torch.tensor([12, 0, 1, 7, 3])
    mask = torch.arange(12) < lengths[:, None]
    found = shares(keys, mask)
    for row in range(5):
        length = int(lengths[row])
        expected = [1 / keys[row, :length].tolist().count(int(key)) for key in keys[row, :length]]
        assert found[row, :length].tolist() == pytest.approx(expected)
        assert not found[row, length:].any()


def test_a_repeated_text_has_the_same_words_once():
    module = dense(ngrams=[])
    once = module(torch.tensor([[3, 4, 5]]), torch.tensor([3]))
    twice = module(torch.tensor([[3, 4, 5, 3, 4, 5]]), torch.tensor([6]))
    assert torch.allclose(once, twice, atol=1e-6)


def test_a_text_without_repetition_is_read_as_without_the_option():
    ids, lengths = torch.tensor([[3, 4, 5, 6]]), torch.tensor([4])
    assert torch.allclose(dense()(ids, lengths), dense(once=False)(ids, lengths), atol=1e-6)


def test_padding_has_no_influence():
    module = dense()
    alone = module(torch.tensor([[3, 4, 3]]), torch.tensor([3]))
    padded = module(torch.tensor([[3, 4, 3, 0, 0], [5, 6, 7, 8, 3]]), torch.tensor([3, 5]))[:1]
    assert torch.allclose(alone, padded, atol=1e-6)


@pytest.mark.parametrize("length", [0, 1])
def test_texts_too_short_for_an_ngram(length):
    assert torch.isfinite(dense()(torch.tensor([[3]])[:, :length], torch.tensor([length]))).all()
