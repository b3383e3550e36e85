"""A stretch of steps of one direction of an LSTM, under any rule and gate rule: what the forward pass alone determines."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from textlrp.lrp.affine import affine
from textlrp.lrp.cells import Above, Cell, Tally, Totals, book_split, shift
from textlrp.lrp.forward_steps import Worked
from textlrp.lrp.gates import Amount, Gate
from textlrp.lrp.linear import prepare
from textlrp.lrp.maps import DenseMap
from textlrp.lrp.rule import Rule
from textlrp.lrp.share import Carried, Messages, Part
from textlrp.lrp.stepwise import Walk, plus

__all__ = ["Direction", "Stretch"]


class Direction:
    """One direction of an LSTM: x [T, B, E], h [T, B, P], h_0 [B, P], c_0 [B, H]. `kept` are i ⊙ g and c, [T, B, H], if the
    forward pass gave them, `worked` these and all pre-activations."""

    def __init__(
        self,
        x: torch.Tensor,
        h: torch.Tensor,
        h0: torch.Tensor,
        c0: torch.Tensor,
        cell: Cell,
        above: Above,
        rule: Rule,
        gate: Gate,
        kept: Sequence[torch.Tensor] | None = None,
        worked: Worked | None = None,
    ) -> None:
        self.x, self.h, self.c0, self.cell, self.above, self.rule, self.gate = x.contiguous(), h, c0, cell, above, rule, gate
        self.size, self.tally, self.before = c0.shape[-1], Tally(), shift(h0, h)
        self.rows = slice(None) if gate.reaches_gates else slice(2 * self.size, 3 * self.size)  # that relevance goes to
        self.words, self.state = DenseMap(cell.w[self.rows], None), DenseMap(cell.u[self.rows], None)
        self.bias = None if cell.b is None else cell.b[self.rows]
        self.worked_out: tuple[torch.Tensor, torch.Tensor] | None = None  # W x and all pre-activations, [T, B, 4H]
        if worked is not None:
            self.worked_out, kept = worked[:2], worked[2:]
        elif kept is None:
            self.worked_out = self._pre_activations(slice(None), slice(None))
            kept = _forwards(self.worked_out[1], c0)
        self.new, self.c = kept
        self.c_before = shift(c0, self.c)
        self.project: Walk | None = None
        if cell.projection is not None:
            assert self.worked_out is not None
            m = self.worked_out[1][..., 3 * self.size :].sigmoid().mul_(self.c.tanh())
            self.project = Walk(rule, [(DenseMap(cell.projection, None), m)], None, h, self.tally)

    def _pre_activations(self, at: slice, rows: slice) -> tuple[torch.Tensor, torch.Tensor]:
        """Return W x, and W x + U h_{t−1} + b, at some steps, for some rows of the weights."""
        y, b = affine(self.x[at], self.cell.w[rows]), self.cell.b
        return y, affine(self.before[at], self.cell.u[rows], None if b is None else b[rows]).add_(y)

    def pre_activations(self, at: slice) -> tuple[torch.Tensor, torch.Tensor]:
        """Return W x and W x + U h_{t−1} + b at some steps: of all gates, [K, B, 4H], or of g alone if no more are needed."""
        if self.worked_out is not None:
            return self.worked_out[0][at], self.worked_out[1][at]
        return self._pre_activations(at, slice(None) if self.gate.by_value else self.rows)

    def from_end(self, t: int) -> torch.Tensor:
        """Return the relevance that comes to c of step t from c_n, [B, H]."""
        assert self.above.c_n is not None
        return self.c[t] * self.above.c_n * (self.above.at == t)[:, None]


def _forwards(z: torch.Tensor, c0: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return i g and c, [T, B, H], from the pre-activations."""
    z_i, z_f, z_g, _ = z.split(c0.shape[-1], -1)
    f, new, last = z_f.sigmoid(), z_i.sigmoid().mul_(z_g.tanh()), c0
    c = torch.empty_like(new)
    for now, added, keep in zip(c.unbind(0), new.unbind(0), f.unbind(0), strict=True):
        last = torch.addcmul(added, keep, last, out=now)
    return new, c


class Stretch:
    """Some steps: how the map of x_t and h_{t−1} shares (`joint`), and the gates and sums (`out`, `keep`, `write`, `total`)."""

    def __init__(self, side: Direction, at: slice) -> None:
        self.side, size, gate, rule = side, side.size, side.gate, side.rule
        new, c, c_before = side.new[at], side.c[at], side.c_before[at]
        self.y, z = side.pre_activations(at)
        z_i, z_f, z_g, z_o = z.split(size, -1) if z.shape[-1] > size else (z, z, z, z)  # the others nobody asks for
        self.out, self.keep, self.write = (gate.split(g, s, rule.epsilon) for g, s in ((z_o, c), (z_f, c_before), (z_i, z_g)))
        self.total = Totals(c - new, new, c, rule)  # f c_{t−1} = c_t − i_t g_t
        self.to_map = self._to_map(c)
        self.h, self.words, self.state = side.h[at], (side.words, side.x[at]), (side.state, side.before[at])
        parts: list[Part] = [self.words, self.state]
        self.joint = prepare(rule, parts, side.bias, z if gate.reaches_gates else z_g)
        self.at = at

    def put(self, arrived: torch.Tensor, to_c: torch.Tensor, keep_c: torch.Tensor) -> None:
        """Write what comes to h from above, [K, B, P], and what c gets of R_h and the c before of R_c, [K, B, H]."""
        c_h, r_h = (None if part is None else part[self.at] for part in self.side.above[:2])
        if c_h is not None and r_h is None:
            torch.mul(c_h, self.h, out=arrived)
        else:
            arrived.copy_(plus(c_h, r_h, self.h))
        assert self.out.signal is not None
        assert self.keep.signal is not None
        to_c[:] = self.out.signal
        torch.mul(self.total.a, self.keep.signal, out=keep_c)

    def _to_map(self, c: torch.Tensor) -> torch.Tensor:
        """Return the shares of the map's outputs, [K, B, k·H]: of R_c but for the last, which is of R_h."""
        out, keep, write, total = self.out, self.keep, self.write, self.total
        if not self.side.gate.reaches_gates:
            return _times(total.b, write.signal)
        found = c.new_empty(*c.shape[:-1], 4 * c.shape[-1])
        pairs = (total.b, write.gate), (total.a, keep.gate), (total.b, write.signal)
        *first, last = found.chunk(4, -1)
        for into, (amount, share) in zip(first, pairs, strict=True):
            assert share is not None
            torch.mul(amount, share, out=into)
        last.copy_(_share(out.gate, last))
        return found

    def back(self, messages: Messages, t: int) -> Carried:
        """Return c and r of h before step t of these, counted from 0."""
        return self.joint.back((self.side.state, self.state[1][t]), messages, t)

    def finish(
        self, r_m: torch.Tensor, r_c: torch.Tensor, given: torch.Tensor, sent: Messages, *, summed: bool
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]:
        """Book what was absorbed, and return c and r of x, or its relevance summed over E; `given` and `sent` are
        overwritten."""
        tally, total, joint = self.side.tally, self.total, self.joint
        total.book_all(tally, r_c)
        out, keep, write = (split.stabiliser if split.loss is None else None for split in (self.out, self.keep, self.write))
        if isinstance(out, torch.Tensor) and isinstance(keep, torch.Tensor) and isinstance(write, torch.Tensor):
            tally.book("stabiliser", keep.mul_(total.a).addcmul_(write, total.b).mul_(r_c).addcmul_(out, r_m))
        elif self.out.stabiliser is not None or self.out.loss is not None:
            for split, relevance in ((self.out, r_m), (self.keep, total.a * r_c), (self.write, total.b * r_c)):
                book_split(tally, split, relevance)
        sums = sent.sum(1)
        joint.book_bias(sums, tally.book)
        joint.book_rest(given.mul_(self.to_map) if joint.by_relevance else r_c, sums if joint.by_sums else sent, tally.book)
        if not summed:
            return *joint.back(self.words, sent), None
        y = self.y if self.y.shape == sent.shape[1:] else self.y[..., self.side.rows]
        found = joint.summed(y, sent)
        return None, None, plus(*joint.back(self.words, sent), self.words[1]).sum(-1) if found is None else found


def _share(share: Amount | None, like: torch.Tensor) -> torch.Tensor:
    assert share is not None
    return share if isinstance(share, torch.Tensor) else torch.full_like(like, share)


def _times(amount: torch.Tensor, share: Amount | None) -> torch.Tensor:
    assert share is not None
    return amount if isinstance(share, float) and share == 1 else amount * share
