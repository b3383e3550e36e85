"""Rules that weigh positive and negative contributions differently, with two products instead of four."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from textlrp.lrp.numbers import inverse, sign
from textlrp.lrp.rule import Signed
from textlrp.lrp.rules import Gamma
from textlrp.lrp.share import Book, Carried, Messages, Part, Share

__all__ = ["GammaShare", "SignedShare"]

_RARE = 0.01  # of a sum of magnitudes: a smaller part of one sign is next to nothing


class _Magnitudes:
    """Of each part |w| beside w, the signs of x, and T = Σ |x| |w|: messages m and n go back as Wᵀ m + s(x) |W|ᵀ n."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.weights = {id(linear): torch.stack((linear.weight, linear.weight.abs())) for linear, _ in parts}
        self.signs = {id(linear): sign(x) for linear, x in parts}
        self.total: torch.Tensor = sum(linear.apply(x.abs(), self.weights[id(linear)][1]) for linear, x in parts)  # type: ignore[assignment]

    def back(self, part: Part, messages: Messages, at: int | None) -> torch.Tensor:
        """Return c of one part's input."""
        linear, x = part
        signs = self.signs[id(linear)]
        c, more = linear.transpose_each(messages, self.weights[id(linear)], x)
        return c.addcmul_(more, signs if at is None else signs[at])


class GammaShare(Share):
    """LRP-γ: to weigh what agrees with z by 1 + γ is to add to each contribution a the part r s(z) |a|, r = γ / (2 + γ), and to
    divide by z + s(z) (r T + ε / (1 + γ/2)), where T = Σ |a| + |b|.
    """

    def __init__(self, rule: Gamma, parts: Sequence[Part], bias: torch.Tensor | None, z: torch.Tensor) -> None:
        super().__init__(rule, parts, bias)
        self.magnitudes, self.part = _Magnitudes(parts), rule.gamma / (2 + rule.gamma)
        self.epsilon, self.by_relevance = rule.epsilon / (1 + rule.gamma / 2), rule.epsilon == 0
        stable = self.magnitudes.total if bias is None else self.magnitudes.total.add_(bias.abs())
        self.signs = sign(z)
        stable = stable.mul_(self.part).add_(self.epsilon).mul_(self.signs).add_(z)
        over = inverse(stable, rule.epsilon)
        self.lost = None if rule.epsilon else over == 0
        self.factors = torch.stack((over, (over * self.signs).mul_(self.part)))

    def taken(self, messages: Messages) -> torch.Tensor:
        """Return b m + |b| n."""
        assert self.bias is not None
        return torch.addcmul(self.bias * messages[0], self.bias.abs(), messages[1])

    def to_input(self, part: Part, messages: Messages, at: int | None) -> Carried:
        """Return c, which depends on the sign of x."""
        return self.magnitudes.back(part, messages, at), None

    def book(self, relevance: torch.Tensor, messages: Messages, book: Book) -> None:
        """Book what the stabiliser took, and what found no taker."""
        super().book(relevance, messages, book)
        if self.lost is None:
            book("stabiliser", (self.signs * messages[0]).mul_(self.epsilon))
        else:
            book("rule", relevance * self.lost)


class SignedShare(Share):
    """R_i = Σ_j (a⁺_ij P_j + a⁻_ij N_j) R_j, with two products instead of four: a⁺ and a⁻ are (a + |a|) / 2 and (a − |a|) / 2,
    and |a| = |x| |w|. The messages are R (P + N) / 2, which goes back by w, and R (P − N) / 2, which goes back by |w|.

    Where next to nothing of an output has one of the signs, these differences are rounding: where the rule divides by them, it
    is four products.
    """

    def __init__(self, rule: Signed, parts: Sequence[Part], bias: torch.Tensor | None, z: torch.Tensor) -> None:
        super().__init__(rule, parts, bias)
        self.magnitudes = _Magnitudes(parts)
        total = self.magnitudes.total
        alone = z if bias is None else z - bias
        self.exact = bool(alone.numel()) and bool(alone.abs().sub_(total, alpha=1 - 2 * _RARE).amax() > 0)
        p, n = self._apart(parts) if self.exact else ((total + alone).mul_(0.5), (alone - total).mul_(0.5))
        self.given = rule.factors(p, n, self.bias, z)
        up, down = self.given[:2]
        self.factors = torch.stack((up, down) if self.exact else ((up + down).mul_(0.5), (up - down).mul_(0.5)))

    @staticmethod
    def _apart(parts: Sequence[Part]) -> tuple[torch.Tensor, torch.Tensor]:
        p: torch.Tensor | float = 0.0
        n: torch.Tensor | float = 0.0
        for linear, x in parts:
            up, down, w_up, w_down = x.clamp(min=0), x.clamp(max=0), linear.weight.clamp(min=0), linear.weight.clamp(max=0)
            p, n = p + linear.apply(up, w_up), n + linear.apply(up, w_down)
            if bool(down.count_nonzero()):
                p, n = p + linear.apply(down, w_down), n + linear.apply(down, w_up)
        assert isinstance(p, torch.Tensor)
        assert isinstance(n, torch.Tensor)
        return p, n

    def taken(self, messages: Messages) -> torch.Tensor:
        """Return b⁺ q⁺ + b⁻ q⁻."""
        assert self.bias is not None
        if self.exact:
            return self.bias.clamp(min=0) * messages[0] + self.bias.clamp(max=0) * messages[1]
        return torch.addcmul(self.bias * messages[0], self.bias.abs(), messages[1])

    def to_input(self, part: Part, messages: Messages, at: int | None) -> Carried:
        """Return c, which depends on the sign of x."""
        if not self.exact:
            return self.magnitudes.back(part, messages, at), None
        linear, x = part
        signs = self.magnitudes.signs[id(linear)]
        signs = signs if at is None else signs[at]
        w_up, w_down = linear.weight.clamp(min=0), linear.weight.clamp(max=0)
        up, down = messages
        c = linear.transpose(up, w_up, x) + linear.transpose(down, w_down, x)
        negative = signs < 0
        if bool(negative.any()):
            c = torch.where(negative, linear.transpose(up, w_down, x) + linear.transpose(down, w_up, x), c)
        return c, None

    def book(self, relevance: torch.Tensor, messages: Messages, book: Book) -> None:
        """Book what the stabiliser took, and what found no taker."""
        super().book(relevance, messages, book)
        for key, share in (("stabiliser", self.given.stabiliser), ("rule", self.given.loss)):
            if share is not None:
                book(key, relevance * share)
