"""A gated recurrent unit, one direction of one layer: forward in loops, and LRP backward in loops."""

from __future__ import annotations

import math

import numpy as np

from tests.lrp.oracles.affine import KEYS, Rule, book, layer, unit
from tests.lrp.oracles.gates import add, product
from tests.lrp.oracles.lstm import sigmoid
from tests.lrp.oracles.recurrent import Steps, Weights

R, Z, N = range(3)  # the order of the gates in torch.nn.GRU


def forward(p: Weights, xs: np.ndarray, h0: np.ndarray, c0: np.ndarray) -> Steps:
    """q = U_n h + b_hn; n = tanh(W_n x + b_in + r q); h' = (1 - z) n + z h (torch.nn.GRU). `m` keeps q."""
    size = len(h0)
    steps = Steps(h=[h0], c=[c0], a=[], m=[])
    for x in xs:
        h = steps.h[-1]
        from_x, from_h = np.zeros((3, size)), np.zeros((3, size))
        for gate in range(3):
            for k in range(size):
                row = gate * size + k
                from_x[gate, k] = p.b[row] + sum(p.w[row, j] * x[j] for j in range(len(x)))
                from_h[gate, k] = p.bu[row] + sum(p.u[row, j] * h[j] for j in range(size))
        a, new = from_x + from_h, np.zeros(size)
        for k in range(size):
            a[N, k] = from_x[N, k] + sigmoid(a[R, k]) * from_h[N, k]
            z = sigmoid(a[Z, k])
            new[k] = (1.0 - z) * math.tanh(a[N, k]) + z * h[k]
        steps.a.append(a)
        steps.m.append(from_h[N])
        steps.h.append(new)
        steps.c.append(c0)
    return steps


def relevance(
    p: Weights, xs: np.ndarray, steps: Steps, r_h: np.ndarray, r_hn: np.ndarray, r_cn: np.ndarray, *, rule: Rule, gates: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, float]]:
    """LRP through time: relevance of xs [T, E] and h_0, and what was lost, from the relevance of h [T, H] and h_n.

    The rules of Arras et al. 2017 and 2019 on the equations of the GRU (Cho et al. 2014, in torch's variant): h' is a sum, with
    the epsilon rule, of the products (1 - z) n and z h; 1 - z = sigmoid(-a_z), so its pre-activation is -a_z; a_n is an affine
    map over [x, r q]; r q is a product of the gate r and the signal q; q is an affine map over h.
    """
    size, width, eps = len(steps.h[0]), xs.shape[1], rule.epsilon
    lost = dict.fromkeys(KEYS, 0.0)
    r_x, from_next = np.zeros(xs.shape), r_hn.copy()
    for t in range(len(xs) - 1, -1, -1):
        x, h, a, q = xs[t], steps.h[t], steps.a[t], steps.m[t]
        steps.r_h[t] = r_h[t] + from_next
        r_out, r_a, r_q, previous = steps.r_h[t], np.zeros((3, size)), np.zeros(size), np.zeros(size)
        for k in range(size):
            r, z = sigmoid(a[R, k]), sigmoid(a[Z, k])
            (r_new, r_kept), absorbed = add([(1.0 - z) * math.tanh(a[N, k]), z * h[k]], r_out[k], eps)
            new, kept = product(gates, -a[Z, k], a[N, k], r_new, eps), product(gates, a[Z, k], h[k], r_kept, eps)
            previous[k] += kept.signal
            r_a[Z, k], r_a[N, k] = new.gate + kept.gate, new.signal
            row = N * size + k
            inner = unit(rule, np.append(x, r * q[k]), np.append(p.w[row], 1.0), p.b[row] if p.biased else None, r_a[N, k])
            r_x[t] += inner.inputs[:width]
            reset = product(gates, a[R, k], q[k], inner.inputs[width], eps)
            r_a[R, k], r_q[k] = reset.gate, reset.signal
            for part in (absorbed, new.lost, kept.lost, inner.lost, reset.lost):
                book(lost, part)
        r_previous, absorbed = layer(rule, h, p.u[N * size :], p.bu[N * size :] if p.biased else None, r_q)
        previous += r_previous
        book(lost, absorbed)
        for gate in (R, Z):
            weight, bias = p.joint(slice(gate * size, (gate + 1) * size))
            r_joint, absorbed = layer(rule, np.concatenate([x, h]), weight, bias, r_a[gate])
            r_x[t] += r_joint[:width]
            previous += r_joint[width:]
            book(lost, absorbed)
        from_next = previous
    return r_x, from_next, np.zeros(size), lost
