"""What is explained, as a person names it: for the engine, and as the name that an Explanation records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from textlrp.errors import InputError

if TYPE_CHECKING:
    from textlrp import lrp

__all__ = ["Target", "engine_target", "target_names"]

#: A class by name or index, "predicted", "margin", "winner", or a pair of classes.
Target: TypeAlias = "str | int | tuple[str | int, str | int]"


def engine_target(target: Target) -> lrp.targets.Target:
    """Return what `lrp.attribute` takes: a pair of classes becomes a margin.

    >>> engine_target(("positive", "negative"))
    Margin(first='positive', second='negative')
    """
    if not isinstance(target, (tuple, list)):
        return target
    if len(target) != 2:
        raise InputError(f"a pair of classes makes a margin; {len(target)} were given")
    if target[0] == target[1]:
        raise InputError(f"a margin needs two different classes, not {target[0]!r} twice")
    from textlrp import lrp

    return lrp.Margin(*target)


def target_names(target: Target, logits: np.ndarray, classes: Sequence[object]) -> list[str]:
    """Name what was explained of each text, from its logits [B,C]: a class, or "a - b" for a margin.

    >>> target_names("margin", np.array([[0.5, 2.0]]), ["negative", "positive"])
    ['positive - negative']
    """
    names = [str(each) for each in classes]
    if isinstance(target, (tuple, list)):
        return [" - ".join(name if isinstance(name, str) else names[name] for name in target)] * len(logits)
    if target == "margin" and len(names) == 2:
        return [f"{names[1]} - {names[0]}"] * len(logits)
    if target in ("margin", "winner"):
        order = np.argsort(-logits, axis=1, kind="stable")
        return [f"{names[i]} - {names[j]}" for i, j in order[:, :2]]
    if target == "predicted":
        return [names[i] for i in logits.argmax(axis=1)]
    return [target if isinstance(target, str) else names[target]] * len(logits)
