"""A one-dimensional convolution written out as an affine map, so that every rule of `affine` applies to it."""

from __future__ import annotations

import numpy as np

from tests.lrp.oracles.affine import Rule, layer


def matrix(
    weight: np.ndarray, length: int, *, stride: int = 1, padding: int = 0, dilation: int = 1, groups: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Write the convolution as a matrix [C_out * T_out, C_in * T] and say which entries are connections.

    y[o, t] = sum_{i, s} w[o, i, s] x[i, t * stride + s * dilation - padding]; a tap that falls on the padding is no connection.
    """
    outputs, per_group, taps = weight.shape
    steps = (length + 2 * padding - dilation * (taps - 1) - 1) // stride + 1
    inputs = per_group * groups
    w, linked = np.zeros((outputs * steps, inputs * length)), np.zeros((outputs * steps, inputs * length), dtype=bool)
    for o in range(outputs):
        group = o // (outputs // groups)
        for t in range(steps):
            for i in range(per_group):
                for s in range(taps):
                    position = t * stride + s * dilation - padding
                    if 0 <= position < length:
                        column = (group * per_group + i) * length + position
                        w[o * steps + t, column] = weight[o, i, s]
                        linked[o * steps + t, column] = True
    return w, linked


def forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, **options: int) -> np.ndarray:
    """The convolution of x [C_in, T]: [C_out, T_out]."""
    w, _ = matrix(weight, x.shape[1], **options)
    return (w @ x.reshape(-1)).reshape(weight.shape[0], -1) + bias[:, None]


def relevance(
    rule: Rule, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, r: np.ndarray, **options: int
) -> tuple[np.ndarray, dict[str, float]]:
    """Relevance of x [C_in, T] from r [C_out, T_out]; and what went elsewhere."""
    w, linked = matrix(weight, x.shape[1], **options)
    b = None if bias is None else np.repeat(bias, r.shape[1])
    out, lost = layer(rule, x.reshape(-1), w, b, r.reshape(-1), linked)
    return out.reshape(x.shape), lost
