"""Directions and layers around a recurrent cell: what torch.nn.LSTM, GRU and RNN do with `num_layers` and `bidirectional`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from tests.lrp.oracles.affine import KEYS, Rule, book


@dataclass
class Weights:
    """One direction of one layer: input weights w and b, recurrent weights u and bu, and the projection of an LSTM."""

    w: np.ndarray
    u: np.ndarray
    b: np.ndarray
    bu: np.ndarray
    proj: np.ndarray | None = None
    relu: bool = False
    biased: bool = True

    def joint(self, rows: slice = slice(None)) -> tuple[np.ndarray, np.ndarray | None]:
        """The weights and the bias of some rows as one map over [x, h]."""
        return np.concatenate([self.w, self.u], axis=1)[rows], (self.b + self.bu)[rows] if self.biased else None

    @staticmethod
    def of(module: Any, layer: int, reverse: bool) -> Weights:
        """Read them off a torch module, as float64."""
        suffix = f"_l{layer}" + ("_reverse" if reverse else "")

        def get(name: str) -> np.ndarray:
            return np.asarray(getattr(module, name + suffix).detach().double().numpy())

        rows = get("weight_hh").shape[0]
        return Weights(
            w=get("weight_ih"),
            u=get("weight_hh"),
            b=get("bias_ih") if module.bias else np.zeros(rows),
            bu=get("bias_hh") if module.bias else np.zeros(rows),
            proj=get("weight_hr") if module.proj_size else None,
            biased=module.bias,
            relu=getattr(module, "nonlinearity", "tanh") == "relu",
        )


@dataclass
class Steps:
    """What the forward pass saw: h and c with the initial state first, pre-activations a, and m (LSTM) or q (GRU)."""

    h: list[np.ndarray]
    c: list[np.ndarray]
    a: list[np.ndarray]
    m: list[np.ndarray]
    r_h: dict[int, np.ndarray] = field(default_factory=dict)  # step -> relevance of h and c, once LRP has passed
    r_c: dict[int, np.ndarray] = field(default_factory=dict)


@dataclass
class Result:
    """Relevance of the inputs [T, E], of the initial states [layers * directions, .], and what was absorbed."""

    x: np.ndarray
    h0: np.ndarray
    c0: np.ndarray
    lost: dict[str, float] = field(default_factory=dict)


@dataclass
class Stack:
    """A forward pass through all layers and directions of one sequence, ready for LRP."""

    cell: ModuleType
    weights: list[list[Weights]]
    inputs: list[np.ndarray]
    steps: list[list[Steps]]

    @property
    def output(self) -> np.ndarray:
        """The outputs of the last layer [T, directions * H]."""
        return _outputs(self.steps[-1])

    @property
    def states(self) -> tuple[np.ndarray, np.ndarray]:
        """The last h and c of every layer and direction, in torch's order."""
        flat = [s for layer in self.steps for s in layer]
        return np.stack([s.h[-1] for s in flat]), np.stack([s.c[-1] for s in flat])

    def relevance(
        self, r: np.ndarray, r_hn: np.ndarray | None = None, r_cn: np.ndarray | None = None, *, rule: Rule, gates: str = "all"
    ) -> Result:
        """Relevance of the inputs from that of the outputs r [T, directions * H] and of the last states."""
        h_n, c_n = self.states
        r_hn = np.zeros(h_n.shape) if r_hn is None else r_hn
        r_cn = np.zeros(c_n.shape) if r_cn is None else r_cn
        r_h0, r_c0 = np.zeros(h_n.shape), np.zeros(c_n.shape)
        lost = dict.fromkeys(KEYS, 0.0)
        for level in range(len(self.weights) - 1, -1, -1):
            xs, below = self.inputs[level], np.zeros(self.inputs[level].shape)
            directions, width = len(self.weights[level]), r.shape[1] // len(self.weights[level])
            for d in range(directions):
                state, part = level * directions + d, r[:, d * width : (d + 1) * width]
                turn = slice(None, None, -1) if d else slice(None)
                r_x, r_h0[state], r_c0[state], absorbed = self.cell.relevance(
                    self.weights[level][d],
                    xs[turn],
                    self.steps[level][d],
                    part[turn],
                    r_hn[state],
                    r_cn[state],
                    rule=rule,
                    gates=gates,
                )
                below += r_x[turn]
                book(lost, absorbed)
            r = below
        return Result(r, r_h0, r_c0, lost)


def _outputs(layer: Iterable[Steps]) -> np.ndarray:
    forward, *backward = layer
    return np.concatenate([np.stack(forward.h[1:])] + [np.stack(s.h[1:])[::-1] for s in backward], axis=1)


def run(module: Any, cell: ModuleType, xs: np.ndarray, h0: np.ndarray | None = None, c0: np.ndarray | None = None) -> Stack:
    """Run one sequence xs [T, E] through a torch recurrent module's weights with the loops of `cell`."""
    directions = 2 if module.bidirectional else 1
    count, size = module.num_layers * directions, module.hidden_size
    h0 = np.zeros((count, module.proj_size or size)) if h0 is None else h0
    c0 = np.zeros((count, size)) if c0 is None else c0
    stack = Stack(cell, [], [], [])
    for level in range(module.num_layers):
        weights = [Weights.of(module, level, bool(d)) for d in range(directions)]
        steps = [
            cell.forward(weights[d], xs[::-1] if d else xs, h0[level * directions + d], c0[level * directions + d])
            for d in range(directions)
        ]
        stack.weights.append(weights)
        stack.inputs.append(xs)
        stack.steps.append(steps)
        xs = _outputs(steps)
    return stack
