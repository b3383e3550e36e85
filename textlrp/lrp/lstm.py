"""The LSTM under the *all* gate rule and LRP-0 or LRP-ε, fast: all gates from one product, a recursion with g's weights alone.

With R_h = h · q and R_c = c · q_c (Arras et al. 2017), backwards in time, s = sign, k the carry of c's two summands:

    k_t = (f_{t+1} k_{t+1} + q_t · h_t / c_t) · c_t / (c_t + ε s(c_t))     the sum c_t = f_t c_{t−1} + i_t g_t
    p_t = k_t · i_t g_t / (z_t + ε s(z_t))                                 g = tanh(z), the map z = W x + U h_{t−1} + b
    q_{t−1} += Uᵀ p_t,    and Wᵀ p_t is the carry of x_t

All gates follow from h, which the forward pass gave: one product. Only three numbers of each cell and step are kept (f, c and
i g / (z + ε s(z))); everything else lives in pieces of a few steps that stay in the processor's cache. As h_t / c_t · c_t /
(c_t + ε s) = h_t / (c_t + ε s), even the output gate is not needed, unless ε is too small to keep this quotient exact.

Inside, z is doubled and c halved where ε allows: then i g / 2 = i (σ(2z) − ½), and one sigmoid serves all gates; k comes out
doubled, p halved, and U, doubled like z, sets that right. Both directions walk side by side: [D, T, B, H], D = 1 or 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from textlrp.lrp.cells import Back, Side, Tally, pieces

__all__ = ["FAINT", "lstm_all"]

FAINT = {torch.float32: 1e-25, torch.float64: 1e-200}  # below this a carry is 0: arithmetic with subnormal numbers is slow
_EVERY = 8


def lstm_all(
    sides: Sequence[Side], epsilon: float, *, steps: bool, alive: list[int] | None = None, summed: bool = False
) -> list[Back]:
    """Return, for each direction, the carries of x [T, B, E] and of the initial states, for the carry of h [T, B, H].

    `alive` [T] are the numbers of texts, the longest first, that have a word at each step (None: all). With `summed`, x gets
    its relevance summed over E, [T, B], instead of a carry.
    """
    walk = _Walk(sides, epsilon, alive)
    walk.forwards()
    return walk.backwards(steps=steps, summed=summed)


class _Walk:
    """One level of an LSTM: forwards for the gates, backwards for the relevance."""

    def __init__(self, sides: Sequence[Side], epsilon: float, alive: list[int] | None) -> None:
        self.sides, self.epsilon, self.alive = sides, epsilon, alive
        (count, batch, size), like = sides[0].h.shape, sides[0].h
        self.count, self.batch, self.size = count, batch, size
        self.sure = epsilon * epsilon >= 4 * torch.finfo(like.dtype).eps
        self.scale = 2.0 if self.sure else 1.0
        rows, own = slice(0, (3 if self.sure else 4) * size), slice(2 * size, 3 * size)
        self.weights, self.bias = [], []
        for cell in (side.cell for side in sides):
            weights, bias = torch.cat([cell.w[rows], cell.u[rows]], 1), like.new_zeros(rows.stop)
            weights[own] *= self.scale
            if cell.b is not None:
                bias.copy_(cell.b[rows])
                bias[own] *= self.scale
            self.weights.append(weights)
            self.bias.append(bias)
        self.own = own
        kept = [like.new_empty(len(sides), *like.shape) for _ in range(3 if self.sure else 4)]
        self.f, self.v, self.c = kept[:3]  # v = i g / (z + ε s(z)), with the sign of z
        self.a = None if self.sure else kept[3]  # h / (c + ε s(c))

    def _pieces(self) -> Iterator[tuple[slice, int]]:
        """Cut time into pieces, each with the number of texts that have a word at its first step."""
        start = 0
        while start < self.count:
            texts = self.batch if self.alive is None else self.alive[start]
            stop = start + pieces(self.count - start, texts * self.size)[0].stop
            yield slice(start, stop), texts
            start = stop

    def forwards(self) -> None:
        """Work out the gates from x and h, and walk c forwards."""
        size, last = self.size, torch.stack([side.c0 for side in self.sides]) / self.scale
        for piece, texts in self._pieces():
            gates = self._gates(piece, texts)  # [D, n, B, 3H]
            f, v, c = (each[:, piece, :texts] for each in (self.f, self.v, self.c))
            i, forget, z = (gates[..., k * size : (k + 1) * size] for k in range(3))
            stable = z.abs().add_(self.scale * self.epsilon)
            if self.sure:
                gates.sigmoid_()
                new = torch.sub(z, 0.5).mul_(i)
                torch.div(new, stable, out=v)
            else:
                pre, nothing = z.clone(), z == 0
                gates.sigmoid_()
                new = pre.tanh().mul_(i)
                v.copy_(torch.where(nothing, i, new / stable.masked_fill_(nothing, 1.0)))
            f.copy_(forget)
            last = last[:, :texts]
            for now, keep, added in zip(c.unbind(1), f.unbind(1), new.unbind(1), strict=True):
                last = torch.addcmul(added, keep, last, out=now)
            if self.a is not None:
                o, nothing = gates[..., 3 * size :], c == 0
                stable = c.abs().add_(self.epsilon).masked_fill_(nothing, 1.0)
                self.a[:, piece, :texts] = torch.where(nothing, o, o * (c.tanh().abs_() / stable))

    def _part(self, d: int, name: str, start: int, stop: int, texts: int) -> torch.Tensor:
        """Return steps of x, h or what arrived at h in one direction, in reading order."""
        side, data = self.sides[d], getattr(self.sides[d], name)
        if not side.flipped:
            return data[start:stop, :texts]
        return data[self.count - stop : self.count - start, :texts].flip(0)

    def _parts(self, name: str, piece: slice, texts: int) -> torch.Tensor:
        return torch.stack([self._part(d, name, piece.start, piece.stop, texts) for d in range(len(self.sides))])

    def _gates(self, piece: slice, texts: int) -> torch.Tensor:
        count, width, first = piece.stop - piece.start, self.sides[0].x.shape[-1], piece.start == 0
        states = self.c.new_empty(count, texts, width + self.size)
        gates = self.c.new_empty(len(self.sides), count * texts, len(self.weights[0]))
        for d, side in enumerate(self.sides):
            states[..., :width] = self._part(d, "x", piece.start, piece.stop, texts)
            states[first:, :, width:] = self._part(d, "h", piece.start - (not first), piece.stop - 1, texts)
            if first:
                states[0, :, width:] = side.h0[:texts]
            torch.addmm(self.bias[d], states.flatten(0, 1), self.weights[d].t(), out=gates[d])
        return gates.view(len(self.sides), count, texts, -1)

    def _shares(self, piece: slice, texts: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what q_t and k_{t+1} are multiplied with to give k_t, [D, n, B, H]."""
        ahead = slice(piece.start + 1, min(piece.stop + 1, self.count))
        c = self.c[:, piece, :texts].abs()
        keep = torch.zeros_like(c)
        keep[:, : ahead.stop - ahead.start] = self.f[:, ahead, :texts]
        if self.alive is not None and piece.stop < self.count:
            keep[:, -1, self.alive[piece.stop] :] = 0.0
        a = None if self.a is None else self.a[:, piece, :texts].clone()
        if self.epsilon:
            stable = c + self.epsilon / self.scale
            keep.mul_(c.div_(stable))
            if a is None:
                a = self._parts("h", piece, texts).abs_().div_(stable)
        assert a is not None
        return a, keep

    def backwards(self, *, steps: bool, summed: bool) -> list[Back]:
        """Go from the last piece to the first."""
        sides, like, own = self.sides, self.sides[0].h, self.own
        faint, make = FAINT[like.dtype], torch.empty_like if self.alive is None else torch.zeros_like
        width = sides[0].x.shape[-1]
        w, u = [weights[own, :width] for weights in self.weights], torch.stack([each[own, width:] for each in self.weights])
        to_x = [make(side.x[..., 0] if summed else side.x, memory_format=torch.contiguous_format) for side in sides]
        rows = like.new_zeros(len(sides), self.batch, self.size)
        lost_z, lost_c, taken, k, p = (rows.clone() for _ in range(5))
        over_time = like.new_zeros(2, len(sides), *like.shape[:2]) if steps else None
        ends = self._ends()
        for piece, texts in reversed(list(self._pieces())):
            a, keep = self._shares(piece, texts)
            v, c = self.v[:, piece, :texts], self.c[:, piece, :texts]
            write, q = v.abs(), self._parts("arrived", piece, texts)
            k, p = _widened(k, texts), _widened(p, texts)
            views = zip(range(piece.start, piece.stop), *(each.unbind(1) for each in (q, a, keep, write)), strict=True)
            for t, now_q, now, now_keep, now_write in reversed(list(views)):
                if len(sides) == 1:
                    now_q[0].addmm_(p[0], u[0])
                else:
                    now_q.baddbmm_(p, u)
                now.mul_(now_q).addcmul_(k, now_keep)
                if t in ends:
                    now += ends[t][:, :texts]
                if t % _EVERY == 0:
                    now.copy_(torch.hardshrink(now, faint))
                k, p = now, now_write.mul_(now)
            for d, out in enumerate(to_x):
                carry = torch.mm(write[d].flatten(0, 1), w[d]).view(*write.shape[1:3], -1)
                if summed:
                    carry = carry.mul_(self._part(d, "x", piece.start, piece.stop, texts)).sum(-1)
                out[piece, :texts] = carry
            taken[:, :texts] += write.sum(1)
            sign = c.sign()
            if self.epsilon:
                lost_z[:, :texts] += (v * a).sum(1)
                lost_c[:, :texts] += (sign * a).sum(1)
            if over_time is not None:
                over_time[0, :, piece, :texts] = (self._parts("h", piece, texts) * q).sum(-1)
                over_time[1, :, piece, :texts] = ((c + sign * (self.epsilon / self.scale)) * a).sum(-1)
        backs = []
        for d, side in enumerate(sides):
            tally = Tally()
            if side.cell.b is not None:
                tally.amounts["bias"] = taken[d] @ self.bias[d][own]
            if self.epsilon:
                tally.amounts["stabiliser"] = self.epsilon * (self.scale * lost_z[d] + lost_c[d] / self.scale).sum(-1)
            words, total = ((None, None), to_x[d]) if summed else ((to_x[d], None), None)
            hidden, cell = (None, None) if over_time is None else over_time[:, d]
            backs.append(Back(words, (p[d] @ u[d], None), (self.f[d, 0] * k[d] / self.scale, None), tally, hidden, cell, total))
        return backs

    def _ends(self) -> dict[int, torch.Tensor]:
        """Return what comes back to c_n as a carry of c, [D, B, H], at the steps where texts end."""
        if all(side.end is None for side in self.sides):
            return {}
        given = torch.stack([torch.zeros_like(side.c0) if side.end is None else side.end for side in self.sides]) * self.scale
        found = {}
        for t in self.sides[0].at.unique().tolist():
            mine, c = (self.sides[0].at == t)[None, :, None], self.c[:, t].abs()
            whole = c / (c + self.epsilon / self.scale) if self.epsilon else torch.ones_like(c)
            found[int(t)] = torch.where(mine, given * whole, 0.0)
        return found


def _widened(tensor: torch.Tensor, texts: int) -> torch.Tensor:
    """Keep the rows [D, B, H] of the first texts, or add rows of zeros for texts that end earlier."""
    if tensor.shape[1] >= texts:
        return tensor[:, :texts]
    wide = tensor.new_zeros(len(tensor), texts, tensor.shape[2])
    wide[:, : tensor.shape[1]] = tensor
    return wide
