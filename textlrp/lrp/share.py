"""How a linear map shares relevance: the interface that the three kinds of rules fill in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property

import torch

from textlrp.lrp.maps import LinearMap
from textlrp.lrp.rule import Rule
from textlrp.lrp.rules import Flat

__all__ = ["Book", "Carried", "Messages", "Part", "Share"]

Book = Callable[..., None]  # an entry of the ledger, an amount in the shape of z, and, if not 1, how many times it counts
Part = tuple[LinearMap, torch.Tensor]  # a map, and its input
Messages = torch.Tensor  # [F, …]: one or two, each in the shape of z
Carried = tuple[torch.Tensor | None, torch.Tensor | None]  # c and r


class Share(ABC):
    """The interface: how one linear map z = Σ_parts W x + b shares relevance, in F kinds of messages."""

    kinds: int = 1
    by_relevance: bool = True  # whether `book` needs to know the relevance
    by_sums: bool = False  # whether `book_rest`, too, does with messages summed over axes that the bias does not have

    def __init__(self, rule: Rule, parts: Sequence[Part], bias: torch.Tensor | None) -> None:
        self.rule = rule
        self.fan_in = sum(linear.fan_in(x) for linear, x in parts) if rule.bias == "spread" or isinstance(rule, Flat) else 0.0
        self.bias = None if rule.bias == "share" else bias

    @cached_property
    def factors(self) -> Messages:
        """The multiples of R that go out, [F, …]."""
        return self.multiples()

    @abstractmethod
    def multiples(self) -> Messages:
        """Work them out."""

    def fill(self, times: torch.Tensor, out: Messages) -> None:
        """Write the factors, each multiplied with `times`, to `out`, once and for all."""
        torch.mul(self.multiples(), times, out=out)

    def weigh(self, relevance: torch.Tensor, at: int | None = None) -> Messages:
        """Return the messages for relevance in the shape of z, or of z[at]."""
        return relevance * (self.factors if at is None else self.factors[:, at])

    @abstractmethod
    def taken(self, messages: Messages) -> torch.Tensor | None:
        """Return what goes to the bias."""

    @abstractmethod
    def to_input(self, part: Part, messages: Messages, at: int | None) -> Carried:
        """Return c and r of one part's input, without spread biases."""

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

    def linearly(self, part: Part) -> tuple[torch.Tensor, torch.Tensor | None] | None:
        """Return, if c of one part's input is Σ_f W_fᵀ messages_f, the W_f, [F, …], and what the second is multiplied with; if
        F is 1 and there are two, they lie side by side."""
        return None

    def summed(self, y: torch.Tensor, messages: Messages) -> torch.Tensor | None:
        """Return the relevance of the first part's input summed over its features, if that goes without its carry; y = W x.
        Messages are overwritten."""
        return None

    def book(self, relevance: torch.Tensor, messages: Messages, book: Book) -> None:
        """Book what is absorbed."""
        self.book_bias(messages, book)
        self.book_rest(relevance, messages, book)

    @abstractmethod
    def book_rest(self, relevance: torch.Tensor, messages: Messages, book: Book) -> None:
        """Book what the stabiliser took, and what found no taker."""

    def book_bias(self, messages: Messages, book: Book) -> None:
        """Book what the bias takes; messages may be sums over axes that the bias does not have."""
        if self.bias is None:
            return
        taken = self.taken(messages)
        assert taken is not None
        if self.rule.bias == "absorb":
            book("bias", taken)
        elif isinstance(self.fan_in, torch.Tensor):  # a window that lies on padding alone has no input to give the bias to
            book("bias", taken * (self.fan_in == 0))
