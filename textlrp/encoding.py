"""Texts as the network reads them, each token with its place; and streams of texts in windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from textlrp.errors import InputError
from textlrp.text.tokens import Token, tokens_and_words

if TYPE_CHECKING:
    from textlrp.text.vocabulary import Vocabulary

__all__ = ["Reading", "check_texts", "read", "windows"]


class Reading(NamedTuple):
    """A text as the network reads it: its tokens [T] and their `ids` [T] int64; the text is read up to character `read_to`."""

    text: str
    tokens: tuple[Token, ...]
    ids: np.ndarray
    read_to: int


def check_texts(texts: Iterable[str]) -> list[str]:
    """Return `texts` as a list of str; a single str, or an item that is no str, is an error that says so.

    >>> check_texts(("good", "bad"))
    ['good', 'bad']
    """
    if isinstance(texts, (str, bytes)):
        raise InputError("texts must be a list of texts, not one text; write [text]")
    return [_checked(text, f"text {i}") for i, text in enumerate(texts)]


def _checked(text: object, name: str) -> str:
    if not isinstance(text, str):
        raise InputError(f"{name} is a {type(text).__name__}, not a str; convert it, or leave it out")
    return str(text)


def read(text: str, vocabulary: Vocabulary, *, max_tokens: int | None = None) -> Reading:
    """Read one text, keeping its tokens; what lies behind the first `max_tokens` tokens is not read."""
    tokens, found = tokens_and_words(_checked(text, "the text"))
    read_to = len(text)
    if max_tokens is not None and len(tokens) > max_tokens:
        tokens, found = tokens[:max_tokens], found[:max_tokens]
        read_to = tokens[-1].end
    ids = vocabulary.encode(found)
    return Reading(text, tuple(tokens), np.asarray(ids, dtype=np.int64), read_to)


def windows(texts: Iterable[str], *, size: int) -> Iterator[list[str]]:
    """Cut a stream of texts into lists of `size`: sorted by length inside, they batch well and memory stays flat.

    >>> list(windows(["a", "b", "c"], size=2))
    [['a', 'b'], ['c']]
    """
    window: list[str] = []
    for text in texts:
        window.append(text)
        if len(window) == size:
            yield window
            window = []
    if window:
        yield window
