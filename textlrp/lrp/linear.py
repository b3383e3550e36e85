"""Relevance through a linear map of one or more inputs, under any rule: the three kinds of `rules.py` as three short classes.

`prepare` works out what depends on the forward pass alone, for all positions at once. `Share.weigh` turns relevance into
messages, `Share.back` brings messages to one of the inputs, `Share.book` says what bias, stabiliser and rule took. A
recurrent layer prepares once, weighs step by step, and brings the messages back to its inputs in one product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from textlrp.lrp.maps import LinearMap
from textlrp.lrp.numbers import inverse, quotient, sign, signed, stabilise
from textlrp.lrp.rule import Free, Plain, Rule, Signed
from textlrp.lrp.rules import Flat, WSquare, ZBox

__all__ = ["Book", "Messages", "Part", "Share", "absorbing", "prepare", "propagate"]

Book = Callable[[str, torch.Tensor], None]  # an entry of the ledger, and an amount in the shape of z
Part = tuple[LinearMap, torch.Tensor]  # a map, and its input
Messages = torch.Tensor  # [F, …]: one or two, each in the shape of z
Carried = tuple[torch.Tensor | None, torch.Tensor | None]  # c and r
_RARE = 0.01  # of a sum of magnitudes: a smaller part of one sign is next to nothing


class Share:
    """The interface: how one linear map z = Σ_parts W x + b shares relevance. `factors` [F, …] are the multiples of R that go
    out."""

    factors: Messages
    by_relevance: bool = True  # whether `book` needs to know the relevance

    def __init__(self, rule: Rule, parts: Sequence[Part], bias: torch.Tensor | None) -> None:
        self.rule = rule
        self.fan_in = sum(linear.fan_in(x) for linear, x in parts) if rule.bias == "spread" or isinstance(rule, Flat) else 0.0
        self.bias = None if rule.bias == "share" else bias

    def weigh(self, relevance: torch.Tensor, at: int | None = None) -> Messages:
        """Return the messages for relevance in the shape of z, or of z[at]."""
        return relevance * (self.factors if at is None else self.factors[:, at])

    def taken(self, messages: Messages) -> torch.Tensor | None:
        """Return what goes to the bias."""
        raise NotImplementedError

    def to_input(self, part: Part, messages: Messages, at: int | None) -> Carried:
        """Return c and r of one part's input, without spread biases."""
        raise NotImplementedError

    def back(self, part: Part, messages: Messages, at: int | None = None) -> Carried:
        """Return c and r of one part's input, everywhere or at step `at` of the first axis, where the part gives x[at]."""
        c, r = self.to_input(part, messages, at)
        if self.rule.bias == "spread" and self.bias is not None:
            taken = self.taken(messages)
            assert taken is not None
            linear, x = part
            given = linear.scatter(taken / torch.as_tensor(self.fan_in).clamp(min=1), x)
            r = given if r is None else r + given
        return c, r

    def book(self, relevance: torch.Tensor, messages: Messages, book: Book) -> None:
        """Book what is absorbed."""
        if self.bias is None:
            return
        taken = self.taken(messages)
        assert taken is not None
        if self.rule.bias == "absorb":
            book("bias", taken)
        elif isinstance(self.fan_in, torch.Tensor):  # a window that lies on padding alone has no input to give the bias to
            book("bias", taken * (self.fan_in == 0))


class PlainShare(Share):
    """R_i = x_i Σ_j w_ji q_j with q = R / (z + ε sign z)."""

    def __init__(self, rule: Plain, parts: Sequence[Part], bias: torch.Tensor | None, z: torch.Tensor) -> None:
        super().__init__(rule, parts, bias)
        self.z = z if rule.bias != "share" or bias is None else z - bias
        self.stabiliser = signed(self.z + 0.0, rule.epsilon)  # −0 + 0 = 0
        self.stable = self.z + self.stabiliser
        self.factors = inverse(self.stable, rule.epsilon)[None]
        self.by_relevance = rule.epsilon == 0

    def taken(self, messages: Messages) -> torch.Tensor:
        """Return b q."""
        assert self.bias is not None
        return self.bias * messages[0]

    def to_input(self, part: Part, messages: Messages, at: int | None) -> Carried:
        """Return c = Wᵀ q."""
        linear, x = part
        return linear.transpose(messages[0], linear.weight, x), None

    def book(self, relevance: torch.Tensor, messages: Messages, book: Book) -> None:
        """Book ε sign(z) q, and relevance at z = 0 if there is no stabiliser."""
        super().book(relevance, messages, book)
        if self.rule.epsilon:
            book("stabiliser", self.stabiliser * messages[0])
        else:
            book("stabiliser", relevance * (self.stable == 0))


class SignedShare(Share):
    """R_i = Σ_j (a⁺_ij P_j + a⁻_ij N_j) R_j, with two products instead of four: a⁺ and a⁻ are (a + |a|) / 2 and (a − |a|) / 2,
    and |a| = |x| |w|. The messages are R (P + N) / 2, which goes back by w, and R (P − N) / 2, which goes back by |w|.

    Where next to nothing of an output has one of the signs, these differences are rounding: where the rule divides by them, it
    is four products.
    """

    def __init__(self, rule: Signed, parts: Sequence[Part], bias: torch.Tensor | None, z: torch.Tensor) -> None:
        super().__init__(rule, parts, bias)
        self.weights = {id(linear): torch.stack((linear.weight, linear.weight.abs())) for linear, _ in parts}
        self.signs = {id(linear): sign(x) for linear, x in parts}
        total: torch.Tensor = sum(linear.apply(x.abs(), self.weights[id(linear)][1]) for linear, x in parts)  # type: ignore[assignment]
        alone = z if bias is None else z - bias
        self.exact = rule.apart and bool(alone.numel()) and bool(alone.abs().sub_(total, alpha=1 - 2 * _RARE).amax() > 0)
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
        linear, x = part
        signs = self.signs[id(linear)]
        signs = signs if at is None else signs[at]
        if not self.exact:
            c, more = linear.transpose_each(messages, self.weights[id(linear)], x)
            return c.addcmul_(more, signs), None
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


class FreeShare(Share):
    """Flat, w² and z-box: relevance that is no multiple of the input."""

    def __init__(self, rule: Free, parts: Sequence[Part], bias: torch.Tensor | None, z: torch.Tensor) -> None:
        super().__init__(rule, parts, bias)
        total: torch.Tensor | float = 0.0
        own: torch.Tensor | float = 1.0
        if isinstance(rule, Flat):
            total = self.fan_in
        elif isinstance(rule, WSquare):
            total = sum(linear.apply(torch.ones_like(x), linear.weight.square()) for linear, x in parts)
            own = 0.0 if bias is None else bias.square()
        elif isinstance(rule, ZBox):
            total = sum(self._boxed(linear, x) for linear, x in parts)
            own = 0.0 if bias is None else bias
        self.own = own
        total = torch.as_tensor(total if self.bias is None else total + own, dtype=z.dtype, device=z.device).expand(z.shape)
        self.total, self.stable = total, stabilise(total, rule.epsilon)
        self.factors = quotient(self.stable.new_ones(()), self.stable)[None]

    def _bounds(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        assert isinstance(self.rule, ZBox)
        low, high = (torch.as_tensor(bound, dtype=x.dtype, device=x.device) for bound in (self.rule.low, self.rule.high))
        return low.expand(x.shape), high.expand(x.shape)

    def _boxed(self, linear: LinearMap, x: torch.Tensor) -> torch.Tensor:
        w, (low, high) = linear.weight, self._bounds(x)
        return linear.apply(x, w) - linear.apply(low, w.clamp(min=0)) - linear.apply(high, w.clamp(max=0))

    def taken(self, messages: Messages) -> torch.Tensor:
        """Return the bias's own contribution, times q."""
        return self.own * messages[0]

    def to_input(self, part: Part, messages: Messages, at: int | None) -> Carried:
        """Return r."""
        linear, x = part
        (q,), w = messages, linear.weight
        if isinstance(self.rule, Flat):
            return None, linear.scatter(q, x)
        if isinstance(self.rule, WSquare):
            return None, linear.transpose(q, w.square(), x)
        low, high = self._bounds(x)
        r = x * linear.transpose(q, w, x)
        r = r - low * linear.transpose(q, w.clamp(min=0), x) - high * linear.transpose(q, w.clamp(max=0), x)
        return None, r

    def book(self, relevance: torch.Tensor, messages: Messages, book: Book) -> None:
        """Book what the stabiliser took, and relevance of outputs without any input."""
        super().book(relevance, messages, book)
        if self.rule.epsilon:
            book("stabiliser", self.rule.epsilon * sign(self.total) * messages[0])
        book("rule", relevance * (self.stable == 0))


def prepare(rule: Rule, parts: Sequence[Part], bias: torch.Tensor | None, z: torch.Tensor) -> Share:
    """Return how z = Σ_parts W x + b shares relevance under `rule`."""
    if isinstance(rule, Plain):
        return PlainShare(rule, parts, bias, z)
    if isinstance(rule, Signed):
        return SignedShare(rule, parts, bias, z)
    assert isinstance(rule, Free)
    return FreeShare(rule, parts, bias, z)


def absorbing(
    rule: Plain, linear: LinearMap, x: torch.Tensor, z: torch.Tensor, c: torch.Tensor, book: Book, bias: Callable[..., None]
) -> torch.Tensor:
    """Do what `propagate` does, in the most frequent case: LRP-ε, absorbed biases, a carry; c_in = Wᵀ (c z / (z + ε s)).

    `bias` is called with q, the multiple of a bias that it takes.
    """
    stabiliser = signed(z, rule.epsilon)
    work = z + stabiliser
    q = (z * c).div_(work)
    book("stabiliser", torch.mul(stabiliser, q, out=work))
    if linear.bias is not None:
        bias(q)
    return linear.transpose(q, linear.weight, x)


def propagate(
    rule: Rule,
    linear: LinearMap,
    x: torch.Tensor,
    z: torch.Tensor,
    c: torch.Tensor | None,
    r: torch.Tensor | None,
    book: Book,
) -> Carried:
    """Bring R_j = z_j · c_j + r_j back to the inputs, as R_i = x_i · c_i + r_i; book what bias, stabiliser and rule take."""
    if isinstance(rule, Plain) and rule.epsilon == 0 and r is None and rule.bias != "share":
        assert c is not None  # c z / z = c, also where z = 0
        messages: Messages = c[None]
        share: Share = PlainShare(rule, [(linear, x)], linear.bias, z)
        Share.book(share, c, messages, book)
        return share.back((linear, x), messages)
    relevance = r if c is None else (z * c if r is None else z * c + r)
    assert relevance is not None
    share = prepare(rule, [(linear, x)], linear.bias, z)
    messages = share.weigh(relevance)
    share.book(relevance, messages, book)
    return share.back((linear, x), messages)
