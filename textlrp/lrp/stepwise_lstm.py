"""The LSTM under any rule and any gate rule, backwards in time, in relevance proper (Arras et al. 2019).

R_h and R_c of a step give all its other relevance, by factors that the forward pass alone determines. They are worked out for
all steps at once, with the denominators of the map of x_t and h_{t−1} multiplied into them: then a step is one product and
six multiplications.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from textlrp.lrp.cells import Above, Back, Cell, Tally, Totals, book_split, shift
from textlrp.lrp.gates import Amount, Gate
from textlrp.lrp.linear import prepare
from textlrp.lrp.maps import DenseMap
from textlrp.lrp.rule import Rule
from textlrp.lrp.share import Messages, Share
from textlrp.lrp.stepwise import Walk, arriving, plus

__all__ = ["lstm"]


def lstm(
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
    """Bring relevance back through an LSTM: x [T, B, E], h [T, B, P], h_0 [B, P], c_0 [B, H]."""
    tally, size, x, before = Tally(), c0.shape[-1], x.contiguous(), shift(h0, h)
    known = slice(0, (4 if gate.reaches_gates or gate.by_value or cell.projection is not None else 3) * size)
    bias = None if cell.b is None else cell.b[known]
    z = functional.linear(x, cell.w[known], bias)
    z.flatten(0, 1).addmm_(before.flatten(0, 1), cell.u[known].t())
    z_i, z_f, z_g, *z_out = z.split(size, -1)
    z_o = z_out[0] if z_out else z_f  # else nobody asks for it
    i, f, g = z_i.sigmoid(), z_f.sigmoid(), (2 * z_g).sigmoid_().mul_(2).sub_(1)  # tanh, ten times as fast
    new, states = i * g, c0.new_empty(len(x) + 1, *c0.shape)
    states[0] = c0
    for now, added, keep, last in zip(states[1:].unbind(0), new.unbind(0), f.unbind(0), states[:-1].unbind(0), strict=True):
        torch.addcmul(added, keep, last, out=now)
    c, c_before = states[1:], states[:-1]
    out, kept, write = (gate.split(g, s, rule.epsilon) for g, s in ((z_o, c), (z_f, c_before), (z_i, z_g)))
    total = Totals(f * c_before, new, c, rule)
    rows, pre = (slice(0, 4 * size), z) if gate.reaches_gates else (slice(2 * size, 3 * size), z_g)
    parts = [(DenseMap(cell.w[rows], None), x), (DenseMap(cell.u[rows], None), before)]
    joint = prepare(rule, parts, None if cell.b is None else cell.b[rows], pre)
    shares = [_times(total.b, write.signal)]  # of the map's outputs, in R_c but for the last, which is in R_h
    if gate.reaches_gates:
        shares = [_times(total.b, write.gate), _times(total.a, kept.gate), *shares, _share(c, out.gate)]
    ahead = _Map(joint, torch.cat(shares, -1), gated=gate.reaches_gates)
    project = None
    if cell.projection is not None:
        project = Walk(rule, [(DenseMap(cell.projection, None), z_o.sigmoid() * c.tanh())], None, h, tally)
    r_h, r_c = torch.empty_like(h), torch.empty_like(c)
    r_m = r_h if project is None else torch.empty_like(c)
    to_c, keep_c = _share(c, out.signal), _times(total.a, kept.signal)
    back: tuple[torch.Tensor | None, torch.Tensor | None] = (None, None)
    last_c, arrived = torch.zeros_like(c0), arriving(above, h)
    each = list(zip(*(part.unbind(0) for part in (arrived, h, before, r_h, r_m, r_c, to_c, keep_c)), strict=True))
    for t, (from_above, h_t, h_before, now_h, now_m, now_c, signal, keep) in reversed(list(enumerate(each))):
        now_h.copy_(from_above if t + 1 == len(x) else from_above + plus(*back, h_t))
        if project is not None:
            now_m.copy_(project.relevance(now_h, t))
        torch.addcmul(last_c, now_m, signal, out=now_c)
        if above.c_n is not None:
            now_c += c[t] * above.c_n * (above.at == t)[:, None]
        back = joint.back((parts[1][0], h_before), ahead.send(now_m, now_c, t), t)
        last_c = now_c * keep
    if project is not None:
        project.finish()
    total.book_all(tally, r_c)
    if out.stabiliser is not None or out.loss is not None:
        for split, relevance in ((out, r_m), (kept, total.a * r_c), (write, total.b * r_c)):
            book_split(tally, split, relevance)
    joint.book(ahead.relevance(r_m, r_c) if joint.by_relevance else r_c, ahead.sent, tally.book)
    to_x = joint.back(parts[0], ahead.sent)
    hidden, over_time = (r_h.sum(-1), r_c.sum(-1)) if steps else (None, None)
    return Back(to_x, back, (None, last_c), tally, hidden, over_time)


class _Map:
    """The map of x_t and h_{t−1}: how much of R_c, and for the output gate of R_h, each of its outputs gets, [T, B, k·H]."""

    def __init__(self, share: Share, to_map: torch.Tensor, *, gated: bool) -> None:
        self.to_map, self.gated = to_map, gated
        self.factors = share.factors * to_map  # [F, T, B, k·H]
        self.sent = torch.empty_like(self.factors)
        self.steps = list(zip(self.factors.unbind(1), self.sent.unbind(1), strict=True))

    def send(self, r_h: torch.Tensor, r_c: torch.Tensor, t: int) -> Messages:
        """Return the messages of step t, which are kept in `sent`."""
        factor, message = self.steps[t]
        return torch.mul(factor, self._given(r_h, r_c), out=message)

    def relevance(self, r_h: torch.Tensor, r_c: torch.Tensor) -> torch.Tensor:
        """Return the relevance of the map's outputs, [T, B, k·H]."""
        return self.to_map * self._given(r_h, r_c)

    def _given(self, r_h: torch.Tensor, r_c: torch.Tensor) -> torch.Tensor:
        return torch.cat([r_c, r_c, r_c, r_h], -1) if self.gated else r_c


def _share(like: torch.Tensor, share: Amount | None) -> torch.Tensor:
    assert share is not None
    return share if isinstance(share, torch.Tensor) else torch.full_like(like, share)


def _times(amount: torch.Tensor, share: Amount | None) -> torch.Tensor:
    assert share is not None
    return amount if isinstance(share, float) and share == 1 else amount * share
