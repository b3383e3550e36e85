"""The forward pass of an LSTM on the processor, with the gates and cells it worked out: nobody has to work them out again.

The kernel that torch.lstm calls there (oneDNN's) writes them to a workspace if it is told that a backward pass will follow. How
they lie in it is not documented: for every new shape two steps are worked out, and what was found is used only if it is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch.nn import functional

from textlrp.lrp.rows import Rows

__all__ = ["Gates", "able", "run", "stretches", "whole", "worked_out"]

_LSTM = 2  # the number of this kind of cell in torch
_BYTES = 25_000_000  # of a workspace: time is cut into stretches; more than 32 MB would be new memory each time
_SHORTEST = 16
_PER_CELL = 64  # bytes of the workspace for each cell and step, about
_WRONG = 1e-3  # gates lie between 0 and 1
_RIGHT: set[tuple[int, int, int, int, bool]] = set()  # steps, texts, E, H and direction for which all lay as expected
_MOST = 10_000  # of them, before they are looked at anew


class Gates(NamedTuple):
    """i, f and g at each step, [T, B, H], and c at each step but the last, [T−1, B, H]; in reading order, views of the
    workspace."""

    i: torch.Tensor
    f: torch.Tensor
    g: torch.Tensor
    c: torch.Tensor

    def write(self, kept: torch.Tensor, c_n: torch.Tensor) -> None:
        """Write i g and c to `kept`, [2, T, B, H]; `c_n`, [B, H], is the last c."""
        torch.mul(self.i, self.g, out=kept[0])
        kept[1, :-1] = self.c
        kept[1, -1] = c_n


def able(name: str, data: torch.Tensor, weights: Sequence[Sequence[torch.Tensor]], *, has_biases: bool) -> bool:
    """Tell whether the kernel runs this: an LSTM without projection, in float32, on the processor; autocast has another."""
    plain = all(len(each) == (4 if has_biases else 2) for each in weights)
    here = data.device.type == "cpu" and data.dtype == torch.float32 and torch.backends.mkldnn.is_available()
    return name == "lstm" and plain and here and data.numel() > 0 and not torch.is_autocast_enabled("cpu")


def stretches(steps: int, cells: int) -> list[tuple[int, int]]:
    """Cut time, (start, stop) each, so that the workspace of `cells` cells a step stays small.

    >>> stretches(40, 2**15)
    [(0, 16), (16, 32), (32, 40)]
    """
    each = max(_SHORTEST, _BYTES // (_PER_CELL * max(cells, 1)))
    return [(start, min(start + each, steps)) for start in range(0, steps, each)]


def run(
    x: torch.Tensor,
    h: torch.Tensor,
    c: torch.Tensor,
    weights: Sequence[torch.Tensor],
    *,
    reverse: bool = False,
    keep: bool = True,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Gates | None]:
    """Run one direction over x [T, B, E] from h and c [B, H]: h_1…h_T [T, B, H] in the order of x, h_T, c_T, and the gates."""
    size = h.shape[-1]
    parts = [each.detach() for each in weights]
    if len(parts) == 2:
        parts += [h.new_zeros(4 * size)] * 2
    x = x.contiguous()
    with torch.set_grad_enabled(keep):
        w, u, b_ih, b_hh = parts
        out, h_n, c_n, workspace = torch.mkldnn_rnn_layer(
            x, w, u, b_ih, b_hh, h[None], c[None], reverse, [], _LSTM, size, 1, True, False, False, keep
        )
    gates = _gates(workspace, x, out, (h, c, c_n[0]), parts, reverse) if keep else None
    return out, h_n[0], c_n[0], gates


def whole(
    x: torch.Tensor,
    rows: Rows,
    states: Sequence[torch.Tensor],
    weights: Sequence[Sequence[torch.Tensor]],
    kept: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, bool]:
    """Run an LSTM over rows of padded data, [N, E], stretch by stretch: the output in the order of the data, h_n, c_n, and
    whether i g and c were written to `kept`."""
    steps, texts, size = len(rows.sizes), rows.sizes[0], states[0].shape[-1]
    x = x.unflatten(0, (steps, texts))
    out, sound, ends = x.new_empty(steps, texts, len(weights) * size), kept is not None, []
    for d, mine in enumerate(weights):
        h, c = states[0][d].contiguous(), states[1][d].contiguous()
        for start, stop in stretches(steps, texts * size):
            at = slice(steps - stop, steps - start) if d else slice(start, stop)
            found, h, c, gates = run(x[at], h, c, mine, reverse=d == 1, keep=sound)
            out[at, :, d * size : (d + 1) * size] = found
            if gates is None:
                sound = False
            elif kept is not None:
                gates.write(kept[:, d, start * texts : stop * texts].unflatten(1, (-1, texts)), c)
        ends.append((h, c))
    h_n, c_n = (torch.stack(each) for each in zip(*ends, strict=True))
    return out.transpose(0, 1) if rows.batch_first else out, h_n, c_n, sound


def _gates(
    workspace: torch.Tensor | None,
    x: torch.Tensor,
    out: torch.Tensor,
    states: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    weights: Sequence[torch.Tensor],
    reverse: bool,
) -> Gates | None:
    """Return what lies in the workspace if it is right; `states` are h_0, c_0 and c_T, [B, H]."""
    if workspace is None:
        return None
    (steps, texts), size = x.shape[:2], states[0].shape[-1]
    numbers, row = workspace.view(-1).view(torch.float32), _padded(4 * size)
    cells = _pages(steps * texts * row) + _pages(steps * texts * _padded(size))
    cells += _pages(2 * (steps + 1) * texts * _padded(max(x.shape[-1], size))) + (steps + 2) * texts * size
    if len(numbers) < cells + (steps - 1) * texts * size:
        return None
    found = numbers[: steps * texts * row].view(steps, texts, row)
    c = numbers[cells : cells + (steps - 1) * texts * size].view(steps - 1, texts, size)
    i, f, g = (found[..., k * size : (k + 1) * size] for k in range(3))
    gates = Gates(i, f, g, c)
    if (shape := (steps, texts, x.shape[-1], size, reverse)) not in _RIGHT:
        if not all(_right(gates, t, x, out, states, weights, reverse) for t in {0, steps - 1}):
            return None
        if len(_RIGHT) >= _MOST:
            _RIGHT.clear()
        _RIGHT.add(shape)
    return gates


def _padded(width: int) -> int:
    """Return how many numbers a row of `width` takes."""
    row = -(-width // 16) * 16
    return row + 16 if row % 256 == 0 else row


def _pages(count: int) -> int:
    """Return `count` numbers of 4 bytes, rounded up to pages of 4 kB."""
    return -(-count // 1024) * 1024


def _right(
    gates: Gates,
    t: int,
    x: torch.Tensor,
    out: torch.Tensor,
    states: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    weights: Sequence[torch.Tensor],
    reverse: bool,
) -> bool:
    """Tell whether what was found for step t are i, f and g, and c of it and of the step before."""
    (h, c, c_n), last, at = states, len(x) - 1, len(x) - 1 - t if reverse else t
    before = h if t == 0 else out[at + 1 if reverse else at - 1]
    expected = worked_out(x[at], before, weights)
    c = expected.f * (gates.c[t - 1] if t else c) + expected.i * expected.g
    pairs = [*zip((each[t] for each in gates[:3]), expected, strict=True), (c_n if t == last else gates.c[t], c)]
    return all(bool(((found - right).abs() < _WRONG).all()) for found, right in pairs)


class Worked(NamedTuple):
    """i, f and g, [..., H]."""

    i: torch.Tensor
    f: torch.Tensor
    g: torch.Tensor


def worked_out(x: torch.Tensor, before: torch.Tensor, weights: Sequence[torch.Tensor]) -> Worked:
    """Return i, f and g [..., H] from x [..., E] and the h before it [..., H]."""
    bias = weights[2] + weights[3] if len(weights) == 4 else None
    i, f, g, _ = (functional.linear(x, weights[0], bias) + functional.linear(before, weights[1])).chunk(4, -1)
    return Worked(i.sigmoid(), f.sigmoid(), g.tanh())
