"""The flow: a picture of how a score travels through the layers, back to the words, drawn as SVG from plain numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import escape

from textlrp.errors import NumericalError
from textlrp.highlight.plain import number, short
from textlrp.highlight.scale import DARK, LIGHT

__all__ = ["Flow", "FlowLayer", "draw"]

WIDTH, ROW, LEFT, RIGHT = 720, 34, 150, 190  # of the picture, of a row, of the names, of the numbers
STRIP, WORDS = 96, 60  # the height of the picture of one direction; so many words are written below it
STYLE = (
    "svg{{--ink:{0.ink};--quiet:{0.quiet};--pos:{0.positive_line};--neg:{0.negative_line};--p5:{0.positive};--n5:{0.negative};"
    "--hair:{1};--ground:{0.ground};background:{0.ground}}}"
)


@dataclass(frozen=True)
class FlowLayer:
    """What one layer did with relevance: it arrived at its output (`relevance_out`), `absorbed` stayed, the rest left by its
    input.

    Of recurrent layers, `hidden` and `cell` hold the relevance of h and c: one sequence over the steps for each layer and
    direction.
    """

    name: str
    relevance_in: float
    relevance_out: float
    absorbed: float
    hidden: tuple[tuple[float, ...], ...] = ()
    cell: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class Flow:
    """How the `score` of `target` travelled: its layers from the output to the words, the words, and the ledger.

    Numbers that are not finite raise NumericalError: there is no picture of them.
    """

    target: str
    score: float
    layers: tuple[FlowLayer, ...]
    words: tuple[str, ...] = ()
    ledger: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = [self.score, *self.ledger.values()]
        for each in self.layers:
            numbers += [each.relevance_in, each.relevance_out, each.absorbed]
            numbers += [value for steps in (*each.hidden, *each.cell) for value in steps]
        if not all(map(math.isfinite, numbers)):
            raise NumericalError("the relevance of text 0 is NaN or infinite in a layer: there is no picture of its flow", [0])


def draw(flow: Flow, *, standalone: bool = True) -> str:
    """Draw the flow as SVG; without `standalone` it has no colours of its own but takes those of the page around it.

    Each row has a bar for the relevance that arrives at a layer, right of the line if positive; what the layer absorbs is
    outlined. For recurrent layers the relevance of h and c follows, step by step.

    >>> "lstm" in draw(Flow("positive", 1.5, (FlowLayer("lstm", 1.0, 1.5, 0.5),)))
    True
    """
    words = flow.ledger.get("words", flow.layers[-1].relevance_in if flow.layers else flow.score)
    values = [0.0, flow.score, words, *(v for each in flow.layers for v in (each.relevance_in, each.relevance_out))]
    low, high = min(values), max(values)
    place = _Scale(low, high if high > low else low + 1.0, LEFT + 8, WIDTH - RIGHT - 8)
    rows = [_row(place, 0, "score", flow.score, flow.score, number(flow.score))]
    for i, layer in enumerate(flow.layers, start=1):
        says = f"{number(layer.relevance_out)}, absorbs {number(layer.absorbed)}"
        rows.append(_row(place, i, layer.name, layer.relevance_out, layer.relevance_in, says))
    rows.append(_row(place, len(flow.layers) + 1, "words", words, words, number(words)))
    top = ROW * len(rows) + 30
    zero = f'<path d="M{place(0):.1f} 8V{ROW * len(rows) + 8}" stroke="var(--quiet)" fill="none"/>'
    parts = [zero, *rows]
    for layer in flow.layers:
        for level, hidden in enumerate(layer.hidden):
            cell = layer.cell[level] if level < len(layer.cell) else ()
            title = _title(layer, level)
            parts.append(_strip(top, title, hidden, cell, flow.words))
            top += STRIP + (72 if 0 < len(flow.words) <= WORDS else 30) + 22
    about = escape(short(f"How the score of {flow.target} travels back to the words", 200))
    style = ""
    if standalone:
        dark = STYLE.format(DARK, "#34363c")
        style = f"<style>{STYLE.format(LIGHT, '#e3e1da')}@media(prefers-color-scheme:dark){{{dark}}}</style>"
    xmlns = ' xmlns="http://www.w3.org/2000/svg"' if standalone else ""
    font = 'font-family="system-ui, sans-serif" font-size="13"'
    head = f'<svg{xmlns} class="figure" viewBox="0 0 {WIDTH} {top}" role="img" aria-label="{about}" {font}>'
    return f"{head}{style}{''.join(parts)}</svg>"


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    left: float
    right: float

    def __call__(self, value: float) -> float:
        return self.left + (value - self.low) / (self.high - self.low) * (self.right - self.left)


def _row(place: _Scale, i: int, name: str, arrives: float, leaves: float, says: str) -> str:
    """A row: its name, a bar from 0 to what arrives, an outline round what stays, and the numbers."""
    y, sign = 12 + ROW * i, "p" if arrives >= 0 else "n"
    line = "--pos" if arrives >= 0 else "--neg"
    kept = arrives if (leaves > 0) != (arrives > 0) else min(arrives, leaves, key=abs)
    bar = _rect(place, y, 0.0, kept if leaves != arrives else arrives, f'fill="var(--{sign}5)"')
    stays = ""
    if leaves != arrives:
        stays = _rect(place, y, leaves, arrives, f'fill="none" stroke="var({line})" stroke-dasharray="3 2"')
    label = f'<text x="{LEFT}" y="{y + 15}" text-anchor="end" fill="var(--ink)">{escape(short(name, 22))}</text>'
    numbers = f'<text x="{WIDTH - RIGHT + 8}" y="{y + 15}" fill="var(--quiet)">{escape(says)}</text>'
    return label + bar + stays + numbers


def _rect(place: _Scale, y: float, one: float, other: float, look: str) -> str:
    x, end = sorted((place(one), place(other)))
    return f'<rect x="{x:.1f}" y="{y}" width="{max(end - x, 0.5):.1f}" height="22" rx="2" {look}/>'


def _title(layer: FlowLayer, level: int) -> str:
    which = f", direction or layer {level + 1} of {len(layer.hidden)}" if len(layer.hidden) > 1 else ""
    return f"{layer.name}{which}: relevance of h (line){' and c (dashes)' if layer.cell else ''} at each step"


def _strip(top: float, title: str, hidden: Sequence[float], cell: Sequence[float], words: Sequence[str]) -> str:
    """The relevance of h and c at each step of one direction, with the words below where they are few."""
    values = [0.0, *hidden, *cell]
    low, high = min(values), max(values)
    high = high if high > low else low + 1.0
    left, right, base = 60.0, WIDTH - 20.0, top + 22
    count = max(len(hidden) - 1, 1)
    x = lambda step: left + step / count * (right - left)  # noqa: E731
    y = lambda value: base + STRIP - (value - low) / (high - low) * STRIP  # noqa: E731
    parts = [f'<text x="{left}" y="{top + 10}" fill="var(--ink)">{escape(short(title, 90))}</text>']
    parts.append(f'<path d="M{left} {y(0):.1f}H{right}" stroke="var(--quiet)" fill="none"/>')
    for value in {low, high} - {0.0}:
        near = f'<text x="{left - 6}" y="{y(value) + 4:.1f}" text-anchor="end" fill="var(--quiet)" font-size="11">'
        parts.append(f"{near}{number(value)}</text>")
    for line, dashes in ((cell, ' stroke-dasharray="4 3"'), (hidden, "")):
        if line:
            points = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in enumerate(line))
            colour = "var(--neg)" if dashes else "var(--pos)"
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"{dashes}/>')
    if 0 < len(words) <= WORDS:
        for step, word in enumerate(words[: len(hidden)]):
            at = f"{x(step):.1f} {base + STRIP + 14}"
            turn = f'transform="translate({at}) rotate(-45)" text-anchor="end" fill="var(--quiet)" font-size="10"'
            parts.append(f"<text {turn}>{escape(short(word, 12))}</text>")
    else:
        end = f'<text x="{right}" y="{base + STRIP + 16}" text-anchor="end" fill="var(--quiet)" font-size="11">'
        parts.append(f"{end}step {len(hidden):,}</text>")
    return "".join(parts)
