"""The batch function for `Dataset.map`."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import textlrp
from textlrp.corpus import mapper
from textlrp.errors import InputError, UnknownNameError


def test_it_gives_the_columns_of_explain_many(dense: Any, few: list[str]) -> None:
    found = mapper("imdb-dense")({"text": few})
    for i, expected in enumerate(dense.explain_many(few, target="margin")):
        assert found["tokens"][i] == [token.text for token in expected.tokens]
        assert found["starts"][i] == [token.start for token in expected.tokens]
        assert np.array_equal(found["relevance"][i], expected.relevance)
        assert (found["prediction"][i], found["score"][i]) == (expected.prediction, expected.score)
        assert (found["ledger"][i], found["probabilities"][i]) == (expected.ledger, expected.probabilities)
        assert found["reject"][i] is None


def test_it_maps_over_a_dataset_and_keeps_its_rows(few: list[str]) -> None:
    dataset = textlrp.load_reviews("bundled").select(range(20))
    mapped = dataset.map(mapper("imdb-dense", target="positive"), batched=True, batch_size=8, num_proc=None)
    assert mapped["text"][:] == dataset["text"][:]
    assert set(mapped["target"][:]) == {"positive"}
    assert len(mapped["relevance"][3]) == len(mapped["tokens"][3])


def test_a_bad_row_stays_with_its_reason() -> None:
    found = mapper("imdb-dense", longest=30)({"text": ["A fine film.", None, "x" * 31, 5, "dull"]})
    assert [reason is None for reason in found["reject"]] == [True, False, False, False, True]
    assert [score is None for score in found["score"]] == [False, True, True, True, False]


def test_it_can_be_pickled_before_and_after_use_and_stays_the_same() -> None:
    function = mapper("imdb-dense")
    before = pickle.dumps(function)
    expected = function({"text": ["A fine film."]})
    assert pickle.dumps(function) == before
    assert pickle.loads(before)({"text": ["A fine film."]}) == expected


def test_empty_batches_and_wrong_calls() -> None:
    assert mapper("imdb-dense")({"text": []})["score"] == []
    with pytest.raises(UnknownNameError, match="unknown column 'review'"):
        mapper("imdb-dense", text_column="review")({"text": ["a"]})
    with pytest.raises(InputError, match="name of a bundled model"):
        mapper(textlrp.load("imdb-dense"))  # type: ignore[arg-type]
