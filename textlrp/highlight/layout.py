"""Where each piece of an explained text stands in a picture: lines broken between words, widths measured in a real font."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from textlrp.explanation import Explanation
from textlrp.highlight import plain, spans

__all__ = ["Box", "font", "lines", "measure"]

MEASURED = 100_000  # characters at once: the font refuses a million
_BREAK = re.compile("\r\n|[\n\r]")
_PART = re.compile(r" +|[^ ]+")


class Box(NamedTuple):
    """A piece of text in a line: its left edge and width, the token it belongs to (-1: none), and whether the model read it."""

    text: str
    left: float
    width: float
    token: int
    read: bool


@functools.lru_cache(maxsize=8)
def font(size: float, *, bold: bool = False) -> Any:
    """Return the font that pictures are measured and drawn with: the DejaVu Sans that comes with matplotlib."""
    import matplotlib
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", name)), size)


def measure(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of a line of text, in the units of `size`; of more than MEASURED characters, the sum of its parts'.

    >>> measure("mm", 16) > measure("ii", 16) > 0
    True
    """
    wide = font(size, bold=bold).getlength
    return float(sum(wide(text[start : start + MEASURED]) for start in range(0, len(text), MEASURED)))


def lines(e: Explanation, *, width: float, wide: Callable[[str], float], between: float = 0.0) -> list[list[Box]]:
    """Break the text into lines of at most `width`, `wide` telling how wide a piece is; tokens get `between` on each side.

    Lines break where the text does, else at spaces and between tokens, and inside a token only if it is wider than a line.
    Joined, the boxes are the text, but for control characters and lone surrogates, which are shown by pictures of them.
    """
    found: list[list[Box]] = [[]]
    left = 0.0
    for text, token, read in spans.pieces(e):
        pad = between if token >= 0 else 0.0
        for number, line in enumerate(_BREAK.split(text)):
            if number:
                found.append([])
                left = 0.0
            shown = plain.visible(line.replace("\t", "    "))
            for part in [shown] if token >= 0 and shown else _PART.findall(shown):
                for piece in _fitting(part, width - 2 * pad, wide):
                    size = wide(piece) + 2 * pad
                    if left and left + size > width and not piece.isspace():
                        found.append([])
                        left = 0.0
                    found[-1].append(Box(piece, left, size, token, read))
                    left += size
    return found


def _fitting(text: str, width: float, wide: Callable[[str], float]) -> list[str]:
    """Cut a text into pieces that are no wider than a line."""
    if wide(text) <= width or len(text) < 2:
        return [text]
    size = max(int(len(text) * width / wide(text) * 0.9), 1)
    parts: list[str] = []
    for start in range(0, len(text), size):
        part = text[start : start + size]
        parts += [part] if wide(part) <= width else _fitting(part, width, wide)
    return parts
