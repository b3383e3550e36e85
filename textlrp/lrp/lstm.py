"""The LSTM under the *all* gate rule and LRP-0 or LRP-ε, fast: all gates from one product, a recursion with g's weights alone.

With R_h = h · q_h and R_c = c · q_c (Arras et al. 2017), backwards in time:

    k_t     = (q_c,t + q_h,t · h_t / c_t) · c_t / (c_t + ε·sign c_t)       the sum c_t = f c_{t−1} + i g
    q_t     = k_t · i g / (pre + ε·sign pre)                               g = tanh(pre), the map pre = W x + U h_{t−1} + b
    q_c,t−1 = f_t k_t,    q_h,t−1 = Uᵀ q_t,    q_x,t = Wᵀ q_t

All gates follow from h, which the forward pass gave; only c and k walk through time.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from textlrp.lrp.cells import Above, Back, Cell, Tally, shift
from textlrp.lrp.numbers import sign, stabilise

__all__ = ["FAINT", "lstm_all"]

FAINT = {torch.float32: 1e-25, torch.float64: 1e-200}  # below this a carry is 0: subnormal numbers are slow
_EVERY = 8


def gates(x: torch.Tensor, h: torch.Tensor, h0: torch.Tensor, cell: Cell) -> torch.Tensor:
    """Return the pre-activations [T, B, 4H] of i, f, g, o, from the inputs and the outputs of the layer."""
    before = shift(h0, h)
    z = F.linear(x, cell.w, cell.b)
    return z.flatten(0, 1).addmm_(before.flatten(0, 1), cell.u.t()).view_as(z)


def lstm_all(
    x: torch.Tensor,
    h: torch.Tensor,
    h0: torch.Tensor,
    c0: torch.Tensor,
    cell: Cell,
    above: Above,
    epsilon: float,
    *,
    steps: bool,
) -> Back:
    """Return the carries of x [T, B, E] and of the initial states, for the carry of h (overwritten)."""
    assert above.c is not None and above.r is None
    q = above.c
    size = h.shape[-1]
    z = gates(x, h, h0, cell)
    i, f, pre, o = z.split(size, -1)
    i, f, o = i.sigmoid(), f.sigmoid(), o.sigmoid()
    g = pre.tanh()
    c = torch.empty_like(h)
    state = c0
    for t in range(len(x)):
        state = torch.mul(f[t], state, out=c[t]).addcmul_(i[t], g[t])
    near = c == 0
    through = o * torch.where(near, 1.0, c.tanh() / c.masked_fill(near, 1.0))
    stay = 1.0 if epsilon == 0 else c / stabilise(c, epsilon)
    blocked = pre == 0 if epsilon == 0 else None
    ratio = g / stabilise(pre, epsilon) if blocked is None else torch.where(blocked, 1.0, g / pre.masked_fill(blocked, 1.0))
    ratio *= i
    u = cell.u[2 * size : 3 * size]
    k = torch.zeros_like(c0)
    ks, qs = torch.empty_like(h), ratio
    for t in range(len(x) - 1, -1, -1):
        if t + 1 < len(x):
            q[t].addmm_(qs[t + 1], u)
            k = k * f[t + 1]
        k = k + through[t] * q[t]
        if above.c_n is not None:
            k = k + above.c_n * (above.at == t)[:, None]
        if epsilon:
            k = k * stay[t]
        if t % _EVERY == 0:
            k = F.hardshrink(k, FAINT[k.dtype])
        ks[t] = k
        qs[t] *= k
    tally = Tally()
    if cell.b is not None:
        tally.amounts["bias"] = (qs @ cell.b[2 * size : 3 * size]).sum(0)
    if epsilon:
        tally.amounts["stabiliser"] = epsilon * ((sign(pre) * qs).sum((0, 2)) + (sign(c) * ks).sum((0, 2)))
    hidden = (h * q).sum(-1) if steps else None
    over_time = (stabilise(c, epsilon) * ks).sum(-1) if steps else None
    c_x = qs @ cell.w[2 * size : 3 * size]
    return Back((c_x, None), (qs[0] @ u, None), (f[0] * ks[0], None), tally, hidden, over_time)
