"""A sequence as rows, [N, …]: word after word, of each the texts that have one. Packed data is so already, padded data is B
rows to a word. A layer that reads backwards sees each text's rows in turned order, in the places of the same text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

import torch

__all__ = ["Piece", "Rows", "Stretch"]

_CACHED = 2**17  # numbers of one array of a piece: a few such arrays stay in the processor's cache


class Stretch(NamedTuple):
    """Successive steps of equally many texts: the first row within a piece, how many texts, and how many steps."""

    start: int
    size: int
    steps: int


class Piece(NamedTuple):
    """Successive steps: the number of the first, their rows, and how many texts each step has."""

    first: int
    rows: slice
    sizes: list[int]

    def runs(self) -> list[Stretch]:
        """Return the steps, those of equally many texts together.

        >>> [tuple(run) for run in Piece(0, slice(0, 7), [3, 2, 2]).runs()]
        [(0, 3, 1), (3, 2, 2)]
        """
        found: list[Stretch] = []
        start = 0
        for size, steps in groupby(self.sizes):
            found.append(Stretch(start, size, len(list(steps))))
            start += size * found[-1].steps
        return found


@dataclass(frozen=True, eq=False)
class Rows:
    """How many texts have a word at each place, [T], the longest texts first; `batch_first` is None for packed data.

    >>> rows = Rows([3, 1, 1], None)
    >>> [piece.rows for piece in rows.pieces(width=2**15)]
    [slice(0, 4, None), slice(4, 5, None)]
    >>> rows.per_text(torch.tensor([1.0, 2.0, 3.0, 10.0, 100.0])).tolist()
    [111.0, 2.0, 3.0]
    """

    sizes: list[int]
    batch_first: bool | None

    @classmethod
    def of(cls, data: torch.Tensor, sizes: torch.Tensor | None, *, batch_first: bool) -> Rows:
        """Describe padded data [T, B, …] or [B, T, …], or packed data [N, …] with its batch sizes."""
        if sizes is not None:
            return cls(sizes.tolist(), None)
        steps, texts = data.shape[:2] if not batch_first else (data.shape[1], data.shape[0])
        return cls([texts] * steps, batch_first)

    @cached_property
    def starts(self) -> list[int]:
        """The first row of each word, [T]."""
        found = [0]
        for size in self.sizes[:-1]:
            found.append(found[-1] + size)
        return found

    @property
    def even(self) -> bool:
        """Whether all texts are equally long."""
        return self.sizes[0] == self.sizes[-1]

    def see(self, data: torch.Tensor) -> torch.Tensor:
        """Return `data` as rows, [N, …]: a view where there is one."""
        if self.batch_first is None:
            return data
        return (data.transpose(0, 1) if self.batch_first else data).flatten(0, 1)

    def back(self, rows: torch.Tensor) -> torch.Tensor:
        """Return rows [N, …] in the order of the data."""
        if self.batch_first is None:
            return rows
        data = rows.unflatten(0, (len(self.sizes), -1))
        return data.transpose(0, 1) if self.batch_first else data

    def padded(self, amounts: torch.Tensor) -> torch.Tensor:
        """Return an amount of each row, [N], by word and text, [T, B]; 0 where there is no word."""
        if self.even:
            return amounts.view(len(self.sizes), -1)
        found = amounts.new_zeros(len(self.sizes), self.sizes[0])
        found[torch.arange(self.sizes[0]) < torch.tensor(self.sizes)[:, None]] = amounts
        return found

    def per_text(self, amounts: torch.Tensor) -> torch.Tensor:
        """Add up an amount of each row, [N], by text, [B]."""
        return self.padded(amounts).sum(0)

    def last(self) -> torch.Tensor:
        """Return the row of the last step of each text, [B]."""
        texts = torch.arange(self.sizes[0])
        return torch.tensor(self.starts)[(torch.tensor(self.sizes)[:, None] > texts).sum(0) - 1] + texts

    def unread(self, amounts: torch.Tensor) -> torch.Tensor:
        """Return an amount of each row, [N], as [B, T]."""
        return self.padded(amounts).t()

    @cached_property
    def turned(self) -> torch.Tensor:
        """For each row the one that takes its place where texts are read backwards, [N]; twice turned is as before.

        >>> Rows([2, 1, 1], None).turned.tolist()
        [3, 1, 2, 0]
        """
        if self.even:
            return torch.arange(len(self.sizes) * self.sizes[0]).view(-1, self.sizes[0]).flip(0).flatten()
        sizes, starts = torch.tensor(self.sizes), torch.tensor(self.starts)
        word = torch.arange(len(sizes)).repeat_interleave(sizes)
        text = torch.arange(len(word)) - starts[word]
        lengths = (sizes[:, None] > torch.arange(self.sizes[0])).sum(0)
        return starts[lengths[text] - 1 - word] + text

    def turn(self, rows: torch.Tensor) -> torch.Tensor:
        """Return rows [N, …] in turned order."""
        return rows.index_select(0, self.turned.to(rows.device))

    def pieces(self, width: int) -> Iterator[Piece]:
        """Cut the steps into pieces of `width` numbers a row that stay in the processor's cache."""
        most, t, start = max(1, _CACHED // max(width, 1)), 0, 0
        while t < len(self.sizes):
            stop, rows = t, 0
            while stop < len(self.sizes) and (stop == t or rows + self.sizes[stop] <= most):
                rows += self.sizes[stop]
                stop += 1
            yield Piece(t, slice(start, start + rows), self.sizes[t:stop])
            t, start = stop, start + rows
