"""Deep Taylor decomposition: for one ReLU neuron, each rule is the first-order expansion at the rule's root point."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from tests.lrp.oracles.affine import Rule
from tests.lrp.oracles.compare import Reader, engine_rule
from textlrp import lrp

Root = Callable[[np.ndarray, np.ndarray, float], np.ndarray]
LOW, HIGH, GAMMA, ALPHA, BETA, EPSILON = -3.0, 4.0, 0.5, 2.0, 1.0, 0.3


def _epsilon(x: np.ndarray, w: np.ndarray, z: float) -> np.ndarray:
    return x * EPSILON / (z + EPSILON)


def _along(direction: np.ndarray, x: np.ndarray, w: np.ndarray, z: float) -> np.ndarray:
    return x - direction * z / (w @ direction)


def _alpha_beta(x: np.ndarray, w: np.ndarray, z: float) -> np.ndarray:
    part = w * x
    up, down = part[part > 0].sum(), part[part < 0].sum()
    return x - x * z * np.where(part > 0, ALPHA / up, -BETA / down)


ROOTS: dict[str, tuple[Rule, Root]] = {
    "zero": (Rule("Zero", {"bias": "share"}), lambda x, w, z: _along(x, x, w, z)),
    "gamma": (
        Rule("Gamma", {"gamma": GAMMA, "epsilon": 0.0, "bias": "share"}),
        lambda x, w, z: _along(x * (1 + GAMMA * (w * x > 0)), x, w, z),
    ),
    "alpha-beta": (Rule("AlphaBeta", {"alpha": ALPHA, "beta": BETA, "epsilon": 0.0, "bias": "share"}), _alpha_beta),
    "z-plus": (Rule("ZPlus", {"epsilon": 0.0, "bias": "share"}), lambda x, w, z: _along(x * (w * x > 0), x, w, z)),
    "w-square": (Rule("WSquare"), lambda x, w, z: _along(w, x, w, z)),
    "flat": (Rule("Flat"), lambda x, w, z: _along(1 / w, x, w, z)),
    "z-box": (
        Rule("ZBox", {"low": LOW, "high": HIGH, "epsilon": 0.0}),
        lambda x, w, z: _along(x - np.where(w > 0, LOW, HIGH), x, w, z),
    ),
}


def _neurons(bias: bool) -> list[tuple[np.ndarray, np.ndarray, float]]:
    random, found = np.random.default_rng(3), []
    while len(found) < 12:
        x, w, b = random.uniform(LOW, HIGH, size=4), random.normal(size=4), float(random.normal()) if bias else 0.0
        if w @ x + b > 0.1 and abs(w @ x) > 0.1 and (w * x > 0).any() and (w * x < 0).any():
            found.append((x, w, b))
    return found


def _relevance(x: np.ndarray, w: np.ndarray, b: float, rule: Rule) -> tuple[np.ndarray, float]:
    neuron = torch.nn.Sequential(torch.nn.Linear(4, 1), torch.nn.ReLU()).double()
    neuron[0].weight.data[0], neuron[0].bias.data[0] = torch.from_numpy(w), b
    ids, lengths = torch.arange(4)[None], torch.tensor([4])
    model = Reader(torch.from_numpy(x)[:, None], neuron, lambda inner, x, lengths: inner(x.squeeze(-1)), ids, lengths)
    model.readout.fill_(1.0)
    found = lrp.attribute(model, ids, lengths, target=0, composite=lrp.Composite(default=engine_rule(rule)))
    return found.tokens[0].numpy(), float(found.ledger["stabiliser"][0])


def _taylor(x: np.ndarray, w: np.ndarray, b: float, at: np.ndarray) -> np.ndarray:
    """The first-order terms of relu(w x + b) at a point, by autograd on the active side of the kink."""
    point = torch.from_numpy(at + 1e-6 * (x - at)).requires_grad_()
    (slope,) = torch.autograd.grad(torch.relu(torch.from_numpy(w) @ point + b), point)
    return slope.numpy() * (x - at)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", ROOTS)
def test_relevance_is_the_first_order_expansion_at_the_root_point(name: str, bias: bool) -> None:
    rule, root = ROOTS[name]
    for x, w, b in _neurons(bias):
        at = root(x, w, w @ x + b)
        assert abs(w @ at + b) < 1e-9, "not a root point"
        np.testing.assert_allclose(_relevance(x, w, b, rule)[0], _taylor(x, w, b, at), rtol=1e-9, atol=1e-9)


def test_epsilon_expands_at_a_point_short_of_the_root_whose_value_the_stabiliser_keeps() -> None:
    for x, w, b in _neurons(bias=False):
        at = _epsilon(x, w, w @ x + b)
        words, stabiliser = _relevance(x, w, b, Rule("Epsilon", {"epsilon": EPSILON}))
        np.testing.assert_allclose(words, _taylor(x, w, b, at), rtol=1e-9)
        assert stabiliser == pytest.approx(w @ at)


def test_the_root_point_of_the_box_lies_in_the_box() -> None:
    for x, w, b in _neurons(bias=False):
        at = ROOTS["z-box"][1](x, w, w @ x + b)
        assert (at >= LOW - 1e-9).all()
        assert (at <= HIGH + 1e-9).all()
