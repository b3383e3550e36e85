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

from textlrp.lrp.sequence import Order

__all__ = ["Read", "fast", "run", "segments"]

Read = tuple[torch.Tensor, torch.Tensor]  # x [T, B, E] and h [T, B, H] of one direction, in reading order
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
) -> tuple[tuple[torch.Tensor, torch.Tensor, torch.Tensor], list[Read]]:
    """Run an LSTM on packed data [N, E] from the states h_0 and c_0 [D, B, H], with the weights of each direction.

    Returns what torch.lstm returns (the output [N, D·H], h_n, c_n [D, B, H]), and what each direction read.
    """
    read: list[Read] = []
    ends: list[tuple[torch.Tensor, torch.Tensor]] = []
    packed = []
    for d, mine in enumerate(weights):
        order = Order.of(data, sizes, batch_first=False, reverse=d == 1)
        x = order.see(data)
        h, c_n = _one_way(func, x, sizes.tolist(), order, (states[0][d], states[1][d]), mine, has_biases=has_biases)
        assert order.lengths is not None
        ends.append((h[order.lengths - 1, torch.arange(h.shape[1])], c_n))
        read.append((x, h))
        packed.append(order.back(h))
    out = packed[0] if len(packed) == 1 else torch.cat(packed, -1)
    h_n, c_n = (torch.stack(each) for each in zip(*ends, strict=True))
    return (out, h_n, c_n), read


def _one_way(
    func: Callable[..., Any],
    x: torch.Tensor,
    sizes: list[int],
    order: Order,
    states: tuple[torch.Tensor, torch.Tensor],
    weights: Sequence[torch.Tensor],
    *,
    has_biases: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    h, c = (state[None] for state in states)
    out, c_n = x.new_zeros(*x.shape[:2], h.shape[-1]), torch.empty_like(states[1])
    for start, stop in segments(sizes):
        texts, rest = sizes[start], sizes[stop - 1]
        before = (h[:, :texts].contiguous(), c[:, :texts].contiguous())
        part = x[start:stop, :texts].contiguous()
        found, h, c = func(part, before, list(weights), has_biases, 1, 0.0, False, False, False)
        out[start:stop, :texts] = found
        c_n[:rest] = c[0, :rest]
        if rest < texts:
            ended = slice(rest, texts)
            walked = _cells(part[:, ended], found[:, ended], before[0][0, ended], before[1][0, ended], weights)
            assert order.lengths is not None
            at = order.lengths[ended] - 1 - start
            c_n[ended] = walked[at, torch.arange(texts - rest)]
    if len(set(sizes)) > 1:  # what ran on padding is no state
        assert order.lengths is not None
        out.masked_fill_((torch.arange(len(x))[:, None] >= order.lengths)[..., None], 0.0)
    return out, c_n


def _cells(
    x: torch.Tensor, h: torch.Tensor, h0: torch.Tensor, c0: torch.Tensor, weights: Sequence[torch.Tensor]
) -> torch.Tensor:
    """Return c [T, B, H] from x and h: c_t = f_t c_{t−1} + i_t g_t."""
    size = h.shape[-1]
    rows = slice(0, 3 * size)
    bias = weights[2][rows] + weights[3][rows] if len(weights) == 4 else None
    before = torch.cat([h0[None], h[:-1]])
    gates = functional.linear(torch.cat([x, before], -1), torch.cat([weights[0][rows], weights[1][rows]], 1), bias)
    i, f, g = gates[..., :size].sigmoid(), gates[..., size : 2 * size].sigmoid(), gates[..., 2 * size :].tanh()
    found, last = torch.empty_like(h), c0
    for now, new, keep in zip(found.unbind(0), (i * g).unbind(0), f.unbind(0), strict=True):
        last = torch.addcmul(new, keep, last, out=now)
    return found
