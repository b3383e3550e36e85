"""How good a classifier is on labelled texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from textlrp.errors import DataError, unknown_name

if TYPE_CHECKING:
    from textlrp.classifier import TextClassifier

__all__ = ["evaluate", "match_labels"]


def match_labels(
    names: Sequence[str], labels: Sequence[int], classes: Sequence[Any], *, mapping: Mapping[str, str] | None = None
) -> np.ndarray:
    """Turn a data set's labels [n], indices into `names`, into indices into the model's `classes`, by name.

    `mapping` renames labels first. A label that the model has no class for is an error that lists the classes.

    >>> match_labels(["pos", "neg"], [0, 1, 1], ["neg", "pos"]).tolist()
    [1, 0, 0]
    """
    known = [str(each) for each in classes]
    mapping = dict(mapping or {})
    for label, name in mapping.items():
        if label not in names:
            raise unknown_name("label in the mapping", label, names)
        if name not in known:
            raise unknown_name("class in the mapping", name, known)
    used = {names[label] for label in set(labels) if label >= 0}
    strange = sorted(label for label in used if mapping.get(label, label) not in known)
    if strange:
        raise DataError(
            f"the model has no class for the label{'s' * (len(strange) > 1)} {', '.join(map(repr, strange))}; its classes are "
            f"{', '.join(known)}. Say which label is which class: --map {strange[0]}={known[0]}"
        )
    if min(labels, default=0) < 0:
        raise DataError("some texts have no label; choose a labelled part of the data")
    table = np.array([known.index(mapping.get(name, name)) if mapping.get(name, name) in known else -1 for name in names])
    return table[np.asarray(labels, dtype=np.int64)]


def evaluate(classifier: TextClassifier, texts: Sequence[str], labels: np.ndarray) -> dict[str, Any]:
    """Return accuracy, macro F1, expected calibration error, n and the confusion matrix (rows: labels), as plain values.

    `labels` [n] are indices into `classifier.classes_`.
    """
    from textlrp.training.metrics import measure

    classes = [str(each) for each in classifier.classes_]
    return measure(classifier.predict_proba(texts), np.asarray(labels), classes=classes)
