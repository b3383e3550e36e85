"""How good predictions are: accuracy, F1, confusion, calibration; and the temperature that calibrates them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from textlrp.errors import InputError

__all__ = ["calibration_error", "fit_temperature", "measure"]


def measure(probabilities: np.ndarray, labels: np.ndarray | Sequence[int], *, classes: Sequence[str]) -> dict[str, Any]:
    """Return n, accuracy, f1 (mean over the classes), ece, loss, confusion (rows: truth, columns: predicted) and classes.

    `probabilities` is [n,C], `labels` [n] holds class indices. Raises InputError where there is nothing to measure.

    >>> measure(np.array([[0.9, 0.1], [0.4, 0.6]]), [0, 0], classes=["bad", "good"])["confusion"]
    [[1, 1], [0, 0]]
    """
    from sklearn.metrics import confusion_matrix, f1_score

    truth = np.asarray(labels, dtype=np.int64)
    count = len(classes)
    if not len(truth) or probabilities.shape != (len(truth), count):
        raise InputError(f"cannot measure {probabilities.shape} probabilities against {len(truth)} labels of {count} classes")
    if truth.min() < 0 or truth.max() >= count:
        raise InputError(f"labels must lie from 0 to {count - 1}; leave out texts without a label")
    predicted = probabilities.argmax(axis=1)
    present = np.unique(np.concatenate([truth, predicted]))
    likelihood = np.clip(probabilities[np.arange(len(truth)), truth], 1e-12, 1.0)
    return {
        "n": len(truth),
        "accuracy": float((predicted == truth).mean()),
        "f1": float(f1_score(truth, predicted, labels=present, average="macro", zero_division=0.0)),
        "ece": calibration_error(probabilities, truth),
        "loss": float(-np.log(likelihood).mean()),
        "confusion": confusion_matrix(truth, predicted, labels=np.arange(count)).tolist(),
        "classes": list(classes),
    }


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = 15) -> float:
    """Return the expected calibration error: Σ_b |b|/n · |accuracy(b) - confidence(b)| (Guo et al., ICML 2017).

    >>> calibration_error(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1]))
    0.5
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    error = 0.0
    for each in np.unique(which):
        inside = which == each
        error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return float(error)


def fit_temperature(logits: np.ndarray, labels: np.ndarray | Sequence[int]) -> float:
    """Return the temperature t from 0.05 to 20 that minimises the mean of -log softmax(logits / t) at the labels.

    The loss is unimodal in log t, so a golden-section search finds it; few texts give no good temperature: below 50 it is 1.
    """
    truth = np.asarray(labels, dtype=np.int64)
    if len(truth) < 50:
        return 1.0
    values = np.asarray(logits, dtype=np.float64)

    def loss(log_temperature: float) -> float:
        scaled = values / np.exp(log_temperature)
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(truth)), truth]).mean())

    low, high = np.log(0.05), np.log(20.0)
    golden = (np.sqrt(5.0) - 1.0) / 2.0
    for _ in range(40):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if loss(left) <= loss(right):
            high = right
        else:
            low = left
    return round(float(np.exp((low + high) / 2)), 4)
