"""The bidirectional LSTM of Arras et al. 2017, sentence by sentence, written from the paper's equations 1 to 3.

As its released code has it: relevance starts from the raw score, the epsilon rule also holds at the output layer, sign(0) = +1,
biases absorb, and the gates i, f and o get nothing.
"""

from __future__ import annotations

import numpy as np

from tests.lrp.oracles.affine import sign
from tests.lrp.oracles.recurrent import Weights


def _sigmoid(v: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-v))


def _give(z: np.ndarray, total: np.ndarray, relevance: np.ndarray, epsilon: float) -> np.ndarray:
    """R_{i<-j} = z_ij / (z_j + eps sign z_j) R_j, summed over j (equation 2 with delta = 0). z [n, m]."""
    out = np.zeros(z.shape[0])
    for j in range(z.shape[1]):
        out += z[:, j] / (total[j] + epsilon * sign(total[j])) * relevance[j]
    return out


def _direction(p: Weights, xs: np.ndarray, r_last: np.ndarray, epsilon: float, last: np.ndarray | None = None) -> np.ndarray:
    size = p.u.shape[1]
    h, c = [np.zeros(size)], [np.zeros(size)]
    pre, gates = [], []
    for x in xs:
        a = p.w @ x + p.u @ h[-1] + p.b + p.bu
        i, f, g, o = _sigmoid(a[:size]), _sigmoid(a[size : 2 * size]), np.tanh(a[2 * size : 3 * size]), _sigmoid(a[3 * size :])
        c.append(f * c[-1] + i * g)
        h.append(o * np.tanh(c[-1]))
        pre.append(a[2 * size : 3 * size])
        gates.append((i, f, g))
    if last is not None:
        last[:] = h[-1]
    r_h, r_c, r_x = r_last, np.zeros(size), np.zeros(xs.shape)
    w_g, u_g = p.w[2 * size : 3 * size], p.u[2 * size : 3 * size]
    for t in range(len(xs) - 1, -1, -1):
        i, f, g = gates[t]
        r_c = r_c + r_h
        r_g = _give(np.diag(i * g), c[t + 1], r_c, epsilon)
        r_c = _give(np.diag(f * c[t]), c[t + 1], r_c, epsilon)
        r_x[t] = _give(w_g.T * xs[t][:, None], pre[t], r_g, epsilon)
        r_h = _give(u_g.T * h[t][:, None], pre[t], r_g, epsilon)
    return r_x


def words(
    left: Weights, right: Weights, out: np.ndarray, out_bias: np.ndarray, xs: np.ndarray, target: int, epsilon: float
) -> tuple[np.ndarray, float]:
    """Relevance of each word [T] and the score: s = W [h_left(T), h_right(1)] + b, explained for one class. xs [T, E]."""
    size = left.u.shape[1]
    h_left, h_right, nothing = np.zeros(size), np.zeros(size), np.zeros(size)
    _direction(left, xs, nothing, epsilon, h_left)
    _direction(right, xs[::-1], nothing, epsilon, h_right)
    score = out @ np.concatenate([h_left, h_right]) + out_bias
    r = np.array([score[target]])
    r_left = _give((out[target, :size] * h_left)[:, None], score[target : target + 1], r, epsilon)
    r_right = _give((out[target, size:] * h_right)[:, None], score[target : target + 1], r, epsilon)
    r_x = _direction(left, xs, r_left, epsilon) + _direction(right, xs[::-1], r_right, epsilon)[::-1]
    return r_x.sum(1), float(score[target])
