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
_MOST = 200_000  # chunks that are remembered


class Readings(NamedTuple):
    """Tokens of n texts, end to end: text i has offsets[i] to offsets[i + 1]; all other arrays are [N], `read_to` is [n]."""

    offsets: np.ndarray
    tokens: list[str]
    starts: np.ndarray
    ends: np.ndarray
    ids: np.ndarray
    read_to: list[int]


class _Chunk(NamedTuple):
    """A stretch without white space: its tokens, where they begin and end in it, and their ids."""

    tokens: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    ids: tuple[int, ...]


class Reader:
    """Reads texts for one vocabulary; the tokens of a chunk without white space are found once and remembered.

    >>> from textlrp.text.vocabulary import Vocabulary
    >>> found = Reader(Vocabulary(["fine"]), max_tokens=None)(["Fine, isn't it?", ""])
    >>> found.tokens, found.ids.tolist(), found.starts.tolist(), found.offsets.tolist()
    (['Fine', ',', 'is', "n't", 'it', '?'], [2, 1, 1, 1, 1, 1], [0, 4, 6, 8, 12, 14], [0, 6, 6])
    """

    def __init__(self, vocabulary: Vocabulary, *, max_tokens: int | None) -> None:
        self.vocabulary, self.max_tokens = vocabulary, max_tokens
        self._known: dict[str, _Chunk] = {}

    def __call__(self, texts: Sequence[str]) -> Readings:
        """Read texts; what lies behind the first `max_tokens` tokens of one is not read."""
        tokens: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        ids: list[int] = []
        base: list[int] = []  # where the chunk of each token begins
        offsets, read_to = [0], []
        for text in texts:
            begin = len(tokens)
            plain = _plain(text)
            position = 0
            for markup in MARKUP.finditer(plain) if "<" in plain else ():
                self._add(plain[position : markup.start()], position, tokens, starts, ends, ids, base)
                self._put(markup[0], markup.start(), tokens, starts, ends, ids, base)
                position = markup.end()
            self._add(plain[position:] if position else plain, position, tokens, starts, ends, ids, base)
            if plain is not text:
                tokens[begin:] = [
                    text[b + s : b + e] for b, s, e in zip(base[begin:], starts[begin:], ends[begin:], strict=True)
                ]
                ids[begin:] = self.vocabulary.encode([normal_form(each) for each in tokens[begin:]]).tolist()
            until = len(text)
            if self.max_tokens is not None and len(tokens) - begin > self.max_tokens:
                cut = begin + self.max_tokens
                for column in (tokens, starts, ends, ids, base):
                    del column[cut:]
                until = base[-1] + ends[-1]
            read_to.append(until)
            offsets.append(len(tokens))
        places = np.array(base, dtype=np.int32)
        return Readings(
            np.array(offsets, dtype=np.int64),
            tokens,
            places + np.array(starts, dtype=np.int32),
            places + np.array(ends, dtype=np.int32),
            np.array(ids, dtype=np.int32),
            read_to,
        )

    def _add(
        self,
        text: str,
        offset: int,
        tokens: list[str],
        starts: list[int],
        ends: list[int],
        ids: list[int],
        base: list[int],
    ) -> None:
        """Append the tokens of a stretch without markup."""
        position, known, index = 0, self._known.get, text.index
        for chunk in text.split():
            position = index(chunk, position)
            found = known(chunk) or self._chunk(chunk)
            if len(found[0]) == 1:
                base.append(offset + position)
            else:
                base += (offset + position,) * len(found[0])
            tokens += found[0]
            starts += found[1]
            ends += found[2]
            ids += found[3]
            position += len(chunk)

    def _put(
        self, piece: str, at: int, tokens: list[str], starts: list[int], ends: list[int], ids: list[int], base: list[int]
    ) -> None:
        tokens.append(piece)
        starts.append(0)
        ends.append(len(piece))
        ids.append(self.vocabulary[normal_form(piece)])
        base.append(at)

    def _chunk(self, chunk: str) -> _Chunk:
        pieces = tuple(_split(chunk))
        ends = np.cumsum([len(piece) for piece in pieces]).tolist()
        numbers = self.vocabulary.encode([normal_form(piece) for piece in pieces]).tolist()
        found = _Chunk(pieces, (0, *ends[:-1]), tuple(ends), tuple(numbers))
        if len(chunk) <= _LONGEST:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[chunk] = found
        return found
