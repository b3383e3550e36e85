"""The LSTM under any rule and any gate rule, backwards in time, in relevance proper (Arras et al. 2019).

R_h and R_c of a step give all its other relevance, by factors that the forward pass alone determines. They are worked out for
a stretch of steps at once (stretch.py), with the denominators of the map of x_t and h_{t−1} multiplied into them: then a step
is one product and a few multiplications. Both directions walk side by side: [D, …], D = 1 or 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

import torch

from textlrp.lrp.cells import Back, pieces
from textlrp.lrp.gates import Gate
from textlrp.lrp.lstm import FAINT
from textlrp.lrp.share import Carried
from textlrp.lrp.stretch import Direction, Stretch

__all__ = ["Direction", "lstm"]

_EVERY = 8  # steps, after which relevance that has faded is set to 0


def lstm(sides: Sequence[Direction], gate: Gate, *, steps: bool, summed: bool = False) -> list[Back]:
    """Bring relevance back through one level of an LSTM. With `summed`, x gets its relevance summed over E, [T, B], and no c or
    r."""
    walk, first = _Walk(sides, gate), sides[0]
    with torch.inference_mode():  # calls take less time then
        cuts = reversed(pieces(len(first.x), first.c0.numel() // 4))
        found = [walk.back_through(at, steps=steps, summed=summed) for at in cuts]
    backs = []
    for d, (side, parts) in enumerate(zip(sides, zip(*found, strict=True), strict=True)):
        if side.project is not None:
            side.project.finish()
        c, r, total, hidden, over_time = (
            None if each[0] is None else torch.cat(each[::-1]) for each in zip(*parts, strict=True)
        )
        c_h, r_h = (None if each is None else each[d].clone() for each in walk.to_h)
        side.tally.amounts = {key: amount.clone() for key, amount in side.tally.amounts.items()}
        backs.append(Back((c, r), (c_h, r_h), (None, walk.to_c[d].clone()), side.tally, hidden, over_time, total))
    return backs


class _Walk:
    """One level of an LSTM, from its last step to its first, stretch by stretch."""

    def __init__(self, sides: Sequence[Direction], gate: Gate) -> None:
        self.sides, self.gated = sides, gate.reaches_gates
        self.to_c = torch.zeros_like(torch.stack([side.c0 for side in sides]))  # R_c of the step after, as far as it comes back
        self.to_h: Carried = (None, None)

    def back_through(self, at: slice, *, steps: bool, summed: bool) -> list[tuple[torch.Tensor | None, ...]]:
        """Go back through some steps, and return for each direction c and r of x or, `summed`, its relevance, [K, B]; with
        `steps` also the relevance of h and of c, [K, B]."""
        parts, size, first = [Stretch(side, at) for side in self.sides], self.to_c.shape[-1], self.sides[0]
        like, kinds = parts[0].to_map, max(part.joint.kinds for part in parts)
        sent = like.new_empty(kinds, len(parts), *like.shape)  # the factors of each step, and then its messages
        given = torch.empty_like(sent[0])  # what the factors are multiplied with
        for d, part in enumerate(parts):
            part.joint.fill(part.to_map, sent[:, d])
        r_c = given[..., :size]
        r_m = given[..., -size:] if self.gated else torch.empty_like(r_c)
        h = torch.stack([part.h for part in parts])
        arrived, (to_c, keep_c) = torch.empty_like(h), (r_c.new_empty(r_c.shape) for _ in range(2))
        for d, part in enumerate(parts):
            part.put(arrived[d], to_c[d], keep_c[d])
        r_h = r_m if first.project is None else torch.empty_like(h)
        thrice = given[..., : 3 * size].unflatten(-1, (3, size)) if self.gated else r_c.unsqueeze(-2)
        weights, signs = self._weights(parts)
        back = like.new_empty(0) if weights is None else like.new_empty(kinds * len(parts), like.shape[1], weights.shape[-1])
        to_h, more = (back, back) if signs is None else back.chunk(2, 0 if kinds == 2 else -1)
        before = arrived, h, r_h, r_m, r_m.unsqueeze(-2), r_c, thrice
        arrays = *before, to_c.unsqueeze(-2).expand(thrice.shape), keep_c, given, sent.flatten(0, 1)
        each = zip(*(array.unbind(1) for array in arrays), sent.unbind(2), strict=True)
        each = zip(range(at.start, at.stop), each, repeat(None) if signs is None else signs.unbind(1), strict=False)
        for t, step, sign_h in reversed(list(each)):
            from_above, now_value, now_h, now_m, m_thrice, now_c, c_thrice, signal, keep, now, flat, message = step
            _add(from_above, *self.to_h, now_value, out=now_h)
            if first.project is not None:
                for d, side in enumerate(self.sides):
                    assert side.project is not None
                    now_m[d].copy_(side.project.relevance(now_h[d], t))
            torch.addcmul(self.to_c.unsqueeze(-2), m_thrice, signal, out=c_thrice)
            if first.above.c_n is not None:
                c_thrice += torch.stack([side.from_end(t) for side in self.sides]).unsqueeze(-2)
            if t % _EVERY == 0:
                torch.hardshrink(now, FAINT[now.dtype], out=now)
            message.mul_(now)
            if weights is None:
                backs = [part.back(message[:, d], t - at.start) for d, part in enumerate(parts)]
                self.to_h = _stacked([c for c, _ in backs]), _stacked([r for _, r in backs])
            else:
                torch.bmm(flat, weights, out=back)
                if sign_h is not None:
                    to_h.addcmul_(more, sign_h)
                self.to_h = to_h, None
            torch.mul(now_c, keep, out=self.to_c)
        over_time = zip(r_h.sum(-1), r_c.sum(-1), strict=True) if steps else repeat((None, None))
        return [
            (*part.finish(r_m[d], r_c[d], given[d], sent[:, d], summed=summed), *sums)
            for d, (part, sums) in enumerate(zip(parts, over_time, strict=False))
        ]

    def _weights(self, parts: Sequence[Stretch]) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Return, if the way back to h is linear, its weights, [F·D, k·H, P], and the signs of h, [D, K, B, P], if they matter:
        then both weights and magnitudes, one after the other if F is 2, side by side if F is 1."""
        known = [part.joint.linearly(part.state) for part in parts]
        if any(each is None for each in known):
            return None, None
        weights, signs = zip(*known, strict=True)
        return torch.stack(weights, 1).flatten(0, 1), _stacked(signs)


def _stacked(parts: Sequence[torch.Tensor | None]) -> torch.Tensor | None:
    return None if parts[0] is None else torch.stack(parts)  # type: ignore[arg-type]


def _add(r: torch.Tensor, c: torch.Tensor | None, more: torch.Tensor | None, x: torch.Tensor, *, out: torch.Tensor) -> None:
    """Write r + x c + more to `out`."""
    if c is None:
        torch.add(r, 0.0 if more is None else more, out=out)
        return
    torch.addcmul(r, x, c, out=out)
    if more is not None:
        out += more
