"""Every rule on one unit of an affine map: z_k = sum_j w_kj x_j + b_k."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

KEYS = ("bias", "stabiliser", "rule", "gates")


@dataclass(frozen=True)
class Rule:
    """A rule by the name of its class in `textlrp.lrp`, with the options that its constructor takes."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def epsilon(self) -> float:
        """The stabiliser, which recurrent layers also use where they add."""
        return float(self.options.get("epsilon", 0.0))

    @property
    def bias(self) -> str:
        """The treatment of biases; the rules whose published form knows no bias leave it out."""
        return str(self.options.get("bias", "share" if self.name in ("WSquare", "Flat", "ZBox") else "absorb"))


@dataclass
class Shares:
    """What one unit gives to each input, and what goes elsewhere. They sum to the unit's relevance."""

    inputs: np.ndarray  # [n]
    lost: dict[str, float] = field(default_factory=lambda: dict.fromkeys(KEYS, 0.0))


def sign(value: float) -> float:
    """The sign with sign(0) = +1 (Arras et al. 2017, section 3.1)."""
    return 1.0 if value >= 0 else -1.0


def split(q: list[float], q_bias: float, rule: Rule, relevance: float, linked: list[bool], nothing: str = "rule") -> Shares:
    """Share R_k in proportion to q: R_j = q_j / (Q + eps sign Q) R_k, Q = sum_j q_j + q_b (Bach et al. 2015, eq. 58-61).

    bias "absorb": the bias keeps q_b's share; "spread": each connected input, if any, gets an n-th; "share": Q has no q_b.
    Where there is nothing to divide by, the relevance goes to the key `nothing`.
    """
    shares = Shares(np.zeros(len(q)))
    total = 0.0 if rule.bias == "share" else q_bias
    for value in q:
        total += value
    denominator = total + rule.epsilon * sign(total)
    if denominator == 0.0:
        shares.lost[nothing] = relevance
        return shares
    for j, value in enumerate(q):
        shares.inputs[j] = value / denominator * relevance
    shares.lost["stabiliser"] = rule.epsilon * sign(total) / denominator * relevance
    of_bias = q_bias / denominator * relevance
    if rule.bias == "absorb" or (rule.bias == "spread" and not any(linked)):
        shares.lost["bias"] = of_bias
    elif rule.bias == "spread":
        for j, is_linked in enumerate(linked):
            if is_linked:
                shares.inputs[j] += of_bias / sum(linked)
    return shares


def alpha_beta(z: list[float], b: float, rule: Rule, relevance: float, linked: list[bool]) -> Shares:
    """R_j = (alpha z_j+ / (Z+ + eps) - beta z_j- / (Z- - eps)) R_k (Bach et al. 2015, eq. 60); an empty part loses."""
    alpha, beta = (1.0, 0.0) if rule.name == "ZPlus" else (rule.options["alpha"], rule.options["beta"])
    out = Shares(np.zeros(len(z)))
    for side, factor in ((1.0, alpha), (-1.0, -beta)):
        part, part_bias = [max(side * value, 0.0) for value in z], max(side * b, 0.0)
        if sum(part) + (0.0 if rule.bias == "share" else part_bias) == 0.0:
            out.lost["rule"] += factor * relevance
            continue
        shares = split(part, part_bias, rule, factor * relevance, linked)
        out.inputs += shares.inputs
        for key, value in shares.lost.items():
            out.lost[key] += value
    return out


def unit(
    rule: Rule, x: np.ndarray, w: np.ndarray, bias: float | None, relevance: float, linked: list[bool] | None = None
) -> Shares:
    """Give the relevance of one unit, which may have no bias, to its inputs by `rule`.

    Zero, Epsilon: Bach et al. 2015, eq. 58 and 61. AlphaBeta, ZPlus: eq. 60 there.
    Gamma: Montavon et al. 2019, section 10.2.1; for signed inputs and outputs as Andeol et al. 2021.
    WSquare, ZBox: Montavon et al. 2017, eq. 11 and 14. Flat: Lapuschkin et al. 2019.
    """
    n = len(x)
    linked = [True] * n if linked is None else linked
    z = [float(w[j] * x[j]) if linked[j] else 0.0 for j in range(n)]
    b = 0.0 if bias is None else float(bias)
    if rule.name in ("Zero", "Epsilon"):
        return split(z, b, rule, relevance, linked, nothing="stabiliser")
    if rule.name == "Gamma":
        gamma, better = rule.options["gamma"], max if sum(z) + b >= 0 else min
        return split([v + gamma * better(v, 0.0) for v in z], b + gamma * better(b, 0.0), rule, relevance, linked)
    if rule.name in ("AlphaBeta", "ZPlus"):
        return alpha_beta(z, b, rule, relevance, linked)
    if rule.name == "WSquare":
        return split([w[j] ** 2 if linked[j] else 0.0 for j in range(n)], b**2, rule, relevance, linked)
    if rule.name == "Flat":
        return split([1.0 if linked[j] else 0.0 for j in range(n)], 0.0 if bias is None else 1.0, rule, relevance, linked)
    if rule.name == "ZBox":
        low, high = np.broadcast_to(rule.options["low"], n), np.broadcast_to(rule.options["high"], n)
        q = [z[j] - low[j] * max(w[j], 0.0) - high[j] * min(w[j], 0.0) if linked[j] else 0.0 for j in range(n)]
        return split(q, b, rule, relevance, linked)
    raise ValueError(rule.name)


def layer(
    rule: Rule, x: np.ndarray, w: np.ndarray, b: np.ndarray | None, relevance: np.ndarray, linked: np.ndarray | None = None
) -> tuple[np.ndarray, dict[str, float]]:
    """Give the relevance [m] of all units of an affine map to its inputs [n]; and what went elsewhere."""
    out, lost = np.zeros(len(x)), dict.fromkeys(KEYS, 0.0)
    for k in range(len(w)):
        bias = None if b is None else float(b[k])
        shares = unit(rule, x, w[k], bias, float(relevance[k]), None if linked is None else list(linked[k]))
        out += shares.inputs
        book(lost, shares.lost)
    return out, lost


def book(ledger: dict[str, float], lost: dict[str, float]) -> None:
    """Add what was lost to a ledger."""
    for key, value in lost.items():
        ledger[key] += float(value)
