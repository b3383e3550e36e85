"""The pieces of a text as a page draws them: plain strings, classes and tips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textlrp.explanation import Explanation
from textlrp.highlight import plain, spans
from textlrp.highlight.scale import level

__all__ = ["pieces", "shade"]


def pieces(
    e: Explanation, limit: float, merged: Sequence[spans.Phrase] = (), phrase_limit: float = 0.0
) -> list[dict[str, Any]]:
    """Give the text of `e` in order: each piece with its classes and tips, full colour at `limit`.

    A piece opens or closes a phrase of `merged` where one starts or ends.
    """
    opens = {each.first: each for each in merged}
    closes = {each.last for each in merged}
    values, ranks, shares = e.relevance.tolist(), spans.ranks(e), spans.shares(e)
    total = sum(map(abs, values))
    out: list[dict[str, Any]] = []
    for text, i, read in spans.pieces(e):
        direction = " i" if plain.BIDI.search(text) else ""
        if i < 0:
            gap = "" if read and not direction else ("tail" if not read else "g") + direction
            out.append(
                {"text": text, "token": False, "class": gap, "tip": "", "opens": None, "phrase_tip": "", "closes": False}
            )
            continue
        classes = f"t{shade(values[i], limit)}{direction}{'' if e.known[i] else ' u'}"
        piece: dict[str, Any] = {"text": text, "token": True, "class": classes, "opens": None, "phrase_tip": ""}
        place = f"{plain.number(values[i])} · {plain.percent(shares[i])} of all · rank {ranks[i]:,} of {len(values):,}"
        piece["tip"] = f"{_isolated(text)}  {place}{'' if e.known[i] else ' · not in the vocabulary'}"
        if i in opens:
            phrase = opens[i]
            words = e.text[e.tokens[phrase.first].start : e.tokens[phrase.last].end]
            share = plain.percent(abs(phrase.relevance) / total)
            piece["opens"] = shade(phrase.relevance, phrase_limit, "f")
            piece["phrase_tip"] = f"{_isolated(words)}  {plain.number(phrase.relevance)} · {share} of all"
        piece["closes"] = i in closes
        out.append(piece)
    return out


def shade(relevance: float, limit: float, prefix: str = "") -> str:
    """Give the class of a relevance, " p1" to " p12" or " n1" to " n12", and nothing where it has no colour.

    >>> shade(0.5, 1.0), shade(0.0, 1.0)
    (' p6', '')
    """
    step = level(relevance, limit)
    return f" {prefix}{'p' if step > 0 else 'n'}{abs(step)}" if step else ""


def _isolated(word: str) -> str:
    """A word in one line between direction isolates, so that it cannot reorder the numbers after it."""
    return f"\u2068{plain.short(word)}\u2069"
