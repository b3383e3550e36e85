"""The errors that textlrp raises for its users: every message says what was wrong, what is allowed and what to do next."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

__all__ = [
    "CheckpointError",
    "DataError",
    "EmbeddingError",
    "ExplanationError",
    "InputError",
    "MissingPackageError",
    "NumericalError",
    "RelevanceError",
    "TextLRPError",
    "TrainingError",
    "UnknownNameError",
    "unknown_name",
]


_MOST_LISTED, _LONGEST = 100, 120  # names in a message, characters of a name
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class TextLRPError(Exception):
    """The base of every error that a user of textlrp can cause.

    A message may quote what a foreign file holds; what would steer a terminal, or cannot be written, is shown escaped.

    >>> print(DataError("the column '\\x1b[31mred' is missing"))
    the column '\\x1b[31mred' is missing
    """

    def __str__(self) -> str:
        return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], super().__str__())


class InputError(TextLRPError, ValueError):
    """An argument has a value that is not allowed."""


class UnknownNameError(InputError):
    """A name (of a model, rule, target, class, column…) is not known; the message lists those that are."""


class DataError(TextLRPError):
    """A data set cannot be read, or what it holds cannot be used."""


class EmbeddingError(TextLRPError):
    """A file of word vectors cannot be read, or does not fit the model."""


class CheckpointError(TextLRPError):
    """A checkpoint folder is missing, incomplete, damaged or not ours."""


class TrainingError(TextLRPError):
    """Training cannot start or cannot go on."""


class RelevanceError(TextLRPError):
    """Relevance cannot be propagated through a model: an operation has no rule, or a rule cannot be applied."""


class NumericalError(TextLRPError, ArithmeticError):
    """The numbers of a text overflowed or became NaN; `texts` holds the places of such texts among those given, from 0."""

    def __init__(self, message: str, texts: Iterable[int] = ()) -> None:
        super().__init__(message)
        self.texts = tuple(texts)

    def __reduce__(self) -> tuple[type[NumericalError], tuple[str, tuple[int, ...]]]:
        return type(self), (str(self), self.texts)


class ExplanationError(TextLRPError):
    """A stored explanation cannot be read."""


class MissingPackageError(TextLRPError, ImportError):
    """An optional package is needed; the message says which, and how to install it."""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> UnknownNameError:
    """Make the error for an unknown `name` of some `kind`, with the nearest right thing first.

    >>> str(unknown_name("rule", "epsilom", ["epsilon", "gamma"]))
    "unknown rule 'epsilom'; did you mean 'epsilon'? Known: epsilon, gamma"
    """
    names = [str(each) for each in known]
    given = _cut(str(name))
    close = difflib.get_close_matches(given, [each for each in names if len(each) <= _LONGEST][:1_000], n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    listed = ", ".join(map(_cut, names[:_MOST_LISTED])) if names else "none"
    if len(names) > _MOST_LISTED:
        listed += f" and {len(names) - _MOST_LISTED:,} more"
    return UnknownNameError(f"unknown {kind} {given!r}{hint} Known: {listed}")


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
