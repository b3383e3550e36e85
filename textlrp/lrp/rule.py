"""What a rule is: an interface of three kinds, by what they need of a linear map.

A map has outputs z_j = Σ_i a_ij + b_j with contributions a_ij = x_i w_ji. Write a⁺ and a⁻ for the positive and negative
part of a contribution (right for signed inputs: a⁺ = x⁺w⁺ + x⁻w⁻), p_j = Σ_i a⁺_ij and n_j = Σ_i a⁻_ij. `Plain` rules share
by a_ij, `Signed` ones weigh a⁺ and a⁻ differently, `Free` ones share without regard to the activations, or not in
proportion to them. LRP-γ is of no kind: what it needs depends on the sign of each output (signed.py). The rules themselves
are in rules.py; linear.py applies them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import torch

from textlrp.errors import InputError, unknown_name
from textlrp.lrp.numbers import stabilise

__all__ = ["BIAS", "Factors", "Free", "Plain", "Rule", "Signed"]

BIAS = {
    "absorb": "the bias takes its share; it is booked in the ledger",
    "spread": "the share of the bias is given back to the inputs, each the same",
    "share": "the bias is left out: the inputs take all, in proportion to their contributions",
}


class Factors(NamedTuple):
    """What each output's relevance is multiplied with, for its positive contributions, its negative ones, and the ledger; None
    is 0."""

    positive: torch.Tensor
    negative: torch.Tensor
    stabiliser: torch.Tensor | None
    loss: torch.Tensor | None


@dataclass(frozen=True)
class Rule:
    """The interface of a rule; `epsilon` stabilises its denominators, `bias` is one of `BIAS`."""

    name: ClassVar[str]
    equation: ClassVar[str]
    shown: ClassVar[tuple[str, ...]] = ()

    epsilon: float = 1e-6
    bias: str = field(default="absorb", kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.epsilon, (int, float)) or isinstance(self.epsilon, bool) or not 0 <= self.epsilon < float("inf"):
            raise InputError(f"{type(self).__name__}: epsilon must be a number, 0 or more, not {self.epsilon!r}")
        if self.bias not in BIAS:
            raise unknown_name("treatment of the bias", self.bias, BIAS)

    def __str__(self) -> str:
        """Return the rule as a person writes it: gamma(0.25)."""
        shown = [f"{getattr(self, key):g}" if isinstance(getattr(self, key), (int, float)) else "…" for key in self.shown]
        return f"{self.name}({', '.join(shown)})" if shown else self.name


@dataclass(frozen=True)
class Plain(Rule):
    """Rules that share by the contributions themselves: R_i = Σ_j a_ij / (z_j + ε·sign z_j) R_j."""

    def denominator(self, z: torch.Tensor, b: torch.Tensor | None) -> torch.Tensor:
        """Return what R_j is divided by; `b` is the bias, shaped to go with z, where it is left out of the sharing."""
        return stabilise(z if b is None else z - b, self.epsilon)


@dataclass(frozen=True)
class Signed(Rule):
    """Rules that weigh positive and negative contributions differently: R_i = Σ_j (a⁺_ij P_j + a⁻_ij N_j) R_j."""

    def factors(self, p: torch.Tensor, n: torch.Tensor, b: torch.Tensor | None, z: torch.Tensor) -> Factors:
        """Return P_j, N_j and what the stabiliser and the rule itself lose, all per output."""
        raise NotImplementedError


@dataclass(frozen=True)
class Free(Rule):
    """Rules whose relevance is no multiple of the activation."""

    epsilon: float = 0.0
    bias: str = field(default="share", kw_only=True)
