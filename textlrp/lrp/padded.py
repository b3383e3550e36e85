"""Packed sequences run as padded ones: on the processor, torch's fast LSTM kernel takes padded input only.

The texts of a packed sequence are sorted, the longest first. Time is cut into segments; each runs on the texts that have a word
at its first step, from the states that the segment before left. What stands on padding is never used. The state c of a text
that ends inside a segment follows from h, which is known, by the gates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional

from textlrp.lrp.packing import pack, pad
from textlrp.lrp.rows import Rows

__all__ = ["fast", "run", "segments"]

_SHORTEST = 16
_WASTE = 0.1


def fast(name: str, data: torch.Tensor, weights: Sequence[Sequence[torch.Tensor]], *, has_biases: bool) -> bool:
    """Tell whether packed `data` runs faster padded: an LSTM without projection, in float32, on the processor."""
    plain = all(len(each) == (4 if has_biases else 2) for each in weights)
    here = data.device.type == "cpu" and data.dtype == torch.float32 and torch.backends.mkldnn.is_available()
    return name == "lstm" and plain and here and len(data) > 0


def segments(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Cut time where too many texts have ended, (start, stop) each, not too short.

    >>> segments([4] * 20 + [1] * 20)
    [(0, 23), (23, 40)]
    """
    found, start, waste = [], 0, 0
    for t in range(1, len(sizes)):
        waste += sizes[start] - sizes[t]
        if waste > _WASTE * sizes[start] * (t - start + 1) and t - start >= _SHORTEST:
            found.append((start, t))
            start, waste = t, 0
    return [*found, (start, len(sizes))]


def run(
    func: Callable[..., Any],
    data: torch.Tensor,
    sizes: torch.Tensor,
    states: Sequence[torch.Tensor],
    weights: Sequence[Sequence[torch.Tensor]],
    *,
    has_biases: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Run an LSTM on packed data [N, E] from the states h_0 and c_0 [D, B, H], with the weights of each direction.

    Returns what torch.lstm returns: the output [N, D·H], h_n, c_n [D, B, H].
    """
    rows, size = Rows(sizes.tolist(), None), states[1].shape[2]
    out = data.new_empty(len(data), len(weights) * size)
    ends: list[tuple[torch.Tensor, torch.Tensor]] = []
    for d, mine in enumerate(weights):
        turned = rows.turned if d == 1 else None
        x = data if turned is None else data[turned]
        h, own = x.new_empty(len(x), size), out[:, d * size : (d + 1) * size]
        into = own if turned is None else h
        c_n = _one_way(func, x, into, sizes, rows, (states[0][d], states[1][d]), mine, has_biases=has_biases)
        ends.append((into[rows.last()], c_n))
        if turned is not None:
            own.index_copy_(0, turned, h)
    h_n, c_n = (torch.stack(each) for each in zip(*ends, strict=True))
    return out, h_n, c_n


def _one_way(
    func: Callable[..., Any],
    x: torch.Tensor,
    out: torch.Tensor,
    sizes: torch.Tensor,
    rows: Rows,
    states: tuple[torch.Tensor, torch.Tensor],
    weights: Sequence[torch.Tensor],
    *,
    has_biases: bool,
) -> torch.Tensor:
    """Write h, [N, H], to `out`, and return c_n, [B, H]."""
    h, c = (state[None] for state in states)
    c_n = torch.empty_like(states[1])
    for start, stop in segments(rows.sizes):
        texts, rest, count = rows.sizes[start], rows.sizes[stop - 1], stop - start
        mine = slice(rows.starts[start], rows.starts[stop - 1] + rest)
        before = (h[:, :texts].contiguous(), c[:, :texts].contiguous())
        part = pad(x[mine], sizes[start:stop], False, 0.0, count)[0]
        found, h, c = func(part, before, list(weights), has_biases, 1, 0.0, False, False, False)
        lengths = (sizes[start:stop, None] > torch.arange(texts)).sum(0)
        out[mine] = found.flatten(0, 1) if rest == texts else pack(found, lengths, False)[0]
        c_n[:rest] = c[0, :rest]
        if rest < texts:
            ended = slice(rest, texts)
            walked = _cells(part[:, ended], found[:, ended], before[0][0, ended], before[1][0, ended], weights)
            c_n[ended] = walked[lengths[ended] - 1, torch.arange(texts - rest)]
    return c_n


def _cells(
    x: torch.Tensor, h: torch.Tensor, h0: torch.Tensor, c0: torch.Tensor, weights: Sequence[torch.Tensor]
) -> torch.Tensor:
    """Return c [T, B, H] from x and h: c_t = f_t c_{t−1} + i_t g_t, with tanh(z) as 2 σ(2z) − 1."""
    size = h.shape[-1]
    rows, own = slice(0, 3 * size), slice(2 * size, 3 * size)
    joint = torch.cat([weights[0][rows], weights[1][rows]], 1)
    bias = weights[2][rows] + weights[3][rows] if len(weights) == 4 else h.new_zeros(3 * size)
    joint[own] *= 2
    bias[own] *= 2
    before = torch.cat([h0[None], h[:-1]])
    gates = functional.linear(torch.cat([x, before], -1), joint, bias).sigmoid_()
    i, f, g = gates[..., :size], gates[..., size : 2 * size], gates[..., own].mul_(2).sub_(1)
    new, last = i * g, c0
    for now, keep in zip(new.unbind(0), f.unbind(0), strict=True):
        last = now.addcmul_(keep, last)
    return new
