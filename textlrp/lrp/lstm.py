"""The LSTM under the *all* gate rule and LRP-0, LRP-ε or LRP-γ, fast: what the forward pass kept, a recursion with g's weights.

With R_h = h · q and R_c = c · q_c (Arras et al. 2017), backwards in time, s = sign, k the carry of c's two summands:

    k_t = (f_{t+1} k_{t+1} + q_t · h_t / c_t) · c_t / (c_t + ε s(c_t))     the sum c_t = f_t c_{t−1} + i_t g_t
    p_t = k_t · i_t g_t / (z_t + ε s(z_t))                                 g = tanh(z), the map z = W x + U h_{t−1} + b
    q_{t−1} += Uᵀ p_t,    and Wᵀ p_t is the carry of x_t

LRP-γ weighs contributions that agree with z by 1 + γ, which is to add to each of them, a, the part r s(z) |a|, r = γ/(2 + γ),
and to divide by z + s(z) (r T + ε/(1 + γ/2)), T = Σ |a| + |b|: q_{t−1} gets s(h_{t−1}) r |U|ᵀ (s(z_t) p_t) more; x_t likewise.

What is asked of each cell and step is told by lstm_steps.py, for pieces of a few steps that stay in the processor's cache. As
h_t / c_t · c_t / (c_t + ε s) = h_t / (c_t + ε s), even the output gate is not needed, unless ε is too small to keep this
quotient exact. A step is then one product and two multiplications, in p alone, with v = i g / (z + ε s(z)) = |v| s(z):

    s(z_t) p_t = |v_t| k_t = |v_t| h_t / (c_t + ε s) · q_t + |v_t| f_{t+1} c_t / (c_t + ε s) / |v_{t+1}| · s(z_{t+1}) p_{t+1}

All arrays are rows in reading order (see rows.py); both directions walk side by side: [D, N, H], D = 1 or 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any

import torch

from textlrp.lrp.affine import affine
from textlrp.lrp.cells import Back, Tally
from textlrp.lrp.lstm_steps import Direction, Steps, steps_of
from textlrp.lrp.numbers import signed
from textlrp.lrp.rows import Piece, Rows

__all__ = ["FAINT", "Direction", "lstm_all"]

FAINT = {torch.float32: 1e-25, torch.float64: 1e-200}  # below this a carry is 0: arithmetic with subnormal numbers is slow
_EVERY = 8
_TINY = {dtype: torch.finfo(dtype).eps ** 2 for dtype in FAINT}  # |v| of cells with g = 0


def lstm_all(
    rows: Rows,
    sides: Sequence[Direction],
    epsilon: float,
    kept: torch.Tensor | None = None,
    *,
    gamma: float = 0.0,
    steps: bool,
    summed: bool = False,
) -> list[Back]:
    """Return, for each direction, the carries of x, [N, E], as rows in reading order, and of the initial states. `kept` are i g
    and c, [2, D, N, H], if the forward pass gave them. With `summed`, x gets its relevance summed over E, [N], instead of a
    carry."""
    walk = _Walk(steps_of(rows, sides, epsilon, gamma, kept), epsilon, steps=steps, summed=summed)
    with torch.inference_mode():  # a step's three calls take less time then; what is returned was made outside
        for piece in reversed(walk.cells.pieces):
            walk.back_through(piece)
    first_f = walk.cells.first_f()
    return [walk.back(d, first_f[d]) for d in range(len(sides))]


class _Walk:
    """One level of an LSTM, from the last step to the first; p is |v| k here, and `signed_p` v k, for LRP-γ."""

    def __init__(self, cells: Steps, epsilon: float, *, steps: bool, summed: bool) -> None:
        self.cells, self.sides, self.epsilon, self.summed = cells, cells.sides, epsilon, summed
        self.to_h, self.left = torch.stack([g.u for g in cells.g]), len(cells.rows.sizes)
        self.more_to_h = torch.stack([each.u for each in cells.more]) if cells.more else None
        self.ends = torch.stack(
            [torch.zeros_like(side.c0) if side.to_c_n is None else side.to_c_n * cells.scale for side in self.sides]
        )  # what comes back to c_n as a carry of c, [D, B, H]
        self.p = self.signed_p = self.v = self.ends[:, :0]  # of step t+1, and |v|
        new, count = self.ends.new_empty, len(self.sides[0].x)
        self.to_x = new(len(self.sides), count) if summed else new(len(self.sides), count, cells.width)
        self.taken, self.lost = new(2, len(self.sides), count)
        self.over_time = new(2, len(self.sides), count) if steps else None

    def back_through(self, piece: Piece) -> None:
        """Go back through the steps of a piece."""
        cells, mine, begin, count = self.cells, piece.rows, piece.rows.start, piece.rows.stop - piece.rows.start
        (v, h, words), c = cells.at(piece, summed=self.summed), cells.c[:, mine]
        sizes = v.new_empty(len(v), count + self.v.shape[1], cells.size)
        torch.abs(v, out=sizes[:, :count]).clamp_(min=_TINY[v.dtype])
        sizes[:, count:] = self.v
        factor, p = cells.factors(piece, sizes[:, :count], h)
        for here, after, _ in cells.following(piece):
            p[:, here].div_(sizes[:, after.start - begin : after.stop - begin])
        blocks, signed_p = cells.arrived(piece), v.sign() if cells.more else None
        self._walk(piece, blocks, factor, p, h, signed_p)
        self.v = sizes[:, : piece.sizes[0]]
        k = torch.div(p, sizes[:, :count], out=factor)
        if self.epsilon:
            own = c.sign().add_(v, alpha=cells.epsilon_z / cells.epsilon_c).mul_(k)
            torch.sum(own, -1, out=self.lost[:, mine])
        self._give(mine, p, signed_p, words)
        if self.over_time is not None:
            self.over_time[0, :, mine] = torch.stack(h).mul_(torch.cat(blocks, 1)).sum(-1)
            self.over_time[1, :, mine] = signed(c, cells.epsilon_c).add_(c).mul_(k).sum(-1)

    def _walk(
        self,
        piece: Piece,
        blocks: list[torch.Tensor],
        factor: torch.Tensor,
        on: torch.Tensor,
        h: list[torch.Tensor],
        signed_p: torch.Tensor | None,
    ) -> None:
        """Put p in the place of `on`, what p of the step after is multiplied with, and for LRP-γ s(z) p in that of s(z)."""
        u, more, p, last_p, ends, left = self.to_h, self.more_to_h, self.p, self.signed_p, self.ends, self.left
        parts: list[Any] = [factor, on]
        if signed_p is not None:
            parts += [torch.stack(h).sign_(), signed_p]
        cut = [each.split(piece.sizes, 1)[::-1] for each in parts] + [repeat(None)] * (4 - len(parts))
        for n, q, now_factor, now, sign_h, now_signed in zip(piece.sizes[::-1], blocks[::-1], *cut, strict=False):
            have = p.shape[1]
            to_h = q if have == n else q[:, :have]
            to_h.baddbmm_(p, u)
            if more is not None:
                to_h.addcmul_(torch.bmm(last_p, more), sign_h[:, :have])
            if have < n:  # the last step of these texts
                p = torch.cat([p, ends[:, have:n]], 1)
            p = now.mul_(p).addcmul_(now_factor, q)
            left -= 1
            if left % _EVERY == 0:
                torch.hardshrink(p, FAINT[p.dtype], out=p)
            if more is not None:
                last_p = now_signed.mul_(p)
        self.p, self.signed_p, self.left = p, last_p, left

    def _give(
        self, mine: slice, p: torch.Tensor, signed_p: torch.Tensor | None, words: list[tuple[torch.Tensor, torch.Tensor | None]]
    ) -> None:
        """Give to x and to the bias what is theirs."""
        for d in range(len(self.sides)):
            taken = torch.mv(p[d], self.cells.g[d].b, out=self.taken[d, mine])
            if signed_p is not None:
                taken += torch.mv(signed_p[d], self.cells.more[d].b)
            if words:
                of_x, more = words[d]
                of_x.mul_(p[d])
                if signed_p is not None:
                    assert more is not None
                    of_x.addcmul_(more, signed_p[d])
                torch.sum(of_x, -1, out=self.to_x[d, mine]).sub_(taken)
                continue
            x, to_word = self.cells.x(mine, d), affine(p[d], self.cells.g[d].w.t())
            if signed_p is not None:
                to_word.addcmul_(affine(signed_p[d], self.cells.more[d].w.t()), x.sign())
            self.to_x[d, mine] = to_word.mul_(x).sum(-1) if self.summed else to_word

    def back(self, d: int, first_f: torch.Tensor) -> Back:
        """Return what comes back from one direction, when all pieces are done; f of the first step is [B, H]."""
        tally, side, rows, scale = Tally(), self.sides[d], self.cells.rows, self.cells.scale
        if side.cell.b is not None:
            tally.amounts["bias"] = rows.per_text(self.taken[d])
        if self.epsilon:
            tally.amounts["stabiliser"] = rows.per_text(self.lost[d]) * self.cells.epsilon_c
        x, total = ((None, None), self.to_x[d]) if self.summed else ((self.to_x[d], None), None)
        hidden, cell = (None, None) if self.over_time is None else self.over_time[:, d]
        to_h0, to_c0 = self.p[d] @ self.cells.g[d].u, first_f * (self.p[d] / self.v[d]) / scale
        if self.more_to_h is not None:
            to_h0.addcmul_(self.signed_p[d] @ self.more_to_h[d], side.h0.sign())
        return Back(x, (to_h0, None), (to_c0, None), tally, hidden, cell, total)
