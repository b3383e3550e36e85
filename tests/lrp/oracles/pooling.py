"""Pooling, embedding bags and normalisation: linear maps without a stabiliser."""

from __future__ import annotations

import numpy as np


def mean(x: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Relevance of x [T, H] from that of its mean over T: R_t = x_t / sum_t' x_t' R (LRP-0 on a sum)."""
    out = np.zeros(x.shape)
    for k in range(x.shape[1]):
        total = sum(x[t, k] for t in range(len(x)))
        for t in range(len(x)):
            out[t, k] = x[t, k] / total * r[k]
    return out


def maximum(x: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Relevance of x [T, H] from that of its maximum over T: the winner takes all (Bach et al. 2015, section on pooling)."""
    out = np.zeros(x.shape)
    for k in range(x.shape[1]):
        winner = 0
        for t in range(len(x)):
            if x[t, k] > x[winner, k]:
                winner = t
        out[winner, k] = r[k]
    return out


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float, r: np.ndarray) -> tuple[np.ndarray, float]:
    """LRP-0 on y_j = w_j (x_j - mean x) / sigma + b_j with sigma held constant (AttnLRP, Achtibat et al. 2024, prop. 3.4)."""
    n = len(x)
    mean_x = sum(x) / n
    sigma = np.sqrt(sum((v - mean_x) ** 2 for v in x) / n + eps)
    out, to_bias = np.zeros(n), 0.0
    for j in range(n):
        y = weight[j] * (x[j] - mean_x) / sigma + bias[j]
        for i in range(n):
            out[i] += weight[j] * ((1.0 if i == j else 0.0) - 1.0 / n) / sigma * x[i] / y * r[j]
        to_bias += bias[j] / y * r[j]
    return out, to_bias


def batch_norm(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, mean_x: np.ndarray, var: np.ndarray, eps: float, r: np.ndarray
) -> tuple[np.ndarray, float]:
    """LRP-0 on y = k x + (b - m k), k = w / sqrt(v + eps), one channel at a time (batch norm at rest is affine)."""
    out, to_bias = np.zeros(len(x)), 0.0
    for j in range(len(x)):
        k = weight[j] / np.sqrt(var[j] + eps)
        y = k * x[j] + bias[j] - mean_x[j] * k
        out[j] = k * x[j] / y * r[j]
        to_bias += (bias[j] - mean_x[j] * k) / y * r[j]
    return out, to_bias


def bag(vectors: np.ndarray, mode: str, r: np.ndarray) -> np.ndarray:
    """Relevance of each token [T] of an embedding bag from that of the bag [E]: sum and mean by LRP-0, max by the winner."""
    parts = maximum(vectors, r) if mode == "max" else mean(vectors, r)
    out = np.zeros(len(vectors))
    for t in range(len(vectors)):
        for k in range(vectors.shape[1]):
            out[t] += parts[t, k]
    return out


def offset_activation(x: float, y: float, at_zero: float, r: float) -> tuple[float, float]:
    """A non-linearity with f(0) != 0: R_x = (f(x) - f(0)) / f(x) R, and f(0) / f(x) R stays at the constant f(0)."""
    return (y - at_zero) / y * r, at_zero / y * r
