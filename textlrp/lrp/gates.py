"""The gate rules: who takes the relevance of a product of a gate and a signal (Arras et al. 2019, 11.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch

from textlrp.errors import unknown_name
from textlrp.lrp.numbers import sign, stabilise

__all__ = ["GATES", "Gate", "Split", "gate_rule"]


class Split(NamedTuple):
    """The shares of the gate and of the signal, and what is absorbed, as multiples of the product's relevance; None is nothing."""

    gate: torch.Tensor | float | None
    signal: torch.Tensor | float | None
    stabiliser: torch.Tensor | float | None = None
    loss: float | None = None


@dataclass(frozen=True)
class Gate:
    """A gate rule: its name, what it does, and the shares for gate g and signal s (activation values) with stabiliser ε."""

    name: str
    description: str
    split: Callable[[torch.Tensor, torch.Tensor, float], Split]

    @property
    def reaches_gates(self) -> bool:
        """Whether gates receive any relevance."""
        return self.name in ("prop", "abs", "half")


def _all(g: torch.Tensor, s: torch.Tensor, epsilon: float) -> Split:
    return Split(None, 1.0)


def _half(g: torch.Tensor, s: torch.Tensor, epsilon: float) -> Split:
    return Split(0.5, 0.5)


def _zero(g: torch.Tensor, s: torch.Tensor, epsilon: float) -> Split:
    return Split(None, None, loss=1.0)


def _prop(g: torch.Tensor, s: torch.Tensor, epsilon: float) -> Split:
    total = g + s
    stable = stabilise(total, epsilon)
    empty = stable == 0
    stable = stable.masked_fill(empty, 1.0)
    return Split(g / stable, s / stable, torch.where(empty, 1.0, epsilon * sign(total) / stable))


def _abs(g: torch.Tensor, s: torch.Tensor, epsilon: float) -> Split:
    total = g.abs() + s.abs()
    empty = total == 0
    share = torch.where(empty, 0.5, g.abs() / total.masked_fill(empty, 1.0))
    return Split(share, 1 - share)


GATES: dict[str, Gate] = {
    "all": Gate("all", "the signal takes all, the gate nothing: R_s = R", _all),
    "prop": Gate("prop", "in proportion to the activations: R_g = g / (g + s) R, R_s = s / (g + s) R", _prop),
    "abs": Gate("abs", "in proportion to the magnitudes: R_g = |g| / (|g| + |s|) R, R_s = |s| / (|g| + |s|) R", _abs),
    "half": Gate("half", "half each: R_g = R_s = R / 2", _half),
    "zero": Gate("zero", "neither: relevance ends at the product, and is booked as lost", _zero),
}


def gate_rule(name: str | Gate) -> Gate:
    """Return the gate rule called `name`.

    >>> gate_rule("all").description
    'the signal takes all, the gate nothing: R_s = R'
    """
    if isinstance(name, Gate):
        return name
    if name not in GATES:
        raise unknown_name("gate rule", name, GATES)
    return GATES[name]
