"""The LSTM under the *all* gate rule and LRP-0 or LRP-ε, fast: all gates from one product, a recursion with g's weights alone.

With R_h = h · q and R_c = c · q_c (Arras et al. 2017), backwards in time, s = sign, k the carry of c's two summands:

    k_t = (f_{t+1} k_{t+1} + q_t · h_t / c_t) · c_t / (c_t + ε s(c_t))     the sum c_t = f_t c_{t−1} + i_t g_t
    p_t = k_t · i_t g_t / (z_t + ε s(z_t))                                 g = tanh(z), the map z = W x + U h_{t−1} + b
    q_{t−1} += Uᵀ p_t,    and Wᵀ p_t is the carry of x_t

All gates follow from h, which the forward pass gave: one product, in pieces that fit the processor's cache. As h_t / c_t ·
c_t / (c_t + ε s) = h_t / (c_t + ε s), even the output gate is not needed, unless ε is too small to keep this quotient
exact.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from textlrp.lrp.cells import Above, Back, Cell, Tally, pieces, shift
from textlrp.lrp.numbers import signed

__all__ = ["FAINT", "lstm_all"]

FAINT = {torch.float32: 1e-25, torch.float64: 1e-200}  # below this a carry is 0: arithmetic with subnormal numbers is slow
_EVERY = 8


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
    """Return the carries of x [T, B, E] and of the initial states, for the carry of h [T, B, H] (overwritten)."""
    q = above.c
    assert q is not None
    size, count = h.shape[-1], len(x)
    exact = epsilon * epsilon >= 4 * torch.finfo(h.dtype).eps
    rows = slice(0, (3 if exact else 4) * size)
    both, b = torch.cat([cell.w[rows], cell.u[rows]], 1), None if cell.b is None else cell.b[rows]
    states = shift(h0, h)
    c, a, keep, write = (torch.empty_like(states) for _ in range(4))  # c; what q, k and p are multiplied with
    z = torch.empty_like(states)
    last = c0
    for piece in pieces(count, h[0].numel()):
        gates = functional.linear(torch.cat([x[piece], states[piece]], -1), both, b)
        gates[..., : 2 * size].sigmoid_()
        i, f, pre = gates[..., :size], gates[..., size : 2 * size], z[piece]
        pre.copy_(gates[..., 2 * size : 3 * size])
        g = pre.tanh()
        torch.mul(i, g, out=write[piece])
        for now, forget, new in zip(c[piece].unbind(0), f.unbind(0), write[piece].unbind(0), strict=True):
            last = torch.addcmul(new, forget, last, out=now)
        keep[piece] = f
        if epsilon:
            write[piece].div_(signed(pre, epsilon).add_(pre))
            stable = signed(c[piece], epsilon).add_(c[piece])
        else:
            empty = pre == 0
            write[piece] = torch.where(empty, i, write[piece] / pre.masked_fill(empty, 1.0))
            stable = c[piece]
        if exact:
            torch.div(h[piece], stable, out=a[piece])
        else:
            empty = stable == 0
            fill = stable.masked_fill(empty, 1.0)
            part = torch.where(empty, 1.0, c[piece].tanh() / fill)
            torch.mul(gates[..., 3 * size :].sigmoid_(), part, out=a[piece])
    first = keep[0].clone()
    if epsilon:  # k_t takes f_{t+1} and the stabiliser at once
        for piece in pieces(count, h[0].numel()):
            ahead = slice(piece.start + 1, min(piece.stop + 1, count))
            span = slice(piece.start, ahead.stop - 1)
            ratio = c[span] / signed(c[span], epsilon).add_(c[span])
            keep[span] = keep[ahead].clone().mul_(ratio)
    else:
        keep[:-1] = keep[1:].clone()
    k = _walk(q, a, keep, write, cell.u[2 * size : 3 * size], above, c if epsilon else None, epsilon)
    p = write
    tally = Tally()
    if cell.b is not None:
        tally.amounts["bias"] = p.sum(0) @ cell.b[2 * size : 3 * size]
    if epsilon:
        tally.amounts["stabiliser"] = _stabilised(z, p, c, k, epsilon)
    hidden = (h * q).sum(-1) if steps else None
    over_time = ((c + signed(c, epsilon)) * k).sum(-1) if steps else None
    c_x = p @ cell.w[2 * size : 3 * size]
    return Back((c_x, None), (p[0] @ cell.u[2 * size : 3 * size], None), (first * k[0], None), tally, hidden, over_time)


def _walk(
    q: torch.Tensor,
    a: torch.Tensor,
    keep: torch.Tensor,
    write: torch.Tensor,
    u: torch.Tensor,
    above: Above,
    c: torch.Tensor | None,
    epsilon: float,
) -> torch.Tensor:
    """Go backwards in time: p takes the place of `write`, and k, which is returned, that of `a`."""
    qs, many_a, keeps, writes = q.unbind(0), a.unbind(0), keep.unbind(0), write.unbind(0)
    faint = FAINT[q.dtype]
    k: torch.Tensor | None = None
    for t in range(len(qs) - 1, -1, -1):
        now = many_a[t]
        if k is None:
            now.mul_(qs[t])
        else:
            torch.addmm(qs[t], writes[t + 1], u, out=qs[t])
            now.mul_(qs[t]).addcmul_(k, keeps[t])
        if above.c_n is not None:
            ends = above.c_n * (above.at == t)[:, None]
            if c is not None:
                ends = ends * c[t] / (c[t] + signed(c[t], epsilon))
            now += ends
        if t % _EVERY == 0:
            now.copy_(functional.hardshrink(now, faint))
        k = now
        writes[t].mul_(k)
    return a


def _stabilised(z: torch.Tensor, p: torch.Tensor, c: torch.Tensor, k: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Return ε Σ (s(z) p + s(c) k) of each text."""
    total = torch.zeros_like(z[0])
    for piece in pieces(len(z), z[0].numel()):
        total += torch.addcmul(signed(z[piece], epsilon).mul_(p[piece]), signed(c[piece], epsilon), k[piece]).sum(0)
    return total.sum(-1)
