"""Hostile text made harmless for media that would obey it, and numbers as people read them."""

from __future__ import annotations

import re

__all__ = ["BIDI", "encodable", "fixed", "number", "percent", "short", "visible"]

_NOT_A_CHARACTER = "\ufffd"
_BIDI_CHARACTERS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
BIDI = re.compile(f"[{_BIDI_CHARACTERS}]")

_VISIBLE = re.compile(f"[\x00-\x1f\x7f-\x9f{_BIDI_CHARACTERS}\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_PICTURES = {chr(each): chr(0x2400 + each) for each in range(0x20)} | {"\x7f": "\u2421", "\u2028": "\u2424", "\u2029": "\u2424"}
_NOT_IN_HTML = re.compile("[\x00\ud800-\udfff]")


def visible(text: str) -> str:
    """Replace each control character by its picture, each direction control and lone surrogate by U+FFFD; lengths stay.

    >>> visible("a\\x1b[31m\\u202eb\\n")
    'a␛[31m�b␊'
    """
    return _VISIBLE.sub(lambda found: _PICTURES.get(found[0], _NOT_A_CHARACTER), text)


def encodable(text: str) -> str:
    """Replace what no HTML page can hold, NUL and lone surrogates, by U+FFFD.

    >>> encodable("a\\x00b\\ud800")
    'a�b�'
    """
    return _NOT_IN_HTML.sub(_NOT_A_CHARACTER, text)


def short(word: str, most: int = 40) -> str:
    """Give a word in one visible line of at most `most` characters.

    >>> short("a" * 100, 5)
    'aaaa…'
    """
    return visible(word if len(word) <= most else word[: most - 1] + "…")


def number(value: float) -> str:
    """Give a relevance with its sign and three digits; the minus sign is as wide as the plus.

    >>> number(1.23456), number(-0.5), number(0.0)
    ('+1.23', '−0.5', '0')
    """
    return f"{value:+.3g}".replace("-", "−") if value else "0"


def fixed(value: float, digits: int = 3) -> str:
    """Give a number with so many decimals; what is rounded to nothing has no sign.

    >>> fixed(-0.0001), fixed(-1.5)
    ('0.000', '-1.500')
    """
    return f"{round(value, digits) + 0.0:.{digits}f}"


def percent(share: float) -> str:
    """Give a share as percent.

    >>> percent(0.9312), percent(0.00123)
    ('93.1 %', '0.1 %')
    """
    return f"{100 * share:.1f} %"
