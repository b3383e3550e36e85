"""One explanation as a PNG picture, for slides and documents that take no SVG."""

from __future__ import annotations

import io

from textlrp.errors import InputError
from textlrp.explanation import Explanation
from textlrp.highlight import plain
from textlrp.highlight.layout import font, lines, measure
from textlrp.highlight.scale import DARK, LEVELS, LIGHT, Scale, level, limits, shades

__all__ = ["png"]

SIZE, LINE, PAD, GAP = 16, 31, 24, 1.5  # as in the SVG
TALLEST = 20_000  # pixels, before `zoom`


def png(e: Explanation, *, width: int = 760, zoom: float = 2.0, dark: bool = False, scale: Scale = "each", k: int = 5) -> bytes:
    """Give one explanation as the bytes of a PNG, `width` × `zoom` pixels wide: what `svg` draws, without its tips.

    Letters that the font (DejaVu Sans) does not have are drawn as empty boxes; an SVG or a page shows them. Raises
    InputError where the picture would be too tall.

    >>> from textlrp.text.tokens import Token
    >>> e = Explanation("good", (Token("good", 0, 4),), [1.0], "positive", 1.0, {"words": 1.0})
    >>> png(e)[:4]
    b'\\x89PNG'
    """
    from PIL import Image, ImageDraw

    theme = DARK if dark else LIGHT
    inner, limit = width - 2 * PAD, limits([e], scale)[0]
    rows = lines(e, width=inner, wide=lambda text: measure(text, SIZE), between=GAP)
    height = PAD + SIZE + 34 + len(rows) * LINE + 8 + 38 + 44 + PAD
    if height > TALLEST:
        raise InputError(f"a picture of this text would be {height:,} pixels tall; write a page (HTML) of so long a text")
    image = Image.new("RGB", (round(width * zoom), round(height * zoom)), theme.ground)
    draw = ImageDraw.Draw(image)
    colours = {1: shades(theme, 1), -1: shades(theme, -1)}

    def write(left: float, base: float, text: str, *, size: float, colour: str, bold: bool = False) -> None:
        most = int(inner + PAD - left)
        while text and measure(text, size, bold=bold) > most:
            text = text[: max(len(text) - 4, 0)].rstrip() + "…" if len(text) > 4 else ""
        draw.text((left * zoom, base * zoom), text, fill=colour, font=font(size * zoom, bold=bold), anchor="ls")

    share = f" ({plain.percent(e.probabilities[e.prediction])})" if e.prediction and e.probabilities else ""
    said = f"prediction {plain.short(e.prediction)}{share}   " if e.prediction else ""
    head = f"{said}explained {plain.short(e.target)}, score {plain.number(e.score)}"
    write(PAD, PAD + SIZE, head, size=15, colour=theme.ink, bold=True)
    top = float(PAD + SIZE + 34)
    for row in rows:
        for box in row:
            left = PAD + box.left
            step = level(e.relevance[box.token], limit) if box.token >= 0 else 0
            if step:
                sign = 1 if step > 0 else -1
                right, line = left + box.width, theme.positive_line if sign > 0 else theme.negative_line
                edges = [left * zoom, (top - 3) * zoom, right * zoom, (top + 22) * zoom]
                draw.rounded_rectangle(edges, radius=3 * zoom, fill=colours[sign][abs(step) - 1])
                for start, end in _strokes(left + 1, right - 1, dashed=sign < 0):
                    draw.line(
                        [start * zoom, (top + 20) * zoom, end * zoom, (top + 20) * zoom], fill=line, width=round(1.5 * zoom)
                    )
            x = (left + (GAP if box.token >= 0 else 0.0)) * zoom
            ink = theme.ink if box.read else theme.quiet
            draw.text((x, (top + SIZE) * zoom), box.text, fill=ink, font=font(SIZE * zoom), anchor="ls")
        top += LINE
    top += 8
    left = float(PAD)
    for step in range(-LEVELS, LEVELS + 1):
        colour = theme.ground if not step else colours[1 if step > 0 else -1][abs(step) - 1]
        draw.rectangle([left * zoom, top * zoom, (left + 9) * zoom - 1, (top + 12) * zoom], fill=colour)
        left += 9
    ends = f"{plain.number(-limit)} against (dashes) … {plain.number(limit)} for {plain.short(e.target)} (line)"
    write(left + 10, top + 11, ends, size=12, colour=theme.quiet)
    base = top + 38
    for mark, side, words in zip("+−", e.sides, e.top(k), strict=True):
        listed = ",  ".join(f"{plain.short(word, 24)} {plain.number(value)}" for word, value in words) or "none"
        write(PAD, base, f"{mark} {plain.short(side)}:  {listed}", size=13, colour=theme.ink)
        base += 22
    entries = [(name, value) for name, value in e.ledger.items() if value or name in ("words", "bias")]
    ledger = ",  ".join(f"{plain.short(name.replace('_', ' '))} {plain.number(value)}" for name, value in entries)
    write(PAD, base, f"ledger:  {ledger}", size=12, colour=theme.quiet)
    out = io.BytesIO()
    image.save(out, format="PNG", optimize=True)
    return out.getvalue()


def _strokes(left: float, right: float, *, dashed: bool) -> list[tuple[float, float]]:
    """The parts of an underline: one, or dashes of 3 with gaps of 2.5."""
    if not dashed:
        return [(left, right)]
    found = []
    while left < right:
        found.append((left, min(left + 3.0, right)))
        left += 5.5
    return found
