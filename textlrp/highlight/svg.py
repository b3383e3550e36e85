"""One explanation as an SVG picture: light and dark, readable by a screen reader, each word with its relevance as a tip."""

from __future__ import annotations

from markupsafe import escape

from textlrp.explanation import Explanation
from textlrp.highlight import plain, spans
from textlrp.highlight.layout import Box, lines, measure
from textlrp.highlight.scale import DARK, LEVELS, LIGHT, Scale, Theme, level, limits, shades

__all__ = ["svg"]

SIZE, LINE, PAD, GAP = 16, 31, 24, 1.5  # of the text: font, line; around everything; beside each word
FONT = "'DejaVu Sans', Verdana, 'Segoe UI', sans-serif"


def svg(e: Explanation, *, width: int = 760, scale: Scale = "each", k: int = 5) -> str:
    """Give one explanation as SVG, `width` pixels wide: prediction, text as written, scale, `k` strongest words a side.

    Words for the target are underlined, words against it underlined with dashes, unknown ones in italics. Colours
    follow the reader's light or dark preference. Nothing of the text is markup, and the picture needs no network and no font.

    >>> from textlrp.text.tokens import Token
    >>> e = Explanation("<b>", (Token("<b>", 0, 3),), [1.0], "positive", 1.0, {"words": 1.0})
    >>> "&lt;b&gt;" in svg(e)
    True
    """
    limit = limits([e], scale)[0]
    inner = width - 2 * PAD
    rows = lines(e, width=inner, wide=lambda text: measure(text, SIZE), between=GAP)
    parts = [_text(PAD, PAD + SIZE, _head(e), size=15, css="head", most=inner)]
    top = PAD + SIZE + 34
    values, ranks, shares = e.relevance.tolist(), spans.ranks(e), spans.shares(e)
    for number, row in enumerate(rows):
        for box in row:
            place = "" if box.token < 0 else f"{plain.number(values[box.token])} · {plain.percent(shares[box.token])} of all"
            tip = f"{place} · rank {ranks[box.token]:,} of {len(values):,}" if place else ""
            step = level(values[box.token], limit) if box.token >= 0 else 0
            parts.append(_box(box, top + number * LINE, step, tip, known=box.token < 0 or e.known[box.token]))
    bottom = float(top + len(rows) * LINE)
    legend, bottom = _legend(e, limit, bottom + 8, inner, k)
    title = f"Words for and against {plain.short(e.target, 80)}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom + PAD:.0f}" width="{width}" '
        f'height="{bottom + PAD:.0f}" role="img" aria-labelledby="title desc" font-family="{escape(FONT)}">\n'
        f'<title id="title">{escape(title)}</title>\n<desc id="desc">{escape(_description(e, k))}</desc>\n'
        f"<style>{_style()}</style>\n"
        f'<rect class="ground" width="100%" height="100%"/>\n' + "\n".join([*parts, *legend]) + "\n</svg>\n"
    )


def _style() -> str:
    def rules(theme: Theme) -> str:
        out = f".ground{{fill:{theme.ground}}}text{{fill:{theme.ink}}}.quiet{{fill:{theme.quiet}}}"
        for name, sign, line in (("p", 1, theme.positive_line), ("n", -1, theme.negative_line)):
            out += "".join(f".{name}{i + 1}{{fill:{colour}}}" for i, colour in enumerate(shades(theme, sign)))
            out += f".{name}l{{stroke:{line}}}"
        return out

    fixed = "text{white-space:pre}.u{font-style:italic}.head{font-weight:600}.nl{stroke-dasharray:3 2.5}"
    return f"{fixed}{rules(LIGHT)}@media (prefers-color-scheme:dark){{{rules(DARK)}}}"


def _box(box: Box, top: float, step: int, tip: str, *, known: bool) -> str:
    left, middle = PAD + box.left, top + SIZE
    css = " ".join(name for name in ("" if box.read else "quiet", "" if known else "u") if name)
    text = _text(left + (GAP if box.token >= 0 else 0.0), middle, box.text, size=SIZE, css=css, token=box.token >= 0)
    if box.token < 0:
        return text
    ground = line = ""
    if step:
        name = "p" if step > 0 else "n"
        ground = (
            f'<rect class="{name}{abs(step)}" x="{left:.1f}" y="{top - 3:.1f}" width="{box.width:.1f}" height="25" rx="3"/>'
        )
        line = f'<path class="{name}l" d="M{left + 1:.1f} {top + 20:.1f}h{max(box.width - 2, 1):.1f}" stroke-width="1.5"/>'
    return f"<g><title>{escape(tip)}</title>{ground}{text}{line}</g>"


def _text(
    left: float, base: float, text: str, *, size: float, css: str = "", most: float | None = None, token: bool = False
) -> str:
    bold = "head" in css
    width = measure(text, size, bold=bold)
    if most is not None and width > most:
        width = most
    long = f' textLength="{width:.1f}" lengthAdjust="spacingAndGlyphs"' if text.strip() else ""
    names = " ".join(each for each in (css, "word" if token else "") if each)
    named = f' class="{names}"' if names else ""
    return f'<text{named} x="{left:.1f}" y="{base:.1f}" font-size="{size:g}" xml:space="preserve"{long}>{escape(text)}</text>'


def _head(e: Explanation) -> str:
    share = f" ({plain.percent(e.probabilities[e.prediction])})" if e.prediction and e.probabilities else ""
    said = f"prediction {plain.short(e.prediction)}{share}   " if e.prediction else ""
    return f"{said}explained {plain.short(e.target)}, score {plain.number(e.score)}"


def _legend(e: Explanation, limit: float, top: float, inner: float, k: int) -> tuple[list[str], float]:
    """The scale with its ends, the strongest words of both sides and the ledger, from `top` on; and where they end."""
    parts, left = [], float(PAD)
    for step in range(-LEVELS, LEVELS + 1):
        name = f"{'p' if step > 0 else 'n'}{abs(step)}" if step else "ground"
        parts.append(f'<rect class="{name}" x="{left:.1f}" y="{top:.1f}" width="9" height="12"/>')
        left += 9
    ends = f"{plain.number(-limit)} against (dashes) … {plain.number(limit)} for {plain.short(e.target)} (line)"
    parts.append(_text(left + 10, top + 11, ends, size=12, css="quiet", most=inner - (left - PAD) - 10))
    base = top + 38
    for sign, side, words in zip("+−", e.sides, e.top(k), strict=True):
        listed = ",  ".join(f"{plain.short(word, 24)} {plain.number(value)}" for word, value in words) or "none"
        parts.append(_text(PAD, base, f"{sign} {plain.short(side)}:  {listed}", size=13, most=inner))
        base += 22
    entries = [(name, value) for name, value in e.ledger.items() if value or name in ("words", "bias")]
    ledger = ",  ".join(f"{plain.short(name.replace('_', ' '))} {plain.number(value)}" for name, value in entries)
    made = " · ".join(f"{what} {name}" for what, name in (("model", e.model), ("rule", e.rule)) if name)
    parts.append(_text(PAD, base, f"ledger:  {ledger}   {plain.short(made, 60)}", size=12, css="quiet", most=inner))
    return parts, base


def _description(e: Explanation, k: int) -> str:
    sides = [
        f"{plain.short(side)}: " + (", ".join(f"{plain.short(word)} {plain.number(value)}" for word, value in words) or "none")
        for side, words in zip(e.sides, e.top(k), strict=True)
    ]
    return f"{_head(e)}. Strongest words {'; '.join(sides)}."
