"""The gate rules of Arras et al. 2019: who gets the relevance of a product gate * signal."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.lrp.oracles.affine import sign

NAMES = ("all", "prop", "abs", "half", "zero")


@dataclass
class Product:
    """What a product gives to its gate and to its signal, and what goes elsewhere."""

    gate: float
    signal: float
    lost: dict[str, float] = field(default_factory=dict)


def product(gates: str, z_gate: float, z_signal: float, relevance: float, epsilon: float) -> Product:
    """Share the relevance R_p of a product by the pre-activations of its gate and its signal.

    all: (0, R_p), Arras et al. 2017. prop: in proportion to z_g and z_s, Ding et al. 2017, Arjona-Medina et al. 2019.
    abs: in proportion to |z_g| and |z_s|. half: one half each. All in Arras et al. 2019, section 11.2.3.
    zero: the signal gets its half, the half of the gate goes nowhere.
    """
    if gates == "all":
        return Product(0.0, relevance)
    if gates == "half":
        return Product(0.5 * relevance, 0.5 * relevance)
    if gates == "zero":
        return Product(0.0, 0.5 * relevance, {"gates": 0.5 * relevance})
    if gates == "abs":
        z_gate, z_signal = abs(z_gate), abs(z_signal)
    elif gates != "prop":
        raise ValueError(gates)
    total = z_gate + z_signal
    denominator = total + epsilon * sign(total)
    if denominator == 0.0:
        return Product(0.0, 0.0, {"stabiliser": relevance})
    return Product(
        z_gate / denominator * relevance,
        z_signal / denominator * relevance,
        {"stabiliser": epsilon * sign(total) / denominator * relevance},
    )


def add(parts: list[float], relevance: float, epsilon: float) -> tuple[list[float], dict[str, float]]:
    """Share the relevance of a sum by the epsilon rule: R_p = p / (sum + eps sign(sum)) R. Also gives the stabiliser's part."""
    total = 0.0
    for part in parts:
        total += part
    denominator = total + epsilon * sign(total)
    if denominator == 0.0:
        return [0.0 for _ in parts], {"stabiliser": relevance}
    lost = {"stabiliser": epsilon * sign(total) / denominator * relevance}
    return [part / denominator * relevance for part in parts], lost
