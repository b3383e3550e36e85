"""Packed sequences run as padded ones: on the processor, torch's fast LSTM kernel takes padded input only.

The texts of a packed sequence are sorted, the longest first. Time is cut into segments; each runs on the texts that have a word
at its first step, from the states that the segment before left. What stands on padding is never used. The state c of a text
that ends inside a segment is one that the kernel left, or follows from h, which is known, by the gates.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from textlrp.lrp import forward
from textlrp.lrp.cells import shift
from textlrp.lrp.packing import pack, pad
from textlrp.lrp.rows import Rows

__all__ = ["run", "segments"]

_SHORTEST = 16
_WASTE = 0.1


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
    data: torch.Tensor,
    sizes: torch.Tensor,
    states: Sequence[torch.Tensor],
    weights: Sequence[Sequence[torch.Tensor]],
    kept: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, bool]:
    """Run an LSTM on packed data [N, E] from the states h_0 and c_0 [D, B, H], with the weights of each direction.

    Returns what torch.lstm returns: the output [N, D·H], h_n, c_n [D, B, H]; and whether i g and c were written to
    `kept`, [2, D, N, H], in reading order.
    """
    rows, size = Rows(sizes.tolist(), None), states[1].shape[2]
    out = data.new_empty(len(data), len(weights) * size)
    ends: list[tuple[torch.Tensor, torch.Tensor]] = []
    sound = kept is not None
    for d, mine in enumerate(weights):
        turned = rows.turned if d == 1 else None
        x = data if turned is None else data[turned]
        own = out[:, d * size : (d + 1) * size]
        into = own if turned is None else x.new_empty(len(x), size)
        c_n, right = _one_way(
            x, into, sizes, rows, (states[0][d], states[1][d]), mine, None if kept is None or not sound else kept[:, d]
        )
        sound = sound and right
        ends.append((into[rows.last()], c_n))
        if turned is not None:
            own.index_copy_(0, turned, into)
    h_n, c_n = (torch.stack(each) for each in zip(*ends, strict=True))
    return out, h_n, c_n, sound


def _one_way(
    x: torch.Tensor,
    out: torch.Tensor,
    sizes: torch.Tensor,
    rows: Rows,
    states: tuple[torch.Tensor, torch.Tensor],
    weights: Sequence[torch.Tensor],
    kept: torch.Tensor | None,
) -> tuple[torch.Tensor, bool]:
    """Write h, [N, H], to `out`, and i g and c to `kept`; return c_n, [B, H], and whether the gates were sound."""
    (h, c), c_n, sound = states, torch.empty_like(states[1]), kept is not None
    for start, stop in segments(rows.sizes):
        texts, rest, count = rows.sizes[start], rows.sizes[stop - 1], stop - start
        mine = slice(rows.starts[start], rows.starts[stop - 1] + rest)
        h, c = h[:texts].contiguous(), c[:texts].contiguous()
        part = pad(x[mine], sizes[start:stop], False, 0.0, count)[0]
        found, h_next, c_next, gates = forward.run(part, h, c, weights, keep=kept is not None or rest < texts)
        lengths = (sizes[start:stop, None] > torch.arange(texts)).sum(0)

        def unpadded(steps: torch.Tensor, even: bool = rest == texts, lengths: torch.Tensor = lengths) -> torch.Tensor:
            return steps.flatten(0, 1) if even else pack(steps.contiguous(), lengths, False)[0]

        out[mine] = unpadded(found)
        if gates is None:
            sound = False
        elif kept is not None:
            kept[0, mine] = unpadded(gates.i * gates.g)
            kept[1, mine] = unpadded(torch.cat([gates.c, c_next[None]]))
        c_n[:rest] = c_next[:rest]
        if rest < texts:
            ended = slice(rest, texts)
            walked = (
                _cells(part[:, ended], found[:, ended], h[ended], c[ended], weights) if gates is None else gates.c[:, ended]
            )
            c_n[ended] = walked[lengths[ended] - 1, torch.arange(texts - rest)]
        h, c = h_next, c_next
    return c_n, sound


def _cells(
    x: torch.Tensor,
    h: torch.Tensor,
    h0: torch.Tensor,
    c0: torch.Tensor,
    weights: Sequence[torch.Tensor],
) -> torch.Tensor:
    """Return c [T, B, H] of the texts that ended: c_t = f_t c_{t−1} + i_t g_t."""
    i, f, g = forward.worked_out(x, shift(h0, h), weights)
    new, last = i * g, c0
    for now, keep in zip(new.unbind(0), f.unbind(0), strict=True):
        last = now.addcmul_(keep, last)
    return new
