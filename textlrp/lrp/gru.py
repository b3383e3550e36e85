"""The GRU under the *all* gate rule and LRP-0 or LRP-ε, fast: the same as `stepwise.gru`, with carries, and one product a step.

With m = U h_{t−1} + b', v = r ⊙ m, n = tanh(W x + b + v), h = (1 − z) ⊙ n + z ⊙ h_{t−1}, backwards in time, s = sign:

    k_t = q_t · h_t / (h_t + ε s(h_t))                     the sum
    p_t = k_t · (1 − z_t) n_t / (a_t + ε s(a_t))           n = tanh(a), the map of x and v
    o_t = p_t · r_t m_t / (m_t + ε s(m_t))                 the map of h_{t−1}
    q_{t−1} += z_t k_t + Uᵀ o_t,    and Wᵀ p_t is the carry of x_t
"""

from __future__ import annotations

import torch

from textlrp.lrp.affine import affine
from textlrp.lrp.cells import Above, Back, Cell, Tally, pieces, shift
from textlrp.lrp.lstm import FAINT
from textlrp.lrp.numbers import signed

__all__ = ["gru_all"]

_EVERY = 8


def gru_all(
    x: torch.Tensor, h: torch.Tensor, h0: torch.Tensor, cell: Cell, above: Above, epsilon: float, *, steps: bool
) -> Back:
    """Return the carries of x [T, B, E] and h_0, for the carry of h [T, B, H]."""
    assert above.c is not None
    q = above.c.clone(memory_format=torch.contiguous_format)
    size, x, states = h.shape[-1], x.contiguous(), shift(h0, h)
    own = slice(2 * size, 3 * size)
    sums, keep, write, inner = (torch.empty_like(states) for _ in range(4))  # what k, q_{t−1}, p and o are made with
    a, m = torch.empty_like(states), torch.empty_like(states)
    for piece in pieces(len(x), h[0].numel()):
        from_x, from_h = affine(x[piece], cell.w, cell.b_ih), affine(states[piece], cell.u, cell.b_hh)
        gates = (from_x[..., : 2 * size] + from_h[..., : 2 * size]).sigmoid_()
        r, z = gates.split(size, -1)
        m[piece], keep[piece] = from_h[..., own], z
        torch.addcmul(from_x[..., own], r, m[piece], out=a[piece])
        torch.mul(1 - z, _over(a[piece].tanh(), a[piece], epsilon), out=write[piece])
        torch.mul(r, _over(m[piece], m[piece], epsilon), out=inner[piece])
        sums[piece] = _over(h[piece], h[piece], epsilon)
    u, faint = cell.u[own], FAINT[h.dtype]
    with torch.inference_mode():  # calls take less time then; all that is written to was made outside
        after, left = None, len(x)
        steps_of_all = zip(*(each.unbind(0) for each in (q, sums, keep, write, inner)), strict=True)
        for q_t, k, z, p, o in reversed(list(steps_of_all)):
            if after is not None:
                k_after, z_after, o_after = after
                q_t.addmm_(o_after, u).addcmul_(z_after, k_after)
            left -= 1
            if left % _EVERY == 0:
                torch.hardshrink(q_t, faint, out=q_t)
            o.mul_(p.mul_(k.mul_(q_t)))
            after = k, z, o
    k, p, o = sums, write, inner
    tally = Tally()
    for bias, amount in ((cell.b_ih, p), (cell.b_hh, o)):
        if bias is not None:
            lost = amount.sum(0) @ bias[own]
            tally.amounts["bias"] = tally.amounts["bias"] + lost if "bias" in tally.amounts else lost
    if epsilon:
        total = torch.zeros_like(h0)
        for piece in pieces(len(x), h[0].numel()):
            for value, carry in ((h, k), (a, p), (m, o)):
                total += signed(value[piece], epsilon).mul_(carry[piece]).sum(0)
        tally.amounts["stabiliser"] = total.sum(-1)
    back = torch.addmm(keep[0] * k[0], o[0], u)
    return Back((affine(p, cell.w[own].t()), None), (back, None), (None, None), tally, (h * q).sum(-1) if steps else None)


def _over(numerator: torch.Tensor, z: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Return numerator / (z + ε s(z)), whose limit at z = 0 is 1 without a stabiliser."""
    if epsilon:
        return numerator / signed(z, epsilon).add_(z)
    empty = z == 0
    return torch.where(empty, 1.0, numerator / z.masked_fill(empty, 1.0))
