"""Colours and markers of figures: what every eye tells apart, and never by colour alone."""

from __future__ import annotations

__all__ = ["COLOURS", "MARKERS", "mark"]

#: Colours that colour-blind readers can tell apart (Okabe & Ito 2008), each with a marker of its own.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c6d31")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "h", "d")


def mark(number: int) -> dict[str, str]:
    """Return colour and marker of the series with this number; no two of twelve have the same marker, of 24 the same pair.

    >>> mark(1)
    {'marker': 's', 'color': '#d55e00'}
    """
    return {"marker": MARKERS[number % len(MARKERS)], "color": COLOURS[number % len(COLOURS)]}
