"""An Elman network, one direction of one layer: forward in loops, and LRP backward in loops."""

from __future__ import annotations

import math

import numpy as np

from tests.lrp.oracles.affine import KEYS, Rule, book, layer
from tests.lrp.oracles.recurrent import Steps, Weights


def forward(p: Weights, xs: np.ndarray, h0: np.ndarray, c0: np.ndarray) -> Steps:
    """h_t = tanh(W x_t + U h_{t-1} + b), or max(0, .) (torch.nn.RNN)."""
    steps = Steps(h=[h0], c=[c0], a=[], m=[])
    for x in xs:
        h = steps.h[-1]
        a = np.zeros(len(h))
        for k in range(len(h)):
            a[k] = p.b[k] + p.bu[k]
            for j in range(len(x)):
                a[k] += p.w[k, j] * x[j]
            for j in range(len(h)):
                a[k] += p.u[k, j] * h[j]
        steps.a.append(a)
        steps.h.append(np.array([max(0.0, v) if p.relu else math.tanh(v) for v in a]))
        steps.c.append(c0)
    return steps


def relevance(
    p: Weights, xs: np.ndarray, steps: Steps, r_h: np.ndarray, r_hn: np.ndarray, r_cn: np.ndarray, *, rule: Rule, gates: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, float]]:
    """LRP through time: the non-linearity passes relevance; the pre-activation is one affine map over [x_t, h_{t-1}]."""
    lost = dict.fromkeys(KEYS, 0.0)
    r_x, from_next, width = np.zeros(xs.shape), r_hn.copy(), xs.shape[1]
    for t in range(len(xs) - 1, -1, -1):
        weight, bias = p.joint()
        r_joint, absorbed = layer(rule, np.concatenate([xs[t], steps.h[t]]), weight, bias, r_h[t] + from_next)
        r_x[t], from_next = r_joint[:width], r_joint[width:]
        book(lost, absorbed)
    return r_x, from_next, np.zeros(len(from_next)), lost
