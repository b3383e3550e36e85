"""An explanation cut into pieces that every writer draws: tokens, what lies between them, and phrases of one sign."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from textlrp.explanation import Explanation

__all__ = ["Phrase", "Piece", "phrases", "pieces", "ranks", "shares"]


class Piece(NamedTuple):
    """A piece of the text: a token by its index, or what lies between tokens (-1), and whether the model read it."""

    text: str
    token: int
    read: bool


class Phrase(NamedTuple):
    """Neighbouring tokens of one sign, from the first to the last, and the sum of their relevances."""

    first: int
    last: int
    relevance: float


def pieces(e: Explanation) -> Iterator[Piece]:
    """Yield the text of `e` in order, nothing left out: joined, the pieces are the text.

    >>> from textlrp.text.tokens import Token
    >>> e = Explanation("A  film", (Token("A", 0, 1), Token("film", 3, 7)), [0.5, 1.0], "positive", 1.5, {"words": 1.5})
    >>> [piece.text for piece in pieces(e)]
    ['A', '  ', 'film']
    """
    end = 0
    for i, token in enumerate(e.tokens):
        if end < token.start:
            yield Piece(e.text[end : token.start], -1, True)
        yield Piece(token.text, i, True)
        end = token.end
    if end < e.read_to:
        yield Piece(e.text[end : e.read_to], -1, True)
    if e.read_to < len(e.text):
        yield Piece(e.text[e.read_to :], -1, False)


def phrases(e: Explanation) -> list[Phrase]:
    """Merge neighbouring tokens whose relevance has one sign; tokens of relevance 0 belong to no phrase."""
    found: list[Phrase] = []
    for i, relevance in enumerate(e.relevance.tolist()):
        if relevance == 0:
            continue
        before = found[-1] if found else None
        if before is not None and before.last == i - 1 and (before.relevance > 0) == (relevance > 0):
            found[-1] = Phrase(before.first, i, before.relevance + relevance)
        else:
            found.append(Phrase(i, i, relevance))
    return found


def ranks(e: Explanation) -> list[int]:
    """Give the place of each token by the size of its relevance: 1 for the strongest; equals in the order of the text."""
    places = np.empty(len(e.tokens), dtype=np.int64)
    places[np.argsort(-np.abs(e.relevance), kind="stable")] = np.arange(1, len(e.tokens) + 1)
    return [int(each) for each in places]


def shares(e: Explanation) -> list[float]:
    """Give the size of each token's relevance as a share of all sizes; they sum to 1 (all are 0 where nothing is relevant)."""
    sizes = np.abs(e.relevance)
    total = float(sizes.sum())
    return [float(each) for each in (sizes / total if total > 0 else sizes)]
