"""The LSTM under the *all* gate rule and LRP-0, LRP-ε or LRP-γ, fast: what the forward pass kept, a recursion with g's weights.

With R_h = h · q and R_c = c · q_c (Arras et al. 2017), backwards in time, s = sign, k the carry of c's two summands:

    k_t = (f_{t+1} k_{t+1} + q_t · h_t / c_t) · c_t / (c_t + ε s(c_t))     the sum c_t = f_t c_{t−1} + i_t g_t
    p_t = k_t · i_t g_t / (z_t + ε s(z_t))                                 g = tanh(z), the map z = W x + U h_{t−1} + b
    q_{t−1} += Uᵀ p_t,    and Wᵀ p_t is the carry of x_t

LRP-γ weighs contributions that agree with z by 1 + γ, which is to add to each of them, a, the part r s(z) |a|, r = γ/(2 + γ),
and to divide by z + s(z) (r T + ε/(1 + γ/2)), T = Σ |a| + |b|: q_{t−1} gets s(h_{t−1}) r |U|ᵀ (s(z_t) p_t) more; x_t likewise.

All gates follow from h, which the forward pass gave, by one product; only z where it kept f, i g and c (see forward.py). Three
numbers of each cell and step are kept (f, c and v = i g / (z + ε s(z))); everything else lives in pieces of a few steps that
stay in the processor's cache. As h_t / c_t · c_t / (c_t + ε s) = h_t / (c_t + ε s), even the output gate is not needed, unless
ε is too small to keep this quotient exact.

Where gates have to be worked out and ε allows, z is doubled inside and c halved: then i g / 2 = i (σ(2z) − ½), and one sigmoid
serves all gates (tanh costs ten times as much); k comes out doubled, p halved, and U, doubled like z, sets that right.

All arrays are rows in reading order (see rows.py); both directions walk side by side: [D, N, H], D = 1 or 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any, NamedTuple

import torch

from textlrp.lrp.cells import Back, Cell, Tally
from textlrp.lrp.numbers import signed
from textlrp.lrp.rows import Piece, Rows
from textlrp.lrp.scratch import scratch

__all__ = ["FAINT", "Direction", "lstm_all"]

FAINT = {torch.float32: 1e-25, torch.float64: 1e-200}  # below this a carry is 0: arithmetic with subnormal numbers is slow
_EVERY = 8


class Direction(NamedTuple):
    """One direction of a level: x [N, E] and h [N, H] as rows in reading order, h_0 and c_0 [B, H], its weights, and the carry
    that comes back to c_n, [B, H] or None."""

    x: torch.Tensor
    h: torch.Tensor
    h0: torch.Tensor
    c0: torch.Tensor
    cell: Cell
    end: torch.Tensor | None


def lstm_all(
    rows: Rows,
    sides: Sequence[Direction],
    q: torch.Tensor,
    epsilon: float,
    kept: torch.Tensor | None = None,
    *,
    gamma: float = 0.0,
    steps: bool,
    summed: bool = False,
) -> list[Back]:
    """Return, for each direction, the carries of x, [N, E], and of the initial states, for the carry q of h, [D, N, H].
    `kept` are f, i g and c, [3, D, N, H], if the forward pass gave them; they are overwritten. With `summed`, x gets
    its relevance summed over E, [N], instead of a carry."""
    walk = _Walk(rows, sides, epsilon, gamma, kept)
    walk.forwards()
    return walk.backwards(q, steps=steps, summed=summed)


class _Walk:
    """One level of an LSTM: forwards for the gates, backwards for the relevance."""

    def __init__(self, rows: Rows, sides: Sequence[Direction], epsilon: float, gamma: float, kept: torch.Tensor | None) -> None:
        self.rows, self.sides, self.epsilon, like = rows, sides, epsilon, sides[0].h
        self.share, self.epsilon_z = gamma / (2 + gamma), epsilon / (1 + gamma / 2)
        size, smallest = like.shape[1], 4 * torch.finfo(like.dtype).eps
        self.given = kept is not None and epsilon >= smallest
        self.sure = self.given or epsilon * epsilon >= smallest
        self.scale = 2.0 if self.sure and not self.given else 1.0
        self.bias, self.forget, self.others, self.w, self.u, self.more = [], [], [], [], [], []
        for cell in (side.cell for side in sides):
            bias = like.new_zeros(4 * size) if cell.b is None else cell.b
            mine = slice(2 * size, 3 * size) if self.given else slice(None)
            joint = torch.cat([cell.w[mine], cell.u[mine], bias[mine, None]], 1)  # [H or 4H, E+H+1], of x, h and 1
            if self.given:
                g = others = joint
            else:
                i, f, g, o = joint.split(size)
                g = g * self.scale
                self.forget.append(f.t().contiguous())
                others = torch.cat([i, g] if self.sure else [i, g, o])
            self.others.append(others.t().contiguous())
            self.w.append(g[:, : -size - 1])
            self.u.append(g[:, -size - 1 : -1])
            self.bias.append(g[:, -1].contiguous())
            if self.share:
                self.more.append((g.abs() * self.share).t().contiguous())  # [E+H+1, H]
        self.pieces = list(rows.pieces(size))
        known = () if kept is None or not self.given else kept.unbind(0)
        fresh = scratch(like, (3 if self.sure else 4) - len(known), len(sides), *like.shape).unbind(0)
        self.f, self.v, self.c, *rest = [*known, *fresh]  # v has the sign of z; at first it is i g, if that is known
        self.a = None if self.sure else rest[0]  # h / (c + ε s(c))

    def forwards(self) -> None:
        """Work out the gates from x and h, and walk c forwards, as far as they are not known."""
        size, last = self.sides[0].h.shape[1], torch.stack([side.c0 for side in self.sides]) / self.scale
        for piece in self.pieces:
            f, v, c = (each[:, piece.rows] for each in (self.f, self.v, self.c))
            gates = self._gates(piece, f)  # [D, n, 2H]; z alone, [D, n, H], if the others are known
            z = gates if self.given else gates[..., size : 2 * size]
            stable = z.abs().add_(self.scale * self.epsilon_z)
            if self.share:
                self._add_magnitudes(piece, stable)
            if self.given:
                v.div_(stable)
                continue
            i = gates[..., :size]
            f.sigmoid_()
            if self.sure:
                gates.sigmoid_()
                torch.sub(z, 0.5, out=c).mul_(i)
                torch.div(c, stable, out=v)
            else:
                pre, nothing = z.clone(), stable == 0
                gates.sigmoid_()
                torch.tanh(pre, out=c).mul_(i)
                v.copy_(torch.where(nothing, i, c / stable.masked_fill_(nothing, 1.0)))
            for n, now, keep in zip(piece.sizes, c.split(piece.sizes, 1), f.split(piece.sizes, 1), strict=True):
                last = now.addcmul_(keep, last if last.shape[1] == n else last[:, :n])
            if self.a is not None:
                o, nothing = gates[..., 2 * size :], c == 0
                stable = c.abs().add_(self.epsilon).masked_fill_(nothing, 1.0)
                self.a[:, piece.rows] = torch.where(nothing, o, o * (c.tanh().abs_() / stable))

    def _gates(self, piece: Piece, f: torch.Tensor) -> torch.Tensor:
        """Write the pre-activation of f, [D, n, H], and return those of the other gates, side by side; of g alone if the
        others are known."""
        (start, stop), width = (piece.rows.start, piece.rows.stop), self.sides[0].x.shape[1]
        gates = self.c.new_empty(len(self.sides), stop - start, self.others[0].shape[1])
        for d, side in enumerate(self.sides):
            x, before = side.x[start:stop], self._before(piece, side)
            for out, weights in ((gates[d], self.others[d]), *(() if self.given else ((f[d], self.forget[d]),))):
                torch.addmm(weights[-1], x, weights[:width], out=out).addmm_(before, weights[width:-1])
        return gates

    def _add_magnitudes(self, piece: Piece, stable: torch.Tensor) -> None:
        """Add r (Σ |a| + |b|) to `stable`, [D, n, H]."""
        width = self.sides[0].x.shape[1]
        for out, side, weights in zip(stable, self.sides, self.more, strict=True):
            x, before = side.x[piece.rows].abs(), self._before(piece, side).abs()
            out.add_(weights[-1]).addmm_(x, weights[:width]).addmm_(before, weights[width:-1])

    def _before(self, piece: Piece, side: Direction) -> torch.Tensor:
        """Return h of the step before each, [n, H]: a view where the texts are as many."""
        start, stop, sizes = piece.rows.start, piece.rows.stop, piece.sizes
        count = self.rows.sizes[piece.first - 1] if piece.first else 0  # how many texts the step before has
        if count == sizes[-1]:
            return side.h[start - count : stop - count]
        h, last = side.h[start:stop], side.h[start - count : start] if piece.first else side.h0
        found = torch.empty_like(h)
        for begin, size, steps in piece.runs():
            end = begin + size * steps
            found[begin : begin + size] = last[:size]
            if steps > 1:
                found[begin + size : end] = h[begin : end - size]
            last = h[end - size : end]
        return found

    def backwards(self, q: torch.Tensor, *, steps: bool, summed: bool) -> list[Back]:
        """Go from the last step to the first."""
        sides, (count, width), u = self.sides, self.sides[0].x.shape, torch.stack(self.u)
        to_x = q.new_empty(len(sides), count) if summed else q.new_empty(len(sides), count, width)
        taken, lost = q.new_empty(2, len(sides), count)
        over_time = q.new_empty(2, len(sides), count) if steps else None
        ends = self._ends()
        more = torch.stack([each[width:-1].t() for each in self.more]) if self.share else None
        p, k, left, signed_p = ends[:, :0], ends[:, :0], len(self.rows.sizes), ends[:, :0]  # of step t+1
        for piece in reversed(self.pieces):
            mine = piece.rows
            c, v, back = self.c[:, mine], self.v[:, mine], piece.blocks(q[:, mine])
            carry, whole = self._shares(mine, c)
            self._forget(piece, whole)
            write = v.abs()
            parts: list[Any] = [each.split(piece.sizes, 1)[::-1] for each in (carry, whole, write)]
            if more is None:
                parts += [repeat(None), repeat(None)]
            else:
                parts += [each.split(piece.sizes, 1)[::-1] for each in (self._signs(mine), v)]
            each = zip(piece.sizes[::-1], back[::-1], *parts, strict=False)
            for n, now_q, now, now_whole, now_write, sign_h, now_signed in each:
                have = p.shape[1]
                to_h = now_q if have == n else now_q[:, :have]
                to_h.baddbmm_(p, u)
                if more is not None:
                    to_h.addcmul_(torch.bmm(signed_p, more), sign_h[:, :have])
                if have < n:  # the last step of these texts
                    k = torch.cat([k, ends[:, have:n]], 1)
                k = now.mul_(now_q).addcmul_(k, now_whole)
                left -= 1
                if left % _EVERY == 0:
                    k.copy_(torch.hardshrink(k, FAINT[k.dtype]))
                p = now_write.mul_(k)
                if more is not None:
                    signed_p = now_signed.mul_(k)
            if more is None:
                v.mul_(carry)
            for d, side in enumerate(sides):
                x, to_word = side.x[mine], torch.mm(write[d], self.w[d])
                torch.mv(write[d], self.bias[d], out=taken[d, mine])
                if self.share:
                    to_word.addcmul_(torch.mm(v[d], self.more[d][:width].t()), x.sign())
                    taken[d, mine] += torch.mv(v[d], self.more[d][-1])
                to_x[d, mine] = to_word.mul_(x).sum(-1) if summed else to_word
            if self.epsilon:
                own = signed(c, 1 / self.scale).mul_(carry)
                lost[:, mine] = own.add_(v, alpha=self.scale * self.epsilon_z / self.epsilon).sum(-1)
            if over_time is not None:
                h = torch.stack([side.h[mine] for side in sides])
                over_time[0, :, mine] = h.mul_(torch.cat(back, 1)).sum(-1)
                over_time[1, :, mine] = signed(c, self.epsilon / self.scale).add_(c).mul_(carry).sum(-1)
        backs, m = [], self.f[:, : k.shape[1]] * k
        for d, side in enumerate(sides):
            tally = Tally()
            if side.cell.b is not None:
                tally.amounts["bias"] = self.rows.per_text(taken[d])
            if self.epsilon:
                tally.amounts["stabiliser"] = self.rows.per_text(lost[d]) * self.epsilon
            words, total = ((None, None), to_x[d]) if summed else ((to_x[d], None), None)
            hidden, cell = (None, None) if over_time is None else over_time[:, d]
            to_h0 = p[d] @ self.u[d]
            if more is not None:
                to_h0.addcmul_(signed_p[d] @ more[d], side.h0.sign())
            backs.append(Back(words, (to_h0, None), (m[d] / self.scale, None), tally, hidden, cell, total))
        return backs

    def _signs(self, mine: slice) -> torch.Tensor:
        """Return the signs of h, [D, n, H]."""
        return torch.stack([side.h[mine].sign() for side in self.sides])

    def _forget(self, piece: Piece, whole: torch.Tensor) -> None:
        """Multiply `whole` of each step, [D, n, H], with f of the step after it; not where the text ends."""
        stop, begin = piece.first + len(piece.sizes), piece.rows.start
        runs = piece.runs()
        after = [*(run.size for run in runs[1:]), self.rows.sizes[stop] if stop < len(self.rows.sizes) else 0]
        for (start, size, steps), going_on in zip(runs, after, strict=True):
            count = size * (steps - 1) + going_on
            whole[:, start : start + count].mul_(self.f[:, begin + start + size : begin + start + size + count])

    def _ends(self) -> torch.Tensor:
        """Return what comes back to c_n as a carry of c, [D, B, H]."""
        return torch.stack([torch.zeros_like(side.c0) if side.end is None else side.end * self.scale for side in self.sides])

    def _shares(self, mine: slice, c: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what q_t and f_{t+1} k_{t+1} are multiplied with to give k_t, [D, n, H] each."""
        if not self.epsilon:
            assert self.a is not None
            return self.a[:, mine], torch.ones_like(c)
        whole = c.abs()
        stable = whole + self.epsilon / self.scale
        whole.div_(stable)
        if self.a is not None:
            return self.a[:, mine], whole
        share = torch.empty_like(whole)
        for d, side in enumerate(self.sides):
            torch.abs(side.h[mine], out=share[d])
        return share.div_(stable), whole
