"""Vectors of n-grams: which row an n-gram gets, and where its relevance goes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from textlrp.errors import InputError
from textlrp.models.build import build
from textlrp.models.config import make_config
from textlrp.models.ngrams import FACTOR, PRIME, NGramEmbedding

IDS = torch.tensor([[5, 6, 7, 5, 6], [7, 5, 6, 1, 0]])


def slow_hash(ids: list[int]) -> int:
    value = ids[0] + len(ids)
    for each in ids[1:]:
        value = (value * FACTOR + each) % PRIME
    return value


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_hashes_are_those_of_the_equation(n):
    found = NGramEmbedding(n, 10, 1).hashes(IDS)
    expected = [[slow_hash(row[at : at + n]) for at in range(len(row) - n + 1)] for row in IDS.tolist()]
    assert found.tolist() == expected


def test_few_of_many_bigrams_collide():
    ids = torch.tensor(list(itertools.product(range(2, 300), range(2, 300))))
    hashes = NGramEmbedding(2, 10, 1).hashes(ids)
    assert len(hashes.unique()) == len(ids)
    assert len((hashes % 2**20).unique()) > 0.9 * len(ids)


def test_a_hashed_row_is_the_hash_modulo_the_rows():
    table = NGramEmbedding(2, 7, 3)
    assert torch.equal(table.indices(IDS), table.hashes(IDS) % 7)


def test_selected_ngrams_have_rows_of_their_own_and_all_others_the_zero_row():
    table = NGramEmbedding(2, 6, 3, selected=True)
    chosen = table.hashes(torch.tensor([[5, 6], [7, 5]]))
    table.select(chosen.numpy().ravel())
    rows = table.indices(IDS)
    assert rows[0, 0] == rows[0, 3] == rows[1, 1] != 0
    assert rows[0, 2] == rows[1, 0] != 0
    assert rows[0, 0] != rows[0, 2]
    assert not rows[0, 1]
    assert not rows[1, 2:].any()
    assert not table(IDS)[0, 1].any()
    assert table(IDS)[0, 0].any()


def test_nothing_is_selected_at_first():
    table = NGramEmbedding(2, 4, 2, selected=True)
    assert not table(IDS).any()


def test_the_zero_row_stays_zero_in_training():
    table = NGramEmbedding(2, 4, 2, selected=True)
    optimiser = torch.optim.AdamW(table.parameters(), lr=0.1, weight_decay=0.1)
    table(IDS).sum().backward()
    optimiser.step()
    assert not table.weight[0].any()


@pytest.mark.parametrize("hashes", [[1, 1], [1, 2, 3, 4], [-1]])
def test_what_does_not_fit_is_refused(hashes):
    with pytest.raises(InputError, match="do not fit: at most 3, each once"):
        NGramEmbedding(2, 4, 2, selected=True).select(np.array(hashes))


def test_a_hashed_table_cannot_select():
    with pytest.raises(InputError, match="selected=True"):
        NGramEmbedding(2, 4, 2).select(np.array([1]))


@pytest.mark.parametrize("n", [2, 3])
def test_relevance_is_shared_equally_and_its_sum_stays(n):
    table = NGramEmbedding(n, 10, 1)
    relevance = torch.randn(2, 5 - n + 1, dtype=torch.float64)
    shared = table.share_relevance(relevance, IDS)
    assert torch.allclose(shared.sum(1), relevance.sum(1))
    slow = torch.zeros(2, 5, dtype=torch.float64)
    for row, at, shift in itertools.product(range(2), range(5 - n + 1), range(n)):
        slow[row, at + shift] += relevance[row, at] / n
    assert torch.allclose(shared, slow)


def test_texts_shorter_than_an_ngram_have_none():
    table = NGramEmbedding(3, 10, 4)
    assert table(torch.tensor([[4, 5]])).shape == (1, 0, 4)
    assert not table.mask(torch.tensor([[4, 5, 6, 0]]), torch.tensor([2])).any()


def test_the_dense_network_reads_its_selected_ngrams():
    config = make_config(
        "dense", vocabulary_size=9, classes=["bad", "good"], ngrams=[2], ngram_buckets=4, ngram_dim=1, ngram_selected=True
    )
    module = build(config).eval()
    module.ngrams["2"].select(module.ngrams["2"].hashes(torch.tensor([[5, 6]])).numpy().ravel())
    with torch.no_grad():
        module.ngrams["2"].weight[1] = 100.0
        module.head.output.weight[1, -1] = 1.0
        module.head.output.weight[0, -1] = 0.0
        there, absent = module(torch.tensor([[4, 5, 6], [4, 6, 5]]), torch.tensor([3, 3]))
    assert there[1] - absent[1] == pytest.approx(100 / np.sqrt(2), rel=1e-3)


def test_a_table_of_single_words_has_a_row_for_each_word_and_no_more():
    options = {"ngrams": [1, 2], "ngram_buckets": 5000, "ngram_dim": 1}
    tables = build(make_config("lstm", vocabulary_size=30, classes=["a", "b"], units=3, **options)).ngrams.tables()
    assert [table.buckets for table in tables] == [31, 5000]
    assert len(tables[0].indices(torch.arange(30)[None]).unique()) == 30
