"""A long short-term memory, one direction of one layer: forward in loops, and LRP backward in loops."""

from __future__ import annotations

import math

import numpy as np

from tests.lrp.oracles.affine import KEYS, Rule, book, layer
from tests.lrp.oracles.gates import add, product
from tests.lrp.oracles.recurrent import Steps, Weights

I, F, G, O = range(4)  # noqa: E741  the order of the gates in torch.nn.LSTM


def sigmoid(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value))


def forward(p: Weights, xs: np.ndarray, h0: np.ndarray, c0: np.ndarray) -> Steps:
    """a = W x_t + U h_{t-1} + b; c_t = f c_{t-1} + i g; m_t = o tanh(c_t); h_t = m_t, or W_hr m_t (torch.nn.LSTM)."""
    size = p.u.shape[0] // 4
    steps = Steps(h=[h0], c=[c0], a=[], m=[])
    for x in xs:
        h, c = steps.h[-1], steps.c[-1]
        a = np.zeros((4, size))
        for gate in range(4):
            for k in range(size):
                row = gate * size + k
                a[gate, k] = p.b[row] + p.bu[row]
                for j in range(len(x)):
                    a[gate, k] += p.w[row, j] * x[j]
                for j in range(len(h)):
                    a[gate, k] += p.u[row, j] * h[j]
        new_c, m = np.zeros(size), np.zeros(size)
        for k in range(size):
            new_c[k] = sigmoid(a[F, k]) * c[k] + sigmoid(a[I, k]) * math.tanh(a[G, k])
            m[k] = sigmoid(a[O, k]) * math.tanh(new_c[k])
        steps.a.append(a)
        steps.m.append(m)
        steps.c.append(new_c)
        steps.h.append(m if p.proj is None else p.proj @ m)
    return steps


def relevance(
    p: Weights, xs: np.ndarray, steps: Steps, r_h: np.ndarray, r_hn: np.ndarray, r_cn: np.ndarray, *, rule: Rule, gates: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, float]]:
    """LRP through time: relevance of xs [T, E], h_0 and c_0, and what was lost, from the relevance of h [T, H], h_n and c_n.

    Arras et al. 2017 section 3 (and 2019 section 11.2.3 for the gates): h = o tanh(c) is a product; c_t = f c_{t-1} + i g a sum
    under the epsilon rule of two products; every pre-activation is an affine map over the joint input [x_t, h_{t-1}].
    """
    size, eps = p.u.shape[0] // 4, rule.epsilon
    lost = dict.fromkeys(KEYS, 0.0)
    r_x = np.zeros(xs.shape)
    from_next_h, from_next_c = r_hn.copy(), r_cn.copy()
    for t in range(len(xs) - 1, -1, -1):
        x, h, c, a = xs[t], steps.h[t], steps.c[t], steps.a[t]
        r_out = r_h[t] + from_next_h
        steps.r_h[t], steps.r_c[t] = r_out, np.zeros(size)
        if p.proj is not None:
            r_out, absorbed = layer(rule, steps.m[t], p.proj, None, r_out)
            book(lost, absorbed)
        r_a = np.zeros((4, size))
        previous_c = np.zeros(size)
        for k in range(size):
            out = product(gates, a[O, k], steps.c[t + 1][k], r_out[k], eps)
            r_c = out.signal + from_next_c[k]
            steps.r_c[t][k] = r_c
            kept, new = sigmoid(a[F, k]) * c[k], sigmoid(a[I, k]) * math.tanh(a[G, k])
            (r_kept, r_new), absorbed = add([kept, new], r_c, eps)
            forget = product(gates, a[F, k], c[k], r_kept, eps)
            write = product(gates, a[I, k], a[G, k], r_new, eps)
            r_a[O, k], r_a[F, k], r_a[I, k], r_a[G, k] = out.gate, forget.gate, write.gate, write.signal
            previous_c[k] = forget.signal
            for part in (absorbed, out.lost, forget.lost, write.lost):
                book(lost, part)
        from_next_h = np.zeros(len(h))
        for gate in range(4):
            weight, bias = p.joint(slice(gate * size, (gate + 1) * size))
            r_joint, absorbed = layer(rule, np.concatenate([x, h]), weight, bias, r_a[gate])
            r_x[t] += r_joint[: len(x)]
            from_next_h += r_joint[len(x) :]
            book(lost, absorbed)
        from_next_c = previous_c
    return r_x, from_next_h, from_next_c, lost
