"""Rules that weigh positive and negative contributions differently, with two products instead of four."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from textlrp.lrp.maps import LinearMap
from textlrp.lrp.numbers import inverse, sign, signed
from textlrp.lrp.rule import Rule, Signed
from textlrp.lrp.rules import AlphaBeta, Gamma
from textlrp.lrp.share import Book, Carried, Messages, Part, Share

__all__ = ["AlphaBetaShare", "GammaShare", "SignedShare"]

_RARE = 0.01  # of a sum of magnitudes: a smaller part of one sign is next to nothing


class _ByMagnitudes(Share):
    """The messages m and n go back as Wᵀ m + s(x) r |W|ᵀ n: contributions a m + r |a| n.

    `total` is r (Σ |a| + |b|) + `more`. Where n = m, there is but one kind of messages.
    """

    kinds = 2

    def __init__(self, rule: Rule, parts: Sequence[Part], bias: torch.Tensor | None, part: float, more: float) -> None:
        super().__init__(rule, parts, bias)
        self.part = part
        self.inputs, self.signs = {id(linear): x for linear, x in parts}, dict[int, torch.Tensor]()
        self.weights = {id(linear): linear.magnitudes(part) for linear, _ in parts}
        (first, x), *others = parts
        self.first = first.apply(x.abs(), self.weights[id(first)][1])  # r Σ |a| of the first part
        self.total = self.first + (more if self.bias is None else self.bias.abs() * part + more)
        for linear, x in others:
            linear.add(self.total, x.abs(), self.weights[id(linear)][1])

    def taken(self, messages: Messages) -> torch.Tensor:
        """Return b m + r |b| n."""
        assert self.bias is not None
        return torch.addcmul(self.bias * messages[0], self.bias.abs(), messages[-1], value=self.part)

    def to_input(self, part: Part, messages: Messages, at: int | None) -> Carried:
        """Return c, which depends on the sign of x."""
        linear, x = part
        signs = self._signs(linear)
        weights = self.weights[id(linear)]
        c, more = linear.transpose_each(messages.expand(2, *messages.shape[1:]), weights, x).unbind(0)
        return c.addcmul_(more, signs if at is None else signs[at]), None

    def linearly(self, part: Part) -> tuple[torch.Tensor, torch.Tensor | None] | None:
        """Return W and r |W|, and the signs of x."""
        if self.rule.bias == "spread":
            return None
        weights = self.weights[id(part[0])]
        return weights if self.kinds == 2 else torch.cat(weights.unbind(0), -1)[None], self._signs(part[0])

    def _signs(self, linear: LinearMap) -> torch.Tensor:
        """Return the signs of a map's input, worked out once, and only if they are asked for."""
        if id(linear) not in self.signs:
            self.signs[id(linear)] = sign(self.inputs[id(linear)])
        return self.signs[id(linear)]

    def summed(self, y: torch.Tensor, messages: Messages) -> torch.Tensor | None:
        """Return Σ_j y_j m_j + t_j n_j, t = r Σ |a| of the first part."""
        if self.rule.bias == "spread":
            return None
        if self.kinds == 1:
            return messages[0].mul_(self.first.add_(y)).sum(-1)
        messages[0].mul_(y)
        messages[1].mul_(self.first)
        return messages.sum((0, -1))


class GammaShare(_ByMagnitudes):
    """LRP-γ: to weigh what agrees with z by 1 + γ is to add to each contribution a the part r s(z) |a|, r = γ / (2 + γ), and to
    divide by the sum d = z + r s(z) T of these, and ε / (1 + γ/2) in its direction, T = Σ |a| + |b|.

    The messages are m and s(z) m; of a bias that is not shared out, d has the sign of z (which is −0 only where T = 0).
    """

    def __init__(self, rule: Gamma, parts: Sequence[Part], bias: torch.Tensor | None, z: torch.Tensor) -> None:
        self.epsilon, alone = rule.epsilon / (1 + rule.gamma / 2), rule.bias == "share" and bias is not None
        super().__init__(rule, parts, bias, rule.gamma / (2 + rule.gamma), 0.0 if alone else self.epsilon)
        stable = torch.copysign(self.total, z, out=self.total)
        if alone:
            assert bias is not None
            stable.add_(z - bias)
            stable.add_(sign(stable), alpha=self.epsilon)
        else:
            stable.add_(z)
        over = inverse(stable, rule.epsilon)
        self.by_relevance = rule.epsilon == 0
        self.lost = (over == 0) if self.by_relevance else None
        self.towards, self.signs_z = sign(stable) if alone else None, signed(z, 1.0) if alone else None
        self.by_sums = not alone
        self.over = over

    def multiples(self) -> Messages:
        """Return 1 / d, and s(z) / d."""
        return torch.stack((self.over, self.over.abs() if self.signs_z is None else self.over * self.signs_z))

    def fill(self, times: torch.Tensor, out: Messages) -> None:
        """Write them without an array of their own."""
        torch.mul(self.over, times, out=out[0])
        torch.mul(self.over.abs_() if self.signs_z is None else self.over.mul_(self.signs_z), times, out=out[1])

    def book_rest(self, relevance: torch.Tensor, messages: Messages, book: Book) -> None:
        """Book ε s(d) m, or what found no taker."""
        if self.lost is None:
            book("stabiliser", messages[1] if self.towards is None else self.towards * messages[0], self.epsilon)
        else:
            book("rule", relevance * self.lost)


class AlphaBetaShare(_ByMagnitudes):
    """LRP-αβ, where p = (T + z) / 2 and n = (z − T) / 2, T = Σ |a| + |b|: the messages are R (u + v) and R (u − v), with
    u = α / (T + z + 2ε) and v = β / (T − z + 2ε)."""

    by_relevance, by_sums = False, True
    lost: tuple[torch.Tensor, ...] | None = None  # outputs without positive and without negative contributions
    up: torch.Tensor  # T + z + 2ε
    down: torch.Tensor | None = None  # −(T − z + 2ε), if β is not 0

    @classmethod
    def able(cls, rule: AlphaBeta, parts: Sequence[Part], bias: torch.Tensor | None, z: torch.Tensor) -> AlphaBetaShare | None:
        """Return it if these differences are more than rounding, for every output to which anything contributes."""
        share = cls(rule, parts, bias, 1.0, 0.0)
        z, total = z if bias is None or share.bias is not None else z - bias, share.total
        rest = z.neg() if rule.beta == 0 else z.abs()  # T − |z| is twice the smaller of p and −n
        rest.sub_(total, alpha=1 - 2 * _RARE)
        if z.numel() and bool(rest.amax() >= 0):
            heard = torch.stack([linear.heard(x).expand(z.shape) for linear, x in parts]).any(0)
            if bool((rest >= 0).logical_and_(heard).any()):
                return None
            share.lost = tuple((total + s * z == 0) for s in (1, -1))  # no positive, no negative contributions
        total.add_(2 * rule.epsilon)
        share.up = torch.add(total, z, out=rest)
        if rule.beta == 0:
            share.kinds = 1
        else:
            share.down = torch.sub(z, total, out=total)
        if share.lost is not None:
            share.by_relevance = True
            for divisor, empty in zip((share.up, share.down), share.lost, strict=True):
                if divisor is not None:
                    divisor.masked_fill_(empty, torch.inf)
        return share

    def multiples(self) -> Messages:
        """Return u + v and u − v."""
        assert isinstance(self.rule, AlphaBeta)
        u = self.rule.alpha / self.up
        if self.down is None:
            return u[None]
        v = self.rule.beta / self.down  # −v
        return torch.stack((u - v, u + v))

    def fill(self, times: torch.Tensor, out: Messages) -> None:
        """Write them without an array of their own."""
        assert isinstance(self.rule, AlphaBeta)
        if self.down is None:
            torch.div(times, self.up.expand(out.shape), out=out)  # α is 1; for both kinds, if another direction has two
            return
        u, v = torch.div(times, self.up, out=self.up), torch.div(times, self.down, out=self.down)  # u / α, −v / β
        torch.add(v if self.rule.beta == 1 else v.mul_(self.rule.beta), u, alpha=self.rule.alpha, out=out[1])
        torch.sub(out[1], v, alpha=2, out=out[0])

    def book_rest(self, relevance: torch.Tensor, messages: Messages, book: Book) -> None:
        """Book what the stabiliser took, and what found no taker."""
        book("stabiliser", messages[-1], 2 * self.rule.epsilon)
        if self.lost is not None:
            assert isinstance(self.rule, AlphaBeta)
            for empty, times in zip(self.lost, (self.rule.alpha, -self.rule.beta), strict=True):
                book("rule", relevance * empty, times)


class SignedShare(Share):
    """R_i = Σ_j (a⁺_ij P_j + a⁻_ij N_j) R_j, with four products: of the parts of x and of w that have one sign."""

    kinds = 2

    def __init__(self, rule: Signed, parts: Sequence[Part], bias: torch.Tensor | None, z: torch.Tensor) -> None:
        super().__init__(rule, parts, bias)
        p, n = torch.zeros_like(z), torch.zeros_like(z)
        for linear, x in parts:
            up, down, w_up, w_down = x.clamp(min=0), x.clamp(max=0), linear.weight.clamp(min=0), linear.weight.clamp(max=0)
            p, n = p + linear.apply(up, w_up), n + linear.apply(up, w_down)
            if bool(down.count_nonzero()):
                p, n = p + linear.apply(down, w_down), n + linear.apply(down, w_up)
        self.given = rule.factors(p, n, self.bias, z)

    def multiples(self) -> Messages:
        """Return P and N."""
        return torch.stack(self.given[:2])

    def taken(self, messages: Messages) -> torch.Tensor:
        """Return b⁺ q⁺ + b⁻ q⁻."""
        assert self.bias is not None
        return self.bias.clamp(min=0) * messages[0] + self.bias.clamp(max=0) * messages[1]

    def to_input(self, part: Part, messages: Messages, at: int | None) -> Carried:
        """Return c, which depends on the sign of x."""
        linear, x = part
        w_up, w_down = linear.weight.clamp(min=0), linear.weight.clamp(max=0)
        up, down = messages
        c = linear.transpose(up, w_up, x) + linear.transpose(down, w_down, x)
        negative = x < 0
        if bool(negative.any()):
            c = torch.where(negative, linear.transpose(up, w_down, x) + linear.transpose(down, w_up, x), c)
        return c, None

    def book_rest(self, relevance: torch.Tensor, messages: Messages, book: Book) -> None:
        """Book what the stabiliser took, and what found no taker."""
        for key, share in (("stabiliser", self.given.stabiliser), ("rule", self.given.loss)):
            if share is not None:
                book(key, relevance * share)
