"""Measurements against what they are defined to be."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, log_loss

from textlrp.errors import InputError
from textlrp.models.batches import probabilities
from textlrp.training.metrics import calibration_error, fit_temperature, measure


@given(seed=st.integers(0, 1_000), count=st.integers(1, 60), classes=st.integers(2, 5))
def test_the_figures_are_those_of_scikit_learn(seed: int, count: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    chances = random.dirichlet(np.ones(classes), size=count)
    labels = random.integers(classes, size=count)
    found = measure(chances, labels, classes=[str(each) for each in range(classes)])
    predicted = chances.argmax(1)
    assert found["accuracy"] == pytest.approx(accuracy_score(labels, predicted))
    assert found["f1"] == pytest.approx(f1_score(labels, predicted, average="macro", zero_division=0.0))
    assert found["loss"] == pytest.approx(log_loss(labels, chances, labels=np.arange(classes)))
    assert np.sum(found["confusion"]) == count == found["n"]
    assert np.trace(found["confusion"]) == (labels == predicted).sum()
    assert json.loads(json.dumps(found)) == found


def test_confidence_that_is_right_as_often_as_it_says_has_no_calibration_error() -> None:
    chances = np.array([[0.75, 0.25]] * 4)
    assert calibration_error(chances, np.array([0, 0, 0, 1])) == pytest.approx(0.0)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_temperature_that_made_the_labels_is_found(temperature: float) -> None:
    random = np.random.default_rng(0)
    logits = random.normal(scale=4.0, size=(20_000, 3))
    chances = probabilities(logits, temperature=temperature)
    labels = (random.random((20_000, 1)) > chances.cumsum(1)).sum(1).clip(max=2)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.08)


def test_few_texts_give_no_temperature() -> None:
    assert fit_temperature(np.array([[1.0, 0.0]] * 20), [0] * 20) == 1.0


def test_the_temperature_changes_no_prediction() -> None:
    logits = np.random.default_rng(0).normal(size=(50, 4))
    assert (probabilities(logits, temperature=7.0).argmax(1) == logits.argmax(1)).all()


@pytest.mark.parametrize(("chances", "labels"), [(np.zeros((0, 2)), []), (np.zeros((2, 2)), [0]), (np.zeros((1, 2)), [-1])])
def test_what_cannot_be_measured_is_refused(chances: np.ndarray, labels: list[int]) -> None:
    with pytest.raises(InputError):
        measure(chances, labels, classes=["a", "b"])
