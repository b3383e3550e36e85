"""Relevance through a linear map of one or more inputs, under any rule: plain and free rules; signed ones are in signed.py.

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
from textlrp.lrp.rules import AlphaBeta, Flat, Gamma, WSquare, ZBox
from textlrp.lrp.share import Book, Carried, Messages, Part, Share
from textlrp.lrp.signed import AlphaBetaShare, GammaShare, SignedShare

__all__ = ["absorbing", "prepare", "propagate"]


class PlainShare(Share):
    """R_i = x_i Σ_j w_ji q_j with q = R / (z + ε sign z)."""

    def __init__(self, rule: Plain, parts: Sequence[Part], bias: torch.Tensor | None, z: torch.Tensor) -> None:
        super().__init__(rule, parts, bias)
        self.z = z if rule.bias != "share" or bias is None else z - bias
        self.stabiliser = signed(self.z + 0.0, rule.epsilon)  # −0 + 0 = 0
        self.stable = self.z + self.stabiliser
        self.over = inverse(self.stable, rule.epsilon)
        self.by_relevance = rule.epsilon == 0

    def multiples(self) -> Messages:
        """Return 1 / (z + ε sign z)."""
        return self.over[None]

    def taken(self, messages: Messages) -> torch.Tensor:
        """Return b q."""
        assert self.bias is not None
        return self.bias * messages[0]

    def to_input(self, part: Part, messages: Messages, at: int | None) -> Carried:
        """Return c = Wᵀ q."""
        linear, x = part
        return linear.transpose(messages[0], linear.weight, x), None

    def linearly(self, part: Part) -> tuple[torch.Tensor, torch.Tensor | None] | None:
        """Return the weight."""
        return None if self.rule.bias == "spread" else (part[0].weight[None], None)

    def summed(self, y: torch.Tensor, messages: Messages) -> torch.Tensor | None:
        """Return Σ_i x_i Σ_j w_ji q_j = Σ_j y_j q_j."""
        return None if self.rule.bias == "spread" else messages[0].mul_(y).sum(-1)

    def book_rest(self, relevance: torch.Tensor, messages: Messages, book: Book) -> None:
        """Book ε sign(z) q, and relevance at z = 0 if there is no stabiliser."""
        if self.rule.epsilon:
            book("stabiliser", self.stabiliser * messages[0])
        else:
            book("stabiliser", relevance * (self.stable == 0))


class FreeShare(Share):
    """Flat, w² and z-box: relevance that is no multiple of the input."""

    def __init__(self, rule: Free, parts: Sequence[Part], bias: torch.Tensor | None, z: torch.Tensor) -> None:
        super().__init__(rule, parts, bias)
        total: torch.Tensor | float = 0.0
        own: torch.Tensor | float = 1.0
        if isinstance(rule, Flat):
            total = self.fan_in
        elif isinstance(rule, WSquare):
            self.squares = {id(linear): linear.weight.square() for linear, _ in parts}
            total = sum(linear.sums(self.squares[id(linear)], x) for linear, x in parts)
            own = 0.0 if bias is None else bias.square()
        elif isinstance(rule, ZBox):
            total = sum(self._boxed(linear, x) for linear, x in parts)
            own = 0.0 if bias is None else bias
        self.own = own
        total = torch.as_tensor(total if self.bias is None else total + own, dtype=z.dtype, device=z.device)
        self.total, self.stable = total, stabilise(total, rule.epsilon)
        self.over = quotient(self.stable.new_ones(()), self.stable).expand(z.shape)

    def _bounds(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        assert isinstance(self.rule, ZBox)
        low, high = (torch.as_tensor(bound, dtype=x.dtype, device=x.device) for bound in (self.rule.low, self.rule.high))
        return low.expand(x.shape), high.expand(x.shape)

    def _boxed(self, linear: LinearMap, x: torch.Tensor) -> torch.Tensor:
        w, (low, high) = linear.weight, self._bounds(x)
        return linear.apply(x, w) - linear.apply(low, w.clamp(min=0)) - linear.apply(high, w.clamp(max=0))

    def multiples(self) -> Messages:
        """Return 1 / Σ of what is shared by."""
        return self.over[None]

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
            return None, linear.transpose(q, self.squares[id(linear)], x)
        low, high = self._bounds(x)
        r = x * linear.transpose(q, w, x)
        r = r - low * linear.transpose(q, w.clamp(min=0), x) - high * linear.transpose(q, w.clamp(max=0), x)
        return None, r

    def book_rest(self, relevance: torch.Tensor, messages: Messages, book: Book) -> None:
        """Book what the stabiliser took, and relevance of outputs without any input."""
        if self.rule.epsilon:
            book("stabiliser", self.rule.epsilon * sign(self.total) * messages[0])
        book("rule", relevance * (self.stable == 0))


def prepare(rule: Rule, parts: Sequence[Part], bias: torch.Tensor | None, z: torch.Tensor) -> Share:
    """Return how z = Σ_parts W x + b shares relevance under `rule`."""
    if isinstance(rule, Plain):
        return PlainShare(rule, parts, bias, z)
    if isinstance(rule, Gamma):
        return GammaShare(rule, parts, bias, z)
    if isinstance(rule, AlphaBeta):
        return AlphaBetaShare.able(rule, parts, bias, z) or SignedShare(rule, parts, bias, z)
    if isinstance(rule, Signed):
        return SignedShare(rule, parts, bias, z)
    assert isinstance(rule, Free)
    return FreeShare(rule, parts, bias, z)


def absorbing(
    rule: Plain,
    linear: LinearMap,
    x: torch.Tensor,
    z: torch.Tensor,
    c: torch.Tensor,
    book: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], None],
    bias: Callable[[torch.Tensor], None],
) -> torch.Tensor:
    """Do what `propagate` does, in the most frequent case: LRP-ε, absorbed biases, a carry; c_in = Wᵀ (c z / (z + ε s)).

    `book` is called with the factors of what the stabiliser takes, and memory to work in; `bias` with q, the multiple of a bias
    that it takes.
    """
    stabiliser = signed(z, rule.epsilon)
    work = z + stabiliser
    q = (z * c).div_(work)
    book(stabiliser, q, work)
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
        share.book_bias(messages, book)
        return share.back((linear, x), messages)
    relevance = r if c is None else (z * c if r is None else z * c + r)
    assert relevance is not None
    share = prepare(rule, [(linear, x)], linear.bias, z)
    messages = share.weigh(relevance)
    share.book(relevance, messages, book)
    return share.back((linear, x), messages)
