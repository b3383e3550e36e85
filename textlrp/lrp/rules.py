"""The rules: how the relevance of a linear map's outputs is shared among its inputs. Notation as in rule.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch

from textlrp.errors import InputError
from textlrp.lrp.numbers import where_positive
from textlrp.lrp.rule import Factors, Free, Plain, Rule, Signed

__all__ = ["RULES", "AlphaBeta", "Epsilon", "Flat", "Gamma", "WSquare", "ZBox", "ZPlus", "Zero"]


@dataclass(frozen=True)
class Zero(Plain):
    """LRP-0 (also LRP-z): relevance in proportion to the contributions.

    R_i = Σ_j a_ij / z_j · R_j (Bach et al. 2015, eq. 48–56; Montavon et al. 2019, 10.2.1). Deep Taylor decomposition: the
    expansion of a ReLU neuron at the root point x̃ = 0 (with b = 0); the same as gradient × input in a ReLU network.

    >>> Zero().name
    'zero'
    """

    name: ClassVar[str] = "zero"
    equation: ClassVar[str] = "R_i = Σ_j a_ij / z_j R_j"
    epsilon: float = field(default=0.0, init=False)


@dataclass(frozen=True)
class Epsilon(Plain):
    """LRP-ε: as LRP-0, with a stabiliser that absorbs what weak or contradictory contributions would blow up.

    R_i = Σ_j a_ij / (z_j + ε·sign z_j) · R_j, sign(0) = +1 (Bach et al. 2015, eq. 58; Arras et al. 2017). Deep Taylor
    decomposition: root point x̃ = x · ε / (z + ε) on the line to the origin: the larger ε, the nearer it is to x.

    >>> Epsilon(0.001)
    Epsilon(epsilon=0.001, bias='absorb')
    """

    name: ClassVar[str] = "epsilon"
    equation: ClassVar[str] = "R_i = Σ_j a_ij / (z_j + ε·sign z_j) R_j"
    shown: ClassVar[tuple[str, ...]] = ("epsilon",)
    epsilon: float = 1e-6


@dataclass(frozen=True)
class Gamma(Rule):
    """LRP-γ: contributions that agree with the sign of the output count 1 + γ times.

    For z_j ≥ 0: R_i = Σ_j (a_ij + γ a⁺_ij) / (Σ_i (a_ij + γ a⁺_ij) + b_j + γ b⁺_j) · R_j, for z_j < 0 with a⁻ and b⁻ instead
    (Montavon et al. 2019, 10.2.3 for ReLU networks; for signed inputs and outputs as Andéol et al. 2021). Deep Taylor
    decomposition: root point on the line x̃ = x − t · x ⊙ (1 + γ·1[w > 0]), between LRP-0 (γ = 0) and z⁺ (γ → ∞).

    >>> Gamma(0.25).gamma
    0.25
    """

    name: ClassVar[str] = "gamma"
    equation: ClassVar[str] = "R_i = Σ_j (a_ij + γ a⁺_ij) / Σ_i (a_ij + γ a⁺_ij) R_j   (a⁻ where z_j < 0)"
    shown: ClassVar[tuple[str, ...]] = ("gamma",)
    gamma: float = field(default=0.25)
    epsilon: float = field(default=1e-6, kw_only=True)

    def __init__(self, gamma: float = 0.25, *, epsilon: float = 1e-6, bias: str = "absorb") -> None:
        object.__setattr__(self, "gamma", gamma)
        object.__setattr__(self, "epsilon", epsilon)
        object.__setattr__(self, "bias", bias)
        self.__post_init__()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.gamma, (int, float)) or not 0 <= self.gamma < float("inf"):
            raise InputError(f"Gamma: gamma must be a number, 0 or more, not {self.gamma!r}")


@dataclass(frozen=True)
class AlphaBeta(Signed):
    """LRP-αβ: positive and negative contributions are shared out apart, weighted α and −β, with α − β = 1.

    R_i = Σ_j (α a⁺_ij / (p_j + b⁺_j + ε) − β a⁻_ij / (n_j + b⁻_j − ε)) · R_j (Bach et al. 2015, eq. 60). Where an output has no
    positive (negative) contribution at all, α R_j (−β R_j) finds no taker and is booked under "rule". Deep Taylor
    decomposition: for α = 1, β = 0 and x ≥ 0 the root point lies on x̃ = x − t · x ⊙ 1[w > 0]; other α have none.

    >>> AlphaBeta(2.0, 1.0).alpha
    2.0
    """

    name: ClassVar[str] = "alpha-beta"
    equation: ClassVar[str] = "R_i = Σ_j (α a⁺_ij / Σ_i a⁺_ij − β a⁻_ij / Σ_i a⁻_ij) R_j"
    shown: ClassVar[tuple[str, ...]] = ("alpha", "beta")
    alpha: float = 2.0
    beta: float = 1.0

    def __init__(self, alpha: float = 2.0, beta: float = 1.0, *, epsilon: float = 1e-6, bias: str = "absorb") -> None:
        object.__setattr__(self, "alpha", alpha)
        object.__setattr__(self, "beta", beta)
        object.__setattr__(self, "epsilon", epsilon)
        object.__setattr__(self, "bias", bias)
        self.__post_init__()

    def __post_init__(self) -> None:
        super().__post_init__()
        numbers = isinstance(self.alpha, (int, float)) and isinstance(self.beta, (int, float))
        if not (numbers and self.alpha >= 1 and self.beta >= 0 and abs(self.alpha - self.beta - 1) < 1e-9):
            raise InputError(
                f"AlphaBeta: alpha − beta must be 1 and beta 0 or more, not alpha={self.alpha!r}, beta={self.beta!r}"
            )

    def factors(self, p: torch.Tensor, n: torch.Tensor, b: torch.Tensor | None, z: torch.Tensor) -> Factors:
        """Return P = α / (p + b⁺ + ε) and N = −β / (n + b⁻ − ε)."""
        if b is not None:
            p, n = p + b.clamp(min=0), n + b.clamp(max=0)
        positive = where_positive(self.alpha / (p + self.epsilon), p)
        negative = where_positive(-self.beta / (n - self.epsilon), -n)
        no_p, no_n = torch.le(p, 0.0, out=torch.empty_like(p)), torch.ge(n, 0.0, out=torch.empty_like(n))
        loss = no_p.mul_(self.alpha).sub_(no_n, alpha=self.beta)
        return Factors(positive, negative, (positive - negative).mul_(self.epsilon) if self.epsilon else None, loss)


@dataclass(frozen=True)
class ZPlus(AlphaBeta):
    """LRP-z⁺: only positive contributions count: αβ with α = 1, β = 0.

    R_i = Σ_j a⁺_ij / (p_j + b⁺_j + ε) · R_j (Montavon et al. 2017, eq. 17). Deep Taylor decomposition: root point on
    x̃ = x − t · x ⊙ 1[w > 0], inside the domain x ≥ 0.

    >>> ZPlus().alpha, ZPlus().beta
    (1.0, 0.0)
    """

    name: ClassVar[str] = "z-plus"
    equation: ClassVar[str] = "R_i = Σ_j a⁺_ij / Σ_i a⁺_ij R_j"
    shown: ClassVar[tuple[str, ...]] = ()

    def __init__(self, epsilon: float = 1e-6, *, bias: str = "absorb") -> None:
        super().__init__(1.0, 0.0, epsilon=epsilon, bias=bias)


@dataclass(frozen=True)
class WSquare(Free):
    """LRP-w²: relevance by the squared weights, whatever the input was; for a first layer with unbounded inputs.

    R_i = Σ_j w_ji² / Σ_i w_ji² · R_j (Montavon et al. 2017, eq. 12). Deep Taylor decomposition: the root point nearest to x in
    the Euclidean sense, x̃ = x − t · w.

    >>> WSquare().bias
    'share'
    """

    name: ClassVar[str] = "w-square"
    equation: ClassVar[str] = "R_i = Σ_j w_ji² / Σ_i w_ji² R_j"


@dataclass(frozen=True)
class Flat(Free):
    """LRP-flat: every input of a neuron takes the same; for a first layer, to show where rather than which feature.

    R_i = Σ_j R_j / N_j with N_j inputs (Lapuschkin et al. 2019). Deep Taylor decomposition: the w² rule for weights that are
    all equal, root point x̃ = x − t · 1.

    >>> Flat().name
    'flat'
    """

    name: ClassVar[str] = "flat"
    equation: ClassVar[str] = "R_i = Σ_j R_j / N"


@dataclass(frozen=True)
class ZBox(Free):
    """LRP-zᴮ: for a first layer whose inputs lie in a box low ≤ x ≤ high.

    R_i = Σ_j (a_ij − l_i w⁺_ji − h_i w⁻_ji) / Σ_i (a_ij − l_i w⁺_ji − h_i w⁻_ji) · R_j (Montavon et al. 2017, eq. 19). Deep
    Taylor decomposition: root point on x̃ = x − t · (x − l ⊙ 1[w > 0] − h ⊙ 1[w < 0]), inside the box. `low` and `high` are
    numbers, or tensors that broadcast against the input.

    >>> ZBox(-1.0, 1.0).high
    1.0
    """

    name: ClassVar[str] = "z-box"
    equation: ClassVar[str] = "R_i = Σ_j (a_ij − l_i w⁺_ji − h_i w⁻_ji) / Σ_i (…) R_j"
    shown: ClassVar[tuple[str, ...]] = ("low", "high")
    low: float | torch.Tensor = -1.0
    high: float | torch.Tensor = 1.0

    def __init__(
        self,
        low: float | torch.Tensor = -1.0,
        high: float | torch.Tensor = 1.0,
        *,
        epsilon: float = 1e-6,
        bias: str = "share",
    ) -> None:
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        object.__setattr__(self, "epsilon", epsilon)
        object.__setattr__(self, "bias", bias)
        self.__post_init__()

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool((torch.as_tensor(self.low) > torch.as_tensor(self.high)).any()):
            raise InputError(f"ZBox: low must not be above high, not low={self.low!r}, high={self.high!r}")


RULES: dict[str, type[Rule]] = {
    "zero": Zero,
    "epsilon": Epsilon,
    "gamma": Gamma,
    "alpha-beta": AlphaBeta,
    "z-plus": ZPlus,
    "w-square": WSquare,
    "flat": Flat,
    "z-box": ZBox,
}
