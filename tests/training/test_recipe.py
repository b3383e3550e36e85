"""The default recipe: whatever the texts are, it is a sound one, and it says what it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textlrp.errors import InputError
from textlrp.models.config import ARCHITECTURES, make_config
from textlrp.training.recipe import Recipe, choose, in_words


@given(
    arch=st.sampled_from(ARCHITECTURES),
    texts=st.sampled_from([0, 1, 2, 30, 2_000, 25_000, 500_000]),
    longest=st.sampled_from([0, 1, 20, 300, 20_000]),
)
def test_any_texts_get_a_model_that_can_be_made(arch: str, texts: int, longest: int) -> None:
    lengths = np.random.default_rng(0).integers(0, longest + 1, texts)
    recipe, options = choose(arch, lengths=lengths)
    assert make_config(arch, vocabulary_size=100, classes=["a", "b"], **options).max_tokens is not None
    assert all(in_words(recipe, options, lengths=lengths))


def test_few_texts_are_seen_more_often_than_many() -> None:
    few, many = (choose("dense", lengths=np.full(texts, 100))[0] for texts in (500, 500_000))
    assert few.epochs > many.epochs
    assert few.batch_size < many.batch_size


def test_short_texts_are_read_whole() -> None:
    for arch in ARCHITECTURES:
        _, options = choose(arch, lengths=np.full(1_000, 60))
        assert options["max_tokens"] >= 60


def test_ready_vectors_set_the_dimension() -> None:
    assert choose("cnn", lengths=np.full(100, 10), vector_dim=37)[1]["embedding_dim"] == 37


@pytest.mark.parametrize(
    "change", [{"epochs": 0}, {"learning_rate": float("nan")}, {"batch_size": 1.5}, {"warmup": 1.0}, {"epoch": 3}]
)
def test_impossible_numbers_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(InputError):
        Recipe().replace(**change)
