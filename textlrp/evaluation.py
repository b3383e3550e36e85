"""How good a classifier is on labelled texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from textlrp.errors import InputError

if TYPE_CHECKING:
    from textlrp.classifier import TextClassifier

__all__ = ["evaluate"]


def evaluate(classifier: TextClassifier, texts: Sequence[str], labels: Sequence[int]) -> dict[str, Any]:
    """Return accuracy, macro F1, expected calibration error, n and the confusion matrix (rows: labels), as plain values.

    `labels` [n] are indices into `classifier.classes_`, as `load_reviews(spec, classes=classifier.classes_)` gives them.
    """
    from textlrp.training.metrics import measure

    numbers = np.asarray(labels, dtype=np.int64)
    classes = [str(each) for each in classifier.classes_]
    if len(numbers) != len(texts):
        raise InputError(f"{len(texts)} texts but {len(numbers)} labels; give one label a text")
    if len(numbers) == 0:
        raise InputError("there are no texts to measure on; name a data set that holds some")
    if numbers.min() < 0 or numbers.max() >= len(classes):
        raise InputError(f"labels must be indices from 0 to {len(classes) - 1}, one of {', '.join(classes)}")
    return measure(classifier.predict_proba(texts), numbers, classes=classes)
