"""The symmetric colour scale: zero has no colour, blue speaks for, orange against; both tell apart for colour-blind readers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from textlrp.errors import InputError, unknown_name
from textlrp.explanation import Explanation

__all__ = ["DARK", "LEVELS", "LIGHT", "Scale", "Theme", "contrast", "level", "limits", "shades"]

LEVELS = 12  # steps from no colour to full colour, on each side

Scale = Literal["shared", "each"] | float


@dataclass(frozen=True)
class Theme:
    """The colours of one appearance, as #rrggbb: ground, ink, quiet ink, and for each sign the full shade and the line."""

    ground: str
    ink: str
    quiet: str
    positive: str
    negative: str
    positive_line: str
    negative_line: str


LIGHT = Theme("#ffffff", "#1d1e22", "#5c5f66", "#6db1ea", "#f5a454", "#0b5190", "#8a3f00")
DARK = Theme("#1a1b1f", "#eeeeec", "#a8abb3", "#1f619f", "#98500c", "#8fc6ff", "#ffc58c")


def limits(explanations: Iterable[Explanation], scale: Scale) -> list[float]:
    """Give the relevance that has full colour in each explanation: one for all, its own for each, or the given number.

    >>> limits([], "shared")
    []
    """
    strongest = [max(map(abs, e.relevance.tolist()), default=0.0) for e in explanations]
    if scale == "each":
        return strongest
    if scale == "shared":
        return [max(strongest)] * len(strongest) if strongest else []
    if isinstance(scale, str):
        raise unknown_name("scale", scale, ["shared", "each"])
    if isinstance(scale, bool) or not 0 < scale < float("inf"):
        raise InputError(f"the scale must be 'shared', 'each' or a relevance above 0, not {scale!r}")
    return [float(scale)] * len(strongest)


def level(relevance: float, limit: float) -> int:
    """Give the signed step of the scale, -LEVELS to LEVELS, proportional to relevance / limit; 0 has no colour.

    >>> level(0.5, 1.0), level(-3.0, 1.0), level(0.0, 0.0)
    (6, -12, 0)
    """
    if limit <= 0:
        return 0
    step = min(int(LEVELS * min(abs(relevance) / limit, 1.0) + 0.5), LEVELS)
    return step if relevance > 0 else -step


def shades(theme: Theme, sign: int) -> list[str]:
    """Give the LEVELS colours of one sign, weakest first: the ground mixed with the full shade.

    >>> shades(LIGHT, +1)[-1] == LIGHT.positive
    True
    """
    full = theme.positive if sign > 0 else theme.negative
    return [mix(theme.ground, full, step / LEVELS) for step in range(1, LEVELS + 1)]


def mix(one: str, other: str, share: float) -> str:
    """Mix two colours #rrggbb, `share` of the other.

    >>> mix("#000000", "#ffffff", 0.5)
    '#808080'
    """
    pairs = zip(rgb(one), rgb(other), strict=True)
    return "#" + "".join(f"{int(a + share * (b - a) + 0.5):02x}" for a, b in pairs)


def rgb(colour: str) -> tuple[int, int, int]:
    """Give the red, green and blue of #rrggbb, 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def contrast(one: str, other: str) -> float:
    """Give the contrast ratio of two colours, 1 to 21 (WCAG 2.2, "relative luminance" and "contrast ratio").

    >>> round(contrast("#000000", "#ffffff"))
    21
    """
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb(colour))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
