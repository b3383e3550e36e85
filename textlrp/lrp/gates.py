"""The gate rules: who takes the relevance of a product of a gate and a signal (Arras et al. 2019, 11.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch

from textlrp.errors import unknown_name
from textlrp.lrp.numbers import inverse, signed

__all__ = ["GATES", "Gate", "Split", "gate_rule"]

Amount = torch.Tensor | float


class Split(NamedTuple):
    """The shares of the gate and of the signal, and what is absorbed, as multiples of the product's relevance; None "
    "is nothing."""

    gate: Amount | None
    signal: Amount | None
    stabiliser: Amount | None = None
    loss: Amount | None = None


@dataclass(frozen=True)
class Gate:
    """A gate rule: its name, what it does, and the shares for the pre-activations z_g and z_s with stabiliser ε."""

    name: str
    description: str
    split: Callable[[torch.Tensor, torch.Tensor, float], Split]
    reaches_gates: bool = True  # whether gates receive any relevance
    by_value: bool = False  # whether the shares depend on z_g and z_s
    conserves: bool = True  # whether gate and signal together get all that stabilisers leave


def _all(g: torch.Tensor, s: torch.Tensor, epsilon: float) -> Split:
    return Split(None, 1.0)


def _half(g: torch.Tensor, s: torch.Tensor, epsilon: float) -> Split:
    return Split(0.5, 0.5)


def _zero(g: torch.Tensor, s: torch.Tensor, epsilon: float) -> Split:
    return Split(None, 0.5, loss=0.5)


def _prop(g: torch.Tensor, s: torch.Tensor, epsilon: float) -> Split:
    total = g + s
    stabiliser = signed(total, epsilon)  # −0 comes of two zeros only, to which nothing goes
    over = _over(total.add_(stabiliser), epsilon)
    return Split(g * over, s * over, stabiliser.mul_(over) if epsilon else (over == 0).to(over.dtype))


def _abs(g: torch.Tensor, s: torch.Tensor, epsilon: float) -> Split:
    g, s = g.abs(), s.abs()
    over = _over((g + s).add_(epsilon), epsilon)
    gate, signal = (each.mul_(over) if each.shape == over.shape else each * over for each in (g, s))
    return Split(gate, signal, over.mul_(epsilon) if epsilon else (over == 0).to(over.dtype))


def _over(total: torch.Tensor, epsilon: float) -> torch.Tensor:
    return total.reciprocal_() if epsilon else inverse(total, epsilon)


GATES: dict[str, Gate] = {
    "all": Gate("all", "the signal takes all, the gate nothing: R_s = R", _all, reaches_gates=False),
    "prop": Gate(
        "prop",
        "in proportion to the pre-activations: R_g = z_g / (z_g + z_s) R, R_s = z_s / (z_g + z_s) R",
        _prop,
        by_value=True,
    ),
    "abs": Gate(
        "abs", "in proportion to their magnitudes: R_g = |z_g| / (|z_g| + |z_s|) R, R_s = |z_s| / (…) R", _abs, by_value=True
    ),
    "half": Gate("half", "half each: R_g = R_s = R / 2", _half),
    "zero": Gate(
        "zero",
        "half to the signal, and the gate's half is booked as lost: R_s = R / 2",
        _zero,
        reaches_gates=False,
        conserves=False,
    ),
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
