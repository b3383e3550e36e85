"""The forward pass of an LSTM step by step: the products are those of the kernel, and all pre-activations are kept.

Gate rules that bring relevance to the gates want the pre-activations of all four; from h they would take all products once more
(see stretch.py). A step is one product for both directions. For few texts the kernel and its products again are faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from textlrp.lrp.affine import affine

__all__ = ["Worked", "precise", "run", "worth"]

_FEWEST = 64  # rows of a step
_FAINT = 0.05  # states of a text, of which none is larger: tanh is worked out to 1e-7 of 1 here, not of itself
_MOST = 2**26  # pre-activations that are kept until the way back: 256 MB


class Worked(NamedTuple):
    """W x and W x + U h + b of all gates, [T, B, 4H], i ⊙ g and c, [T, B, H], of one direction in reading order."""

    y: torch.Tensor
    z: torch.Tensor
    new: torch.Tensor
    c: torch.Tensor


def worth(words: int, h: torch.Tensor) -> bool:
    """Tell whether this is faster than the kernel for so many words of all texts, and keeps not too much; h_0 is [D, B, H].

    >>> worth(32 * 256, torch.zeros(2, 32, 128)), worth(256, torch.zeros(2, 1, 128))
    (True, False)
    """
    directions, texts, size = h.shape
    return directions * texts >= _FEWEST and 8 * words * directions * size <= _MOST


def precise(out: torch.Tensor) -> bool:
    """Tell whether h_1…h_T [T, B, D·H] are as exact as the kernel's: in each text, some are large.

    >>> precise(torch.tensor([[[0.1]], [[0.0]]])), precise(torch.tensor([[[0.1], [0.01]]]))
    (True, False)
    """
    return bool((torch.maximum(out.amax((0, 2)), -out.amin((0, 2))) >= _FAINT).all())


def run(
    x: torch.Tensor, states: Sequence[torch.Tensor], weights: Sequence[Sequence[torch.Tensor]]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[Worked]]:
    """Run all directions over x [T, B, E] from h_0 and c_0 [D, B, H], each with weights w_ih, w_hh and, if it has them, two
    biases: h_1…h_T [T, B, D·H] in the order of x, h_T and c_T [D, B, H], and what was worked out."""
    (h, c), (steps, texts), count = states, x.shape[:2], len(weights)
    size = h.shape[-1]
    y, z = [affine(x.flip(0) if d else x, w) for d, (w, *_) in enumerate(weights)], x.new_empty(steps, count, texts, 4 * size)
    of_g, times = slice(2 * size, 3 * size), x.new_ones(4 * size)
    times[of_g] = 2  # tanh(z) = 2 σ(2z) − 1, ten times as fast: z of g, i g and c are doubled meanwhile
    for d, (_, _, *biases) in enumerate(weights):
        bias = (biases[0] + biases[1]) * times if biases else torch.zeros_like(times)
        torch.addcmul(bias, y[d], times, out=z[:, d])
    u = torch.stack([each[1].t() for each in weights]) * times  # [D, H, 4H]
    new, cells, out = (x.new_empty(steps, count, texts, size) for _ in range(3))
    gates, half, nothing, c = torch.empty_like(z[0]), torch.empty_like(h), torch.zeros_like(h), 2 * c
    i, f, g, o = gates.split(size, -1)
    with torch.inference_mode():  # calls take less time then; all that is written to was made outside
        for now_z, now_new, now_c, now_h in zip(*(each.unbind(0) for each in (z, new, cells, out)), strict=True):
            torch.sigmoid(now_z.baddbmm_(h, u), out=gates)
            torch.addcmul(nothing, i, g.sub_(0.5), value=4, out=now_new)
            c = torch.addcmul(now_new, f, c, out=now_c)
            h = torch.addcmul(nothing, o, torch.sigmoid(c, out=half).sub_(0.5), value=2, out=now_h)
    for doubled in (z[..., of_g], new, cells):
        doubled.mul_(0.5)
    c = cells[-1]
    both = torch.cat([each.flip(0) if d else each for d, each in enumerate(out.unbind(1))], -1)
    return both, h, c, [Worked(y[d], z[:, d], new[:, d], cells[:, d]) for d in range(count)]
