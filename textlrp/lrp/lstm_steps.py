"""What the fast walk of an LSTM (see lstm.py) asks of each cell and step: c, f c of the step before it, which is c − i g, and
v = i g / (z + ε s(z)), z of the gate g.

`Kept`: the forward pass kept i g and c (see forward.py), and z is worked out from x and h when the walk comes to its piece.
W x and, for LRP-γ, |W| |x|, which it meets on the way, give words their relevance without a product: Σ_e x_e (Wᵀp)_e = p · W x.
`WorkedOut`: all gates follow from h, which the forward pass gave, by one product, and c walks forwards first.

Where gates have to be worked out and ε allows, z is doubled inside and c halved: then i g / 2 = i (σ(2z) − ½), and one sigmoid
serves all gates (tanh costs ten times as much); lstm.py gets k doubled and p halved, and U, doubled like z, sets that right.

LRP-γ divides by z + s(z) (r T + ε/(1 + γ/2)), T = Σ |a| + |b| of the contributions a, r = γ/(2 + γ).

Arrays are rows (see rows.py), of both directions side by side in reading order: [D, N, H], D = 1 or 2.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from textlrp.lrp.affine import affine
from textlrp.lrp.cells import Cell
from textlrp.lrp.rows import Piece, Rows
from textlrp.lrp.scratch import scratch

__all__ = ["Direction", "Shares", "Steps", "steps_of"]


class Direction(NamedTuple):
    """One direction of a level: x [N, E], h [N, H] and the carry that comes back to h, if any, as rows in the order of the
    data, which is `turned` to be read; h_0 and c_0 [B, H], its weights, and the carries of h_n and c_n, [B, H], if any."""

    x: torch.Tensor
    h: torch.Tensor
    arrived: torch.Tensor | None
    h0: torch.Tensor
    c0: torch.Tensor
    cell: Cell
    to_h_n: torch.Tensor | None
    to_c_n: torch.Tensor | None
    turned: bool


class Shares(NamedTuple):
    """v of some steps, [D, n, H], with the sign of z; of each direction h, [n, H], and, if they are known, W x + b and, for
    LRP-γ, r (|W| |x| + |b|), [n, H], the caller's to write to."""

    v: torch.Tensor
    h: list[torch.Tensor]
    words: list[tuple[torch.Tensor, torch.Tensor | None]]


class Map(NamedTuple):
    """W [k, E], U [k, H] and b [k] of a map of x and h."""

    w: torch.Tensor
    u: torch.Tensor
    b: torch.Tensor

    def apply(self, x: torch.Tensor, before: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return W x + b, and W x + U h + b, [n, k]."""
        first = affine(x, self.w, self.b)
        return first, affine(before, self.u, first)


class Steps(ABC):
    """The cells of one level: its weights, and `c`, [D, N, H]; z is `scale` times what it is, c that much less."""

    c: torch.Tensor

    def __init__(self, rows: Rows, sides: Sequence[Direction], epsilon: float, gamma: float, scale: float) -> None:
        self.rows, self.sides, self.scale = rows, sides, scale
        self.share, self.epsilon_z, self.epsilon_c = gamma / (2 + gamma), scale * epsilon / (1 + gamma / 2), epsilon / scale
        self.width, self.size = sides[0].x.shape[1], sides[0].h.shape[1]
        self.pieces = list(rows.pieces(self.size))
        self.turned = rows.turned.to(sides[0].h.device) if any(side.turned for side in sides) else None
        self.g = [self.gate(side.cell, 2) for side in sides]
        if scale != 1:
            self.g = [Map(*(each * scale for each in g)) for g in self.g]
        self.more = [Map(*(each.abs() * self.share for each in g)) for g in self.g] if self.share else []

    @abstractmethod
    def at(self, piece: Piece, *, summed: bool) -> Shares:
        """Return what is known of the steps of a piece; `summed` if nothing but the sum of x's relevance is asked for."""

    @abstractmethod
    def factors(self, piece: Piece, v: torch.Tensor, h: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return h v / (c + ε s(c)), and f_{t+1} c v / (c + ε s(c)), of the last step of a text without f, [D, n, H]; v ≥ 0."""

    @abstractmethod
    def first_f(self) -> torch.Tensor:
        """Return f of the first step, [D, B, H]."""

    def x(self, rows: slice, d: int) -> torch.Tensor:
        """Return x of some rows, [n, E]."""
        return self._see(self.sides[d].x, rows, d)

    def h(self, rows: slice, d: int) -> torch.Tensor:
        """Return h of some rows, [n, H]."""
        return self._see(self.sides[d].h, rows, d)

    def states(self, piece: Piece, d: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return h of the step before each, and h, [n, H]."""
        start, stop, sizes = piece.rows.start, piece.rows.stop, piece.sizes
        count = self.rows.sizes[piece.first - 1] if piece.first else 0  # how many texts the step before has
        if count == sizes[-1]:
            both = self.h(slice(start - count, stop), d)
            return both[: stop - start], both[count:]
        h, last = self.h(piece.rows, d), self.h(slice(start - count, start), d) if piece.first else self.sides[d].h0
        before = torch.empty_like(h, memory_format=torch.contiguous_format)
        for begin, size, steps in piece.runs():
            end = begin + size * steps
            before[begin : begin + size] = last[:size]
            if steps > 1:
                before[begin + size : end] = h[begin : end - size]
            last = h[end - size : end]
        return before, h

    def arrived(self, piece: Piece) -> list[torch.Tensor]:
        """Return the carry that comes to h from above, step by step, [D, B, H] each, contiguous, as fast products want them."""
        found: list[torch.Tensor] = []
        for (begin, size, steps), going_on in zip(piece.runs(), self.going_on(piece), strict=True):
            start = piece.rows.start + begin
            run = self.c.new_empty(steps, len(self.sides), size, self.size)
            for d, side in enumerate(self.sides):
                if side.arrived is None:
                    run[:, d] = 0
                else:
                    run[:, d] = self._see(side.arrived, slice(start, start + steps * size), d).view(steps, size, -1)
                if side.to_h_n is not None:
                    run[-1, d, going_on:] += side.to_h_n[going_on:size]  # the last step of these texts
            found += run.unbind(0)
        return found

    def _see(self, data: torch.Tensor, rows: slice, d: int) -> torch.Tensor:
        if not self.sides[d].turned:
            return data[rows]
        assert self.turned is not None
        return data.index_select(0, self.turned[rows])

    def gate(self, cell: Cell, number: int) -> Map:
        """Return the map of a gate: i, f, g or o."""
        mine = slice(number * self.size, (number + 1) * self.size)
        return Map(cell.w[mine], cell.u[mine], cell.w.new_zeros(self.size) if cell.b is None else cell.b[mine])

    def divisor(
        self, d: int, z: torch.Tensor, x: torch.Tensor, before: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return |z| + ε or, for LRP-γ, |z| + r T + ε/(1 + γ/2) in place of z, and then r times what of T is not of h."""
        z.abs_()
        if not self.more:
            return z.add_(self.epsilon_z), None
        first, total = self.more[d].apply(x.abs(), before.abs())
        return z.add_(total.add_(self.epsilon_z)), first

    def going_on(self, piece: Piece) -> list[int]:
        """Return how many texts of each run of a piece have a step after its last."""
        stop, sizes = piece.first + len(piece.sizes), self.rows.sizes
        return [*(run.size for run in piece.runs()[1:]), sizes[stop] if stop < len(sizes) else 0]

    def following(self, piece: Piece) -> Iterator[tuple[slice, slice, slice]]:
        """Yield rows of a piece that have a step after them, the rows of those steps, and the piece's rows that have none."""
        begin = piece.rows.start
        for (start, size, steps), going_on in zip(piece.runs(), self.going_on(piece), strict=True):
            end = start + size * (steps - 1) + going_on
            yield slice(start, end), slice(begin + start + size, begin + end + size), slice(end, start + size * steps)


class Kept(Steps):
    """The forward pass kept i g and c, [2, D, N, H]."""

    def __init__(self, rows: Rows, sides: Sequence[Direction], epsilon: float, gamma: float, kept: torch.Tensor) -> None:
        super().__init__(rows, sides, epsilon, gamma, scale=1.0)
        self.ig, self.c = kept.unbind(0)

    def at(self, piece: Piece, *, summed: bool) -> Shares:
        """Work out z, and with it v."""
        v, words = self.c.new_empty(len(self.sides), piece.rows.stop - piece.rows.start, self.size), []
        states = [self.states(piece, d) for d in range(len(self.sides))]
        for d, (z_map, (before, _)) in enumerate(zip(self.g, states, strict=True)):
            x = self.x(piece.rows, d)
            first, z = z_map.apply(x, before)
            divisor, more = self.divisor(d, z, x, before)
            torch.div(self.ig[d, piece.rows], divisor, out=v[d])
            if summed:
                words.append((first, more))
        return Shares(v, [h for _, h in states], words)

    def factors(self, piece: Piece, v: torch.Tensor, h: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """As f c of the step before is c − i g, and f > 0: f_{t+1} |c_t| = |c_{t+1} − i g|."""
        by = self.c[:, piece.rows].abs().add_(self.epsilon_c)
        torch.div(v, by, out=by)
        on = torch.empty_like(by)
        for here, after, ends in self.following(piece):
            torch.sub(self.c[:, after], self.ig[:, after], out=on[:, here])
            on[:, ends] = self.c[:, piece.rows][:, ends]
        return _times(h, by).abs_(), on.abs_().mul_(by)

    def first_f(self) -> torch.Tensor:
        """Work it out."""
        found, first = self.c.new_empty(len(self.sides), self.rows.sizes[0], self.size), slice(0, self.rows.sizes[0])
        for d, side in enumerate(self.sides):
            found[d] = self.gate(side.cell, 1).apply(self.x(first, d), side.h0)[1]
        return found.sigmoid_()


class WorkedOut(Steps):
    """All gates are worked out from h; `sure` if ε is large enough to do without the output gate, and to scale."""

    def __init__(self, rows: Rows, sides: Sequence[Direction], epsilon: float, gamma: float, *, sure: bool) -> None:
        super().__init__(rows, sides, epsilon, gamma, scale=2.0 if sure else 1.0)
        self.sure, like = sure, sides[0].h
        self.forget = [self.gate(side.cell, 1) for side in sides]
        others = [[self.gate(side.cell, 0), g] for side, g in zip(sides, self.g, strict=True)]
        if not sure:
            others = [[i, g, self.gate(side.cell, 3)] for side, (i, g) in zip(sides, others, strict=True)]
        self.others = [Map(*(torch.cat(parts) for parts in zip(*each, strict=True))) for each in others]
        self.f, self.v, self.c, *rest = scratch(like, 3 if sure else 4, len(sides), *like.shape).unbind(0)
        self.a = None if sure else rest[0]  # h / (c + ε s(c)), worked out from the output gate
        self._forwards()

    def at(self, piece: Piece, *, summed: bool) -> Shares:
        """Return v, which has the sign of z."""
        return Shares(self.v[:, piece.rows], [self.h(piece.rows, d) for d in range(len(self.sides))], [])

    def factors(self, piece: Piece, v: torch.Tensor, h: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Without ε, the second is f v."""
        on, stable = v.clone(), self.c[:, piece.rows].abs()
        if self.epsilon_c:
            on.mul_(stable).div_(stable.add_(self.epsilon_c))
        for here, after, _ in self.following(piece):
            on[:, here].mul_(self.f[:, after])
        return (v * self.a[:, piece.rows] if self.a is not None else _times(h, v).abs_().div_(stable)), on

    def first_f(self) -> torch.Tensor:
        """Return it."""
        return self.f[:, : self.rows.sizes[0]]

    def _forwards(self) -> None:
        """Work out the gates from x and h, and walk c forwards."""
        size, last = self.size, torch.stack([side.c0 for side in self.sides]) / self.scale
        for piece in self.pieces:
            f, v, c = (each[:, piece.rows] for each in (self.f, self.v, self.c))
            gates = c.new_empty(len(self.sides), c.shape[1], len(self.others[0].w))  # those but f, side by side
            z, i, stable = gates[..., size : 2 * size], gates[..., :size], torch.empty_like(c)
            for d, (others, forget) in enumerate(zip(self.others, self.forget, strict=True)):
                x, before = self.x(piece.rows, d), self.states(piece, d)[0]
                gates[d], f[d] = (each.apply(x, before)[1] for each in (others, forget))
                stable[d] = self.divisor(d, z[d].clone(), x, before)[0]
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
                stable = c.abs().add_(self.epsilon_c).masked_fill_(nothing, 1.0)
                self.a[:, piece.rows] = torch.where(nothing, o, o * (c.tanh().abs_() / stable))


def _times(h: Sequence[torch.Tensor], amount: torch.Tensor) -> torch.Tensor:
    """Return h, [n, H] of each direction, times [D, n, H]."""
    found = torch.empty_like(amount)
    for one, other, into in zip(h, amount, found, strict=True):
        torch.mul(one, other, out=into)
    return found


def steps_of(rows: Rows, sides: Sequence[Direction], epsilon: float, gamma: float, kept: torch.Tensor | None) -> Steps:
    """Return the cells of a level; `kept` are i g and c, [2, D, N, H], if the forward pass gave them.

    h / (c + ε s(c)) stands for o tanh(c) / (c + ε s(c)) where ε keeps this quotient exact, and c can be halved.
    """
    smallest = 4 * torch.finfo(sides[0].h.dtype).eps
    if kept is not None and epsilon >= smallest:
        return Kept(rows, sides, epsilon, gamma, kept)
    return WorkedOut(rows, sides, epsilon, gamma, sure=epsilon * epsilon >= smallest)
