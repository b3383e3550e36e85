"""Many texts to flat columns of tokens: what `textlrp.encoding.read` gives, without an object for each token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from textlrp.text.tokens import MARKUP, _plain, _split, normal_form

if TYPE_CHECKING:
    from textlrp.text.vocabulary import Vocabulary

__all__ = ["Reader", "Readings"]

_LONGEST = 40  # characters of a chunk that is remembered
_MOST = 150_000  # chunks that are remembered


class Readings(NamedTuple):
    """Tokens of n texts, end to end: text i has offsets[i] to offsets[i + 1]; all other arrays are [N], `read_to` is [n]."""

    offsets: np.ndarray
    tokens: list[str]
    starts: np.ndarray
    ends: np.ndarray
    ids: np.ndarray
    read_to: list[int]


class Reader:
    """Reads texts for one vocabulary; the tokens of a chunk without white space are found once and remembered.

    >>> from textlrp.text.vocabulary import Vocabulary
    >>> found = Reader(Vocabulary(["fine"]), max_tokens=None)(["Fine, isn't it?", ""])
    >>> found.tokens, found.ids.tolist(), found.starts.tolist(), found.offsets.tolist()
    (['Fine', ',', 'is', "n't", 'it', '?'], [2, 1, 1, 1, 1, 1], [0, 4, 6, 8, 12, 14], [0, 6, 6])
    """

    def __init__(self, vocabulary: Vocabulary, *, max_tokens: int | None) -> None:
        self.vocabulary, self.max_tokens = vocabulary, max_tokens
        self._known: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {}

    def __call__(self, texts: Sequence[str]) -> Readings:
        """Read texts; what lies behind the first `max_tokens` tokens of one is not read."""
        tokens: list[str] = []
        ids: list[int] = []
        places: list[int] = []  # where each chunk begins
        counts: list[int] = []  # how many tokens it has
        offsets = [0]
        for text in texts:
            begin = len(tokens)
            plain = _plain(text)
            position = 0
            for markup in MARKUP.finditer(plain) if "<" in plain else ():
                self._add(plain[position : markup.start()], position, tokens, ids, places, counts)
                tokens.append(markup[0])
                ids.append(self.vocabulary[normal_form(markup[0])])
                places.append(markup.start())
                counts.append(1)
                position = markup.end()
            self._add(plain[position:] if position else plain, position, tokens, ids, places, counts)
            if plain is not text:
                self._restore(text, tokens, ids, begin)
            offsets.append(len(tokens))
        starts, ends = _spans(tokens, places, counts)
        found = Readings(np.array(offsets), tokens, starts, ends, np.array(ids, dtype=np.int32), [len(text) for text in texts])
        most = self.max_tokens
        return found if most is None or np.diff(found.offsets).max(initial=0) <= most else _cut(found, most)

    def _add(self, text: str, offset: int, tokens: list[str], ids: list[int], places: list[int], counts: list[int]) -> None:
        """Append the tokens of a stretch without markup that begins at `offset`."""
        position, known, index = 0, self._known.get, text.index
        for chunk in text.split():
            position = index(chunk, position)
            pieces, numbers = known(chunk) or self._chunk(chunk)
            tokens += pieces
            ids += numbers
            places.append(offset + position)
            counts.append(len(pieces))
            position += len(chunk)

    def _chunk(self, chunk: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """Find the tokens of a chunk, and their ids."""
        pieces = tuple(_split(chunk))
        found = pieces, tuple(self.vocabulary.encode([normal_form(piece) for piece in pieces]).tolist())
        if len(chunk) <= _LONGEST:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[chunk] = found
        return found

    def _restore(self, text: str, tokens: list[str], ids: list[int], begin: int) -> None:
        """Give a text whose characters were changed to be read its own tokens again; all that changed has one length."""
        position = 0
        plain = _plain(text)
        for k in range(begin, len(tokens)):
            position = plain.index(tokens[k], position)
            tokens[k] = text[position : position + len(tokens[k])]
            position += len(tokens[k])
        ids[begin:] = self.vocabulary.encode([normal_form(each) for each in tokens[begin:]]).tolist()


def _spans(tokens: list[str], places: list[int], counts: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Where tokens begin and end, [N] int32 each: inside a chunk one follows the other."""
    lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
    run = np.cumsum(lengths) - lengths
    number = np.array(counts, dtype=np.int64)
    first = np.cumsum(number) - number
    starts = run + np.repeat(np.array(places, dtype=np.int64) - run[first], number)
    return starts.astype(np.int32), (starts + lengths).astype(np.int32)


def _cut(found: Readings, most: int) -> Readings:
    """The readings with at most so many tokens a text."""
    lengths = np.diff(found.offsets)
    within = np.arange(len(found.tokens)) - np.repeat(found.offsets[:-1], lengths)
    kept = np.flatnonzero(within < most)
    last = found.offsets[:-1] + most - 1
    until = [
        int(found.ends[at]) if length > most else whole
        for at, length, whole in zip(last.tolist(), lengths.tolist(), found.read_to, strict=True)
    ]
    offsets = np.concatenate([[0], np.cumsum(np.minimum(lengths, most))])
    tokens = [found.tokens[i] for i in kept.tolist()]
    return Readings(offsets, tokens, found.starts[kept], found.ends[kept], found.ids[kept], until)
