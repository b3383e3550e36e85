"""What the recurrent cells have in common: their weights, what comes in from above, what goes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import torch

from textlrp.lrp.gates import Gate, Split
from textlrp.lrp.numbers import inverse, stabilise
from textlrp.lrp.rule import Rule

__all__ = ["Above", "Back", "Cell", "Product", "Tally", "Totals", "book_split", "pieces", "shift"]

Carried = tuple[torch.Tensor | None, torch.Tensor | None]


class Cell(NamedTuple):
    """The weights of one direction of one level: [kH, E], [kH, P], biases [kH], projection [P, H] or None."""

    w: torch.Tensor
    u: torch.Tensor
    b_ih: torch.Tensor | None
    b_hh: torch.Tensor | None
    projection: torch.Tensor | None = None

    @property
    def b(self) -> torch.Tensor | None:
        """Both biases together."""
        return None if self.b_ih is None or self.b_hh is None else self.b_ih + self.b_hh


class Above(NamedTuple):
    """What comes back to h [T, B, P] from above, as c and r, and to c_n: its carry [B, H] and the last step of each "
    "text [B]."""

    c: torch.Tensor | None
    r: torch.Tensor | None
    c_n: torch.Tensor | None
    at: torch.Tensor


@dataclass
class Tally:
    """What one direction absorbs, text by text: [B]."""

    amounts: dict[str, torch.Tensor] = field(default_factory=dict)

    def book(self, key: str, amount: torch.Tensor, times: float = 1.0) -> None:
        """Add an amount [T, B, H] or [B, H], so many times."""
        total = amount.sum([d for d in range(amount.dim()) if d != amount.dim() - 2])
        total = total if times == 1 else total * times
        self.amounts[key] = self.amounts[key] + total if key in self.amounts else total


class Back(NamedTuple):
    """What comes back from one direction: to x, h_0 and c_0 as (c, r), to the ledger, and per time step [T, B]."""

    x: Carried
    h0: Carried
    c0: Carried
    tally: Tally
    hidden: torch.Tensor | None = None
    cell: torch.Tensor | None = None
    total: torch.Tensor | None = None  # the relevance of x summed over E, [T, B], where only that is asked for


def shift(first: torch.Tensor, later: torch.Tensor) -> torch.Tensor:
    """Return the states before each step: [first, later_1, …, later_{T−1}].

    >>> shift(torch.tensor([0]), torch.tensor([[1], [2]])).tolist()
    [[0], [1]]
    """
    return torch.cat([first[None], later[:-1]])


def pieces(count: int, each: int) -> list[slice]:
    """Cut `count` time steps of `each` numbers into pieces that fit the processor's cache.

    >>> pieces(5, 2**15)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    step = max(1, 2**16 // max(each, 1))
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def book_split(tally: Tally, split: Split, relevance: torch.Tensor) -> None:
    """Book what a gate rule takes of the relevance of products."""
    for key, share in (("stabiliser", split.stabiliser), ("gates", split.loss)):
        if share is not None:
            tally.book(key, relevance * share)


class Product:
    """z = gate ⊙ signal at every step, under a gate rule; the shares are worked out for all steps at once."""

    def __init__(self, gate: Gate, z_gate: torch.Tensor, z_signal: torch.Tensor, rule: Rule) -> None:
        self.split: Split = gate.split(z_gate, z_signal, rule.epsilon)
        self.gate, self.signal = (
            each.unbind(0) if isinstance(each, torch.Tensor) else each for each in (self.split.gate, self.split.signal)
        )
        self.absorbs = self.split.stabiliser is not None or self.split.loss is not None
        self.equal = isinstance(self.gate, float) and self.gate == self.signal
        self.kept: list[torch.Tensor] = []

    def __call__(self, relevance: torch.Tensor, t: int) -> tuple[torch.Tensor | None, torch.Tensor]:
        """Return the relevance of gate and signal at step t, counted from the last to the first."""
        if self.absorbs:
            self.kept.append(relevance)
        assert self.signal is not None
        signal = _times(relevance, self.signal, t)
        if self.gate is None:
            return None, signal
        return signal if self.equal else _times(relevance, self.gate, t), signal

    def book(self, tally: Tally) -> None:
        """Book what was absorbed on the way."""
        if self.kept:
            book_split(tally, self.split, torch.stack(self.kept[::-1]))


def _times(relevance: torch.Tensor, share: tuple[torch.Tensor, ...] | float, t: int) -> torch.Tensor:
    if isinstance(share, tuple):
        return relevance * share[t]
    return relevance if share == 1 else relevance * share


class Totals:
    """z = a + b at every step, in proportion, with the stabiliser ε: R_a = a / (z + ε·sign z) R."""

    def __init__(self, a: torch.Tensor, b: torch.Tensor, z: torch.Tensor, rule: Rule) -> None:
        self.epsilon = rule.epsilon
        self.inverse = inverse(stabilise(z, rule.epsilon), rule.epsilon)
        self.a, self.b = a * self.inverse, b * self.inverse  # the shares
        self.kept: list[torch.Tensor] = []

    @cached_property
    def steps(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """The shares step by step."""
        return list(zip(self.a.unbind(0), self.b.unbind(0), strict=True))

    def __call__(self, relevance: torch.Tensor, t: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the relevance of a and of b at step t, counted from the last to the first."""
        self.kept.append(relevance)
        a, b = self.steps[t]
        return a * relevance, b * relevance

    def book(self, tally: Tally) -> None:
        """Book what was absorbed on the way."""
        self.book_all(tally, torch.stack(self.kept[::-1]))

    def book_all(self, tally: Tally, relevance: torch.Tensor) -> None:
        """Book what is absorbed of the relevance of all steps."""
        if self.epsilon:
            tally.book("stabiliser", self.inverse.abs().mul_(relevance), self.epsilon)  # s(z) / (z + ε s(z)) is positive
        else:
            tally.book("stabiliser", relevance * (self.inverse == 0))
