"""GRU and RNN under any rule and any gate rule, step by step backwards in time, in relevance proper; the LSTM is in
stepwise_lstm.py.

What depends on the forward pass alone (gates, denominators, shares) is worked out for all steps at once. Only the relevance
of h and c walks through time. The equations are those of Arras et al. 2019; the GRU's are in the same manner, each product
and each sum for itself.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from textlrp.lrp.cells import Above, Back, Cell, Product, Tally, Totals, shift
from textlrp.lrp.gates import Gate
from textlrp.lrp.linear import prepare
from textlrp.lrp.maps import DenseMap, DiagonalMap
from textlrp.lrp.rule import Rule
from textlrp.lrp.share import Carried, Messages, Part

__all__ = ["Walk", "arriving", "gru", "plus", "rnn"]


class Walk:
    """A linear map that is gone through step by step; the messages are kept, for one product and the ledger at the end."""

    def __init__(self, rule: Rule, parts: list[Part], bias: torch.Tensor | None, z: torch.Tensor, tally: Tally) -> None:
        self.parts, self.tally = parts, tally
        self.share = prepare(rule, parts, bias, z)
        self.inputs = parts[-1][1].unbind(0)
        self.kept: list[tuple[torch.Tensor, Messages]] = []

    @classmethod
    def joint(
        cls, rule: Rule, cell: Cell, rows: slice, x: torch.Tensor, h: torch.Tensor, z: torch.Tensor, tally: Tally
    ) -> Walk:
        """Return the map of x_t and h_{t−1} together, for some rows of the weights."""
        bias = None if cell.b is None else cell.b[rows]
        return cls(rule, [(DenseMap(cell.w[rows], None), x), (DenseMap(cell.u[rows], None), h)], bias, z, tally)

    def step(self, relevance: torch.Tensor, t: int) -> Carried:
        """Return c and r of the last part's input at step t."""
        messages = self.share.weigh(relevance, t)
        self.kept.append((relevance, messages))
        return self.share.back((self.parts[-1][0], self.inputs[t]), messages, t)

    def relevance(self, relevance: torch.Tensor, t: int) -> torch.Tensor:
        """Return the relevance of the last part's input at step t."""
        return plus(*self.step(relevance, t), self.inputs[t])

    def finish(self) -> Carried:
        """Book what was absorbed on the way, and return c and r of the first part's input, at all steps."""
        messages = torch.stack([kept[1] for kept in self.kept[::-1]], 1)
        self.share.book(torch.stack([kept[0] for kept in self.kept[::-1]]), messages, self.tally.book)
        return self.share.back(self.parts[0], messages)


def plus(c: torch.Tensor | None, r: torch.Tensor | None, x: torch.Tensor) -> torch.Tensor:
    """Return R = x · c + r."""
    if c is None:
        return torch.zeros_like(x) if r is None else r
    return x * c if r is None else torch.addcmul(r, x, c)


def arriving(above: Above, h: torch.Tensor) -> torch.Tensor:
    """Return the relevance that comes to h from above."""
    return plus(above.c, above.r, h)


def gru(
    x: torch.Tensor,
    h: torch.Tensor,
    h0: torch.Tensor,
    c0: torch.Tensor,
    cell: Cell,
    above: Above,
    rule: Rule,
    gate: Gate,
    *,
    steps: bool,
) -> Back:
    """Bring relevance back through a GRU: n = tanh(W x + b + r ⊙ m), m = U h_{t−1} + b', h = (1 − z) ⊙ n + z ⊙ h_{t−1}."""
    tally, size, x, before = Tally(), h0.shape[-1], x.contiguous(), shift(h0, h)
    from_x, from_h = functional.linear(x, cell.w, cell.b_ih), functional.linear(before, cell.u, cell.b_hh)
    gated = slice(0, 2 * size)
    z_gates = from_x[..., gated] + from_h[..., gated]
    z_r, z_z = z_gates.split(size, -1)
    r, z, m = z_r.sigmoid(), z_z.sigmoid(), from_h[..., 2 * size :]
    v = r * m
    z_n = from_x[..., 2 * size :] + v
    n = z_n.tanh()
    total = Totals((1 - z) * n, z * before, h, rule)
    new, keep, inner = (Product(gate, g, s, rule) for g, s in ((-z_z, z_n), (z_z, before), (z_r, m)))
    own = slice(2 * size, 3 * size)
    bias_x, bias_h = (None if each is None else each[own] for each in (cell.b_ih, cell.b_hh))
    words = DenseMap(cell.w[own], None), x
    outer = Walk(rule, [words, (DiagonalMap(torch.ones_like(h0[0]), None), v)], bias_x, z_n, tally)
    state = Walk(rule, [(DenseMap(cell.u[own], None), before)], bias_h, m, tally)
    joint = Walk.joint(rule, cell, gated, x, before, z_gates, tally) if gate.reaches_gates else None
    arrived, hidden = arriving(above, h), torch.zeros_like(h)
    r_h = torch.zeros_like(h0)
    for t in range(len(x) - 1, -1, -1):
        r_h = r_h + arrived[t]
        if steps:
            hidden[t] = r_h
        r_new, r_keep = total(r_h, t)
        g_new, r_n = new(r_new, t)
        g_keep, r_h = keep(r_keep, t)
        g_r, r_m = inner(outer.relevance(r_n, t), t)
        r_h = r_h + state.relevance(r_m, t)
        if joint is not None:
            assert g_new is not None
            assert g_keep is not None
            assert g_r is not None
            r_h = r_h + joint.relevance(torch.cat([g_r, g_new + g_keep], -1), t)
    state.finish()
    for each in (total, new, keep, inner):
        each.book(tally)
    c_x, r_x = outer.finish()
    if joint is not None:
        more_c, more_r = joint.finish()
        c_x, r_x = _sum(c_x, more_c), _sum(r_x, more_r)
    return Back((c_x, r_x), (None, r_h), (None, None), tally, hidden.sum(-1) if steps else None)


def _sum(a: torch.Tensor | None, b: torch.Tensor | None) -> torch.Tensor | None:
    return b if a is None else (a if b is None else a + b)


def rnn(
    x: torch.Tensor,
    h: torch.Tensor,
    h0: torch.Tensor,
    c0: torch.Tensor,
    cell: Cell,
    above: Above,
    rule: Rule,
    gate: Gate,
    *,
    steps: bool,
) -> Back:
    """Bring relevance back through h = f(W x + U h_{t−1} + b); f passes it."""
    tally, x, before = Tally(), x.contiguous(), shift(h0, h)
    z = functional.linear(x, cell.w, cell.b) + before @ cell.u.t()
    joint = Walk.joint(rule, cell, slice(0, h0.shape[-1]), x, before, z, tally)
    arrived, hidden = arriving(above, h), torch.zeros_like(h)
    back_h = torch.zeros_like(h0)
    for t in range(len(x) - 1, -1, -1):
        back_h = back_h + arrived[t]
        hidden[t] = back_h
        back_h = joint.relevance(back_h, t)
    return Back(joint.finish(), (None, back_h), (None, None), tally, hidden.sum(-1) if steps else None)
