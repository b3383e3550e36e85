"""What the vocabulary sees of a token: one spelling for the many ways in which the same word is written."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache

__all__ = ["normal_form"]

APOSTROPHES = "'’‘´`ʼ＇′\x91\x92"
QUOTES = '"“”„‟«»″＂\x84\x93\x94'
DASHES = "-‐‑‒–—―−\x96\x97"  # the last two: dashes of Windows-1252, read as Latin-1, as found in scraped text
TITLES = (
    "mr",
    "mrs",
    "ms",
    "messrs",
    "dr",
    "prof",
    "st",
    "jr",
    "sr",
    "vs",
    "lt",
    "capt",
    "sgt",
    "col",
    "gen",
    "rev",
    "gov",
    "sen",
)

_FOLD = {ord(c): "'" for c in APOSTROPHES} | {ord(c): '"' for c in QUOTES} | {ord(c): "-" for c in DASHES}
_FOLD |= {ord("…"): "...", 0x85: "...", 0xAD: "", 0xFE0E: "", 0xFE0F: ""}  # soft hyphen; how to draw an emoji
_BREAK = re.compile(r"</?br\b", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)", re.IGNORECASE)
_FACE = re.compile(r"([:;=8])('?)[-o^]?([()\[\]/\\|dpob])\3*", re.IGNORECASE)
_INITIALS = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_TITLES = frozenset(title + "." for title in TITLES)


_LONGEST_KEPT = 64  # characters: a memory of longer tokens could fill that of the machine


def normal_form(token_text: str) -> str:
    """Return the form of a token under which the vocabulary knows it; never empty, never white space.

    Lower case, Unicode composed (NFC), entities decoded; curly apostrophes, quotation marks and dashes made plain; line breaks
    `<br />`, any other tag without its attributes; a run of full stops `...`; a title without its stop, initials with
    their last one; a face without its nose.

    >>> [normal_form(t) for t in ["Don’t", "“", "—", "....", "&Eacute;", "<BR><br/>", '<A HREF="x">', "Mr.", ":-))"]]
    ["don't", '"', '-', '...', 'é', '<br />', '<a>', 'mr', ':)']
    """
    return _kept(token_text) if len(token_text) <= _LONGEST_KEPT else _form(token_text)


def _form(text: str) -> str:
    if text.isalpha() and text.isascii():
        return text.lower()
    return _rare_form(text) or text


_kept = lru_cache(maxsize=1 << 17)(_form)


def _rare_form(text: str) -> str:
    """Return the normal form of a token that is more than ASCII letters."""
    if text[:1] == "<" and text[-1:] == ">":
        if _BREAK.match(text):
            return "<br />"
        tag = _TAG.match(text)
        if tag:
            return f"<{tag[1]}{tag[2].lower()}>"
        return "<!-- -->" if text.startswith("<!--") else text.lower()
    if text[:1] == "&" and text[-1:] == ";" and len(text) > 2:
        decoded = html.unescape(text)
        if not decoded.strip():
            return text.lower()
        text = decoded
    folded = unicodedata.normalize("NFC", text.lower().translate(_FOLD)).translate(_FOLD)
    if folded.isalpha():
        return folded
    if folded in _TITLES:
        return folded[:-1]
    if folded == "'nt":
        return "n't"
    if _INITIALS.fullmatch(folded):
        return folded + "."
    if len(folded) > 1 and folded[0] in "-.'`":
        if not folded.strip("-"):
            return "-"
        if not folded.strip("."):
            return "..."
        if not folded.strip("'"):
            return '"'
    face = _FACE.fullmatch(folded)
    return face[1] + face[2] + face[3] if face else folded
