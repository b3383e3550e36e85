"""What kind of word a word is: those that seldom should decide about a text."""

from __future__ import annotations

import re

__all__ = ["KINDS", "kind_of"]

#: Kinds of words that seldom should decide, with what they are called on a page.
KINDS = {"rating": "ratings", "number": "numbers", "markup": "markup and links", "name": "names"}

_RATING = re.compile(r"\d+(?:[.,]\d+)?(?:/\d+|\*+)|[*★☆]{2,}|[★☆]")
_NUMBER = re.compile(r"[-+$£€]?\d[\d.,:']*(?:st|nd|rd|th|s|%)?")
_MARKUP = re.compile(r"</?[a-z][^>]*>|&[a-z#0-9]+;|(?:https?://|www\.)\S+|\S+@\S+\.\S+", re.IGNORECASE)


def kind_of(word: str, *, occurrences: int = 0, capitals: int = 0) -> str:
    """Return rating, number, markup, name or word; a name is written with a capital inside sentences, in 4 of 5 occurrences.

    `capitals` of its `occurrences` inside sentences began with a capital letter.

    >>> [kind_of(w) for w in ("7/10", "1999", "<br />", "film")], kind_of("hanks", occurrences=10, capitals=9)
    (['rating', 'number', 'markup', 'word'], 'name')
    """
    if _RATING.fullmatch(word):
        return "rating"
    if _NUMBER.fullmatch(word):
        return "number"
    if _MARKUP.fullmatch(word):
        return "markup"
    if word[:1].isalpha() and len(word) > 1 and occurrences >= 2 and capitals >= 0.8 * occurrences:
        return "name"
    return "word"
