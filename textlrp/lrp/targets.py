"""Targets: which number of the model's output is explained, and with what relevance the walk back starts."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from textlrp.errors import InputError, unknown_name

__all__ = ["TARGETS", "Margin", "Relevance", "Start", "Target", "Weights", "start"]

TARGETS = {
    "predicted": "the logit of the class with the largest logit",
    "margin": "of two classes, the logit of the second minus that of the first; of more, the same as 'winner'",
    "winner": "the logit of the predicted class minus the largest of the others",
}


@dataclass(frozen=True)
class Margin:
    """The difference between the logits of two classes, given by index or name: `Margin("positive", "negative")`."""

    first: int | str
    second: int | str


@dataclass(frozen=True, eq=False)
class Weights:
    """Any weighted sum of logits: weights [C] or [B, C]."""

    weights: torch.Tensor | Sequence[float]


@dataclass(frozen=True, eq=False)
class Relevance:
    """Given relevance at the output, in the shape of the logits: it is shared out as it is."""

    relevance: torch.Tensor


Target = str | int | Margin | Weights | Relevance | torch.Tensor | Sequence[int | str] | Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Start:
    """Where relevance starts: as a carry (weights of the logits) or as relevance proper; `score` [B] is what is explained."""

    c: torch.Tensor | None
    r: torch.Tensor | None
    score: torch.Tensor


def start(target: Target, logits: torch.Tensor, classes: Sequence[str] | None = None) -> Start:
    """Return the start for `target`, one for all texts or one for each.

    >>> start("margin", torch.tensor([[1.0, 3.0]])).score.tolist()
    [2.0]
    """
    if logits.dim() == 1:
        found = _weights(target, logits[:, None], classes)
        if isinstance(found, Start) and found.r is not None:
            return Start(None, found.r[:, 0], found.r[:, 0])
        weights = found.c if isinstance(found, Start) else found
        assert weights is not None
        return Start(weights[:, 0], None, weights[:, 0] * logits)
    found = _weights(target, logits, classes)
    if isinstance(found, Start):
        return found
    return Start(found, None, torch.where(found == 0, 0.0, found * logits).flatten(1).sum(1))


def _weights(target: Target, logits: torch.Tensor, classes: Sequence[str] | None) -> torch.Tensor | Start:
    if callable(target):
        target = Weights(target(logits))
    if isinstance(target, Relevance):
        given = target.relevance.to(logits)
        if given.shape != logits.shape and (given.shape != logits.shape[:1] or logits.shape[1:] != (1,)):
            raise InputError(
                f"target: the given relevance must have the shape of the output {tuple(logits.shape)}, not {tuple(given.shape)}"
            )
        given = given.reshape(logits.shape)
        return Start(None, given, given.flatten(1).sum(1))
    if isinstance(target, Weights):
        weights = torch.as_tensor(target.weights).to(logits)
        if weights.shape not in (logits.shape, logits.shape[1:]):
            raise InputError(f"target: weights must be [{logits.shape[1]}] or {list(logits.shape)}, not {list(weights.shape)}")
        return weights.expand(logits.shape).clone()
    if logits.dim() != 2:
        raise InputError(f"target: the output has shape {tuple(logits.shape)}, not [B, C]; use lrp.Weights or lrp.Relevance")
    count = logits.shape[1]
    if isinstance(target, Margin):
        ones = torch.ones_like(logits[:, :1])
        first, second = (_index(each, count, classes) for each in (target.first, target.second))
        return torch.zeros_like(logits).index_add_(1, _at([first], logits), ones).index_add_(1, _at([second], logits), -ones)
    if isinstance(target, str) and target in TARGETS and (classes is None or target not in classes):
        if target == "predicted":
            return _one(logits, logits.argmax(1, keepdim=True))
        if count == 1:
            raise InputError(f"target {target!r} needs at least two classes; the output has one")
        if target == "margin" and count == 2:
            return torch.tensor([-1.0, 1.0]).to(logits).expand(logits.shape).clone()
        best = logits.topk(2, 1).indices
        return torch.zeros_like(logits).scatter_(1, best[:, :1], 1.0).scatter_(1, best[:, 1:], -1.0)
    one = isinstance(target, torch.Tensor) and target.dim() == 0
    if one or isinstance(target, (str, int, float)) or not hasattr(target, "__len__"):  # an integer of NumPy, too
        return _one(logits, _index(target, count, classes))
    elif isinstance(target, torch.Tensor) and target.is_floating_point():
        return _weights(Weights(target), logits, classes)
    else:
        each: list[Any] = target.tolist() if isinstance(target, torch.Tensor) else list(target)
        if len(each) != len(logits):
            raise InputError(f"target: {len(each)} targets for {len(logits)} texts")
        indices = [_index(one, count, classes) for one in each]
    return torch.zeros_like(logits).scatter_(1, _at(indices, logits)[:, None], 1.0)


@lru_cache(maxsize=64)
def _row(at: int, count: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Return 1 for one class, and 0 for the others: [C], not to be written into."""
    row = torch.zeros(count, dtype=dtype)
    row[at] = 1.0
    return row.to(device)


def _one(logits: torch.Tensor, at: int | torch.Tensor) -> Start:
    """Start with the logit of one class, or of one for each text, [B, 1]."""
    if isinstance(at, int):
        row = _row(at, logits.shape[1], logits.dtype, logits.device)
        return Start(torch.empty_like(logits).copy_(row), None, logits.select(1, at).clone())
    weights = torch.zeros_like(logits)
    return Start(weights.scatter_(1, at, 1.0), None, logits.gather(1, at)[:, 0])


def _at(indices: list[int], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(indices, device=like.device)


def _index(target: Any, count: int, classes: Sequence[str] | None) -> int:
    if isinstance(target, str):
        if classes is None:
            raise unknown_name("target", target, [*TARGETS, "a class index", "(class names need classes=[…])"])
        if target not in classes:
            raise unknown_name("target", target, [*classes, *TARGETS])
        target = list(classes).index(target)
    try:
        if isinstance(target, bool):
            raise TypeError
        target = operator.index(target)
    except TypeError:
        raise InputError(f"target: a class must be an index or a name, not {target!r}") from None
    if not -count <= target < count:
        raise InputError(f"target: class {target} is not among the {count} classes, 0 to {count - 1}")
    return target % count
