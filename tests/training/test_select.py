"""N-grams that get a row of their own: counted as a slow loop would, and told apart by their classes."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from textlrp.models.batches import Encoded
from textlrp.models.ngrams import NGramEmbedding
from textlrp.training import train
from textlrp.training.select import begin_with_telling_ngrams, log_ratios
from textlrp.training.trainer import Labelled

labelled = st.lists(st.tuples(st.lists(st.integers(1, 4), max_size=6), st.integers(0, 2)), min_size=1, max_size=12)


def hash_of(gram: tuple[int, ...]) -> int:
    return int(NGramEmbedding(len(gram), 10, 1).hashes(torch.tensor([gram])))


@given(texts=labelled, n=st.integers(2, 3), least=st.integers(1, 3))
@settings(max_examples=60)
def test_ratios_are_those_of_a_slow_count(texts: list[tuple[list[int], int]], n: int, least: int) -> None:
    data = Labelled(Encoded.of([ids for ids, _ in texts]), np.array([label for _, label in texts]))
    hashes, ratios, totals = log_ratios(data, n, 3, least=least)
    counts = [Counter[tuple[int, ...]]() for _ in range(3)]
    for ids, label in texts:
        counts[label].update({tuple(ids[at : at + n]) for at in range(len(ids) - n + 1)})
    grams = {gram for each in counts for gram in each if sum(other[gram] for other in counts) >= least}
    assert sorted(hash_of(gram) for gram in grams) == hashes.tolist()
    sizes = [sum(label == number for _, label in texts) for number in range(3)]
    for gram in grams:
        at = hashes.tolist().index(hash_of(gram))
        held = sum(each[gram] for each in counts)
        assert totals[at] == held
        for number in range(3):
            inside = math.log((counts[number][gram] + 1) / (sizes[number] + 2))
            outside = math.log((held - counts[number][gram] + 1) / (sum(sizes) - sizes[number] + 2))
            assert ratios[at, number] == pytest.approx(inside - outside)


def test_the_most_telling_bigrams_are_chosen_and_begin_on_the_side_of_their_class() -> None:
    good, bad, neutral = [2, 3], [4, 5], [6, 7]
    data = Labelled(Encoded.of([[*neutral, 9, *good], [*neutral, 9, *bad]] * 10), np.array([1, 0] * 10))
    table = NGramEmbedding(2, 5, 1, selected=True)
    assert begin_with_telling_ngrams(table, data, 2) == 4
    vectors = table(torch.tensor([[*good, *bad, *neutral]]))[0, :, 0]
    assert vectors[0] > 0 > vectors[2]
    assert vectors[1] == vectors[3] == vectors[4] == 0


def test_word_order_is_learnt_through_bigrams() -> None:
    texts = ["this is not good but bad", "this is not bad but good"] * 60
    trained = train(texts, [0, 1] * 60, classes=["bad", "good"])
    assert trained.metrics["validation"]["accuracy"] == 1.0
