"""What is explained: a class by name or index, the predicted class, or a margin, as weights over the logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from textlrp.errors import InputError, unknown_name

__all__ = ["Target", "resolve"]

Target: TypeAlias = "str | int | tuple[str | int, str | int]"


def _index(name: str | int, classes: Sequence[object]) -> int:
    if isinstance(name, (int, np.integer)) and not isinstance(name, bool):
        if not -len(classes) <= name < len(classes):
            raise InputError(
                f"there is no class {name}; the {len(classes)} classes are 0 to {len(classes) - 1}: {_listed(classes)}"
            )
        return int(name) % len(classes)
    names = [str(each) for each in classes]
    if str(name) in names:
        return names.index(str(name))
    raise unknown_name("target", name, [*names, "predicted", "margin"])


def _listed(classes: Sequence[object]) -> str:
    return ", ".join(str(each) for each in classes)


def resolve(target: Target, logits: np.ndarray, classes: Sequence[object]) -> tuple[np.ndarray, list[str]]:
    """Turn a target into weights over the logits, a row a text, and a name a text.

    `"predicted"` is the winner's logit; `"margin"` is, of two classes, the second minus the first (positive minus negative),
    of more, the winner minus the best other; a class name or index is that class's logit; a pair (a, b) is a's logit minus
    b's. The explained score of a text is the sum over classes of weight × logit. `logits` and weights are [B,C].

    >>> weights, names = resolve("margin", np.array([[0.5, 2.0]]), ["negative", "positive"])
    >>> weights.tolist(), names
    ([[-1.0, 1.0]], ['positive - negative'])
    """
    rows, count = logits.shape
    weights = np.zeros((rows, count))
    everything = np.arange(rows)
    if isinstance(target, (tuple, list)):
        if len(target) != 2:
            raise InputError(f"a pair of classes is needed for a margin, not {len(target)} of them")
        plus, minus = (np.full(rows, _index(each, classes)) for each in target)
        if (plus == minus).any():
            raise InputError(f"a margin needs two different classes, not {target[0]!r} twice")
    elif target == "margin" and count == 2:
        plus, minus = np.ones(rows, dtype=int), np.zeros(rows, dtype=int)
    elif target == "margin":
        ranked = np.argsort(-logits, axis=1, kind="stable")
        plus, minus = ranked[:, 0], ranked[:, 1]
    else:
        single = logits.argmax(axis=1) if target == "predicted" else np.full(rows, _index(target, classes))
        weights[everything, single] = 1.0
        return weights, [str(classes[i]) for i in single]
    weights[everything, plus] = 1.0
    weights[everything, minus] = -1.0
    return weights, [f"{classes[i]} - {classes[j]}" for i, j in zip(plus, minus, strict=True)]
