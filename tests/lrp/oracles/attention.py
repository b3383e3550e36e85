"""Attention by AttnLRP (Achtibat et al. 2024): softmax, matrix products of activations, and a multi-head layer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tests.lrp.oracles.affine import KEYS, Rule, book, layer


def softmax(x: np.ndarray) -> np.ndarray:
    top = max(x)
    e = [math.exp(v - top) for v in x]
    return np.array([v / sum(e) for v in e])


def softmax_relevance(x: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, float]:
    """AttnLRP proposition 3.1: R_i = x_i (R_i - s_i sum_j R_j); the expansion's constant keeps the rest, by output.

    s_j(x) = sum_i (ds_j/dx_i) x_i + b_j with b_j = s_j (1 - x_j + sum_i s_i x_i), so output j leaves b_j / s_j R_j there.
    """
    s, out, to_constant = softmax(x), np.zeros(len(x)), 0.0
    total = sum(r)
    for i in range(len(x)):
        if s[i] == 0.0:
            continue
        out[i] = x[i] * (r[i] - s[i] * total)
        to_constant += (1.0 - x[i] + sum(s[j] * x[j] for j in range(len(x)) if s[j] > 0.0)) * r[i]
    return out, to_constant


def matmul_relevance(a: np.ndarray, v: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AttnLRP proposition 3.3: R_ji(a) = sum_p a_ji v_ip R_jp / (2 O_jp), R_ip(v) likewise over j, O = a v."""
    r_a, r_v = np.zeros(a.shape), np.zeros(v.shape)
    for j in range(a.shape[0]):
        for p in range(v.shape[1]):
            o = sum(a[j, i] * v[i, p] for i in range(a.shape[1]))
            if o == 0.0:
                continue
            for i in range(a.shape[1]):
                share = a[j, i] * v[i, p] / (2.0 * o) * r[j, p]
                r_a[j, i] += share
                r_v[i, p] += share
    return r_a, r_v


@dataclass
class Attention:
    """The weights of a self-attention layer with `heads` heads: in_w [3E, E], in_b [3E], out_w [E, E], out_b [E]."""

    in_w: np.ndarray
    in_b: np.ndarray
    out_w: np.ndarray
    out_b: np.ndarray
    heads: int

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, list[tuple[np.ndarray, ...]], np.ndarray]:
        """softmax(q k^T / sqrt(d)) v, head by head, then the output map. x [T, E]."""
        size = x.shape[1]
        d = size // self.heads
        qkv = x @ self.in_w.T + self.in_b
        q, k, v = qkv[:, :size], qkv[:, size : 2 * size], qkv[:, 2 * size :]
        kept, joined = [], np.zeros(x.shape)
        for head in range(self.heads):
            part = slice(head * d, (head + 1) * d)
            scores = q[:, part] @ k[:, part].T / math.sqrt(d)
            weights = np.stack([softmax(row) for row in scores])
            joined[:, part] = weights @ v[:, part]
            kept.append((q[:, part], k[:, part], v[:, part], scores, weights))
        return joined @ self.out_w.T + self.out_b, kept, joined

    def relevance(self, x: np.ndarray, r: np.ndarray, rule: Rule) -> tuple[np.ndarray, dict[str, float]]:
        """Relevance of x [T, E] from that of the output r [T, E]; and what went elsewhere (softmax's constants: to biases)."""
        _, kept, joined = self.forward(x)
        size, lost = x.shape[1], dict.fromkeys(KEYS, 0.0)
        r_joined = np.zeros(x.shape)
        for t in range(len(x)):
            r_joined[t], absorbed = layer(rule, joined[t], self.out_w, self.out_b, r[t])
            book(lost, absorbed)
        r_qkv, d = np.zeros((len(x), 3 * size)), size // self.heads
        for head, (q, k, v, scores, weights) in enumerate(kept):
            r_weights, r_v = matmul_relevance(weights, v, r_joined[:, head * d : (head + 1) * d])
            r_scores = np.zeros(scores.shape)
            for t in range(len(x)):
                r_scores[t], constant = softmax_relevance(scores[t], r_weights[t])
                lost["bias"] += constant
            r_q, r_kt = matmul_relevance(q, k.T, r_scores)
            for block, part in enumerate((r_q, r_kt.T, r_v)):
                r_qkv[:, block * size + head * d : block * size + (head + 1) * d] = part
        out = np.zeros(x.shape)
        for t in range(len(x)):
            out[t], absorbed = layer(rule, x[t], self.in_w, self.in_b, r_qkv[t])
            book(lost, absorbed)
        return out, lost
