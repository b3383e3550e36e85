"""A comparison of methods in a terminal: a strip along the text for each, its figures, and the rank correlations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Group
from rich.text import Text

from textlrp.highlight import plain
from textlrp.highlight.compare_html import Row, cell, milliseconds, share
from textlrp.highlight.scale import LEVELS, LIGHT, level, limits, shades

__all__ = ["render", "strip"]

#: The marks of a strip, weakest first: relevance for the target, and against it.
MARKS = {1: "·+▲", -1: "·−▼"}

FIGURES = 29  # columns that the figures beside a strip take


def render(
    rows: Sequence[Row],
    correlation: Sequence[Sequence[float]],
    *,
    skipped: Sequence[tuple[str, str]] = (),
    top: int = 3,
    width: int = 100,
) -> Group:
    """Give a comparison as something that rich prints, at most `width` columns wide where the names allow.

    `correlation` [methods, methods] is NaN where there is none; `skipped` names methods that were not used, with the reason.
    """
    if not rows:
        return Group(Text("There is nothing to compare."))
    first = rows[0].explanation
    head = Text.assemble(
        ("explained   ", "bold"),
        f"{plain.short(first.target)}, score {plain.number(first.score)}",
        (f"   model {plain.short(first.model)}" if first.model else "", "bright_black"),
    )
    parts: list[Any] = [
        head,
        Text(),
        _strips(rows, width),
        Text(),
        _words(rows, top, width),
        Text(),
        _matrix(rows, correlation),
    ]
    if skipped:
        parts += [Text(), *(Text(f"not used: {name}: {reason}", style="bright_black") for name, reason in skipped)]
    return Group(*parts)


def strip(relevance: np.ndarray, limit: float, width: int) -> Text:
    """Draw relevance along a text in at most `width` cells, each the strongest of its tokens.

    ▲ and + speak for the target, ▼ and − against it, · has less than a quarter of `limit`, and what has no colour is blank.

    >>> strip(np.array([1.0, 0.5, 0.1, 0.0, -0.5]), 1.0, 5).plain
    '▲+· −'
    """
    if len(relevance) > width:
        relevance = np.array([part[np.abs(part).argmax()] for part in np.array_split(relevance, max(width, 1))])
    out = Text()
    for value in relevance.tolist():
        step = level(value, limit)
        sign = 1 if step > 0 else -1
        mark = MARKS[sign][(abs(step) > LEVELS // 4) + (abs(step) > 2 * LEVELS // 3)] if step else " "
        out.append(mark, style=_ground(step))
    return out


def _strips(rows: Sequence[Row], width: int) -> Group:
    """One line for each method, all on one normalised scale, with its figures."""
    name = _name_width(rows)
    room = max(width - name - FIGURES, 10)
    room = min(room, max(len(rows[0].explanation.tokens), 5))
    scales = limits([row.explanation for row in rows], "each")
    lines = [Text(" " * (name + room) + f"{'carry':>10}{'accounted':>11}{'ms':>8}", style="bold")]
    for i, (row, limit) in enumerate(zip(rows, scales, strict=True), start=1):
        line = Text.assemble(f"{i:>2} {row.method}".ljust(name), strip(row.explanation.relevance, limit, room))
        line.append(" " * (name + room - len(line)))
        line.append(f"{share(row.conserved):>10}{share(row.accounted):>11}{milliseconds(row.seconds):>8}")
        lines.append(line)
    return Group(
        *lines, Text("each method's strongest word in full; carry: relevance of the words / score", style="bright_black")
    )


def _words(rows: Sequence[Row], top: int, width: int) -> Group:
    name, sides = _name_width(rows), [plain.short(side, 30) for side in rows[0].explanation.sides]
    room = max((width - name - 2) // 2, 12)
    lines = [Text(" " * name + f"▲ {sides[0]}".ljust(room) + f"  ▼ {sides[1]}", style="bold")]
    for i, row in enumerate(rows, start=1):
        words = [" · ".join(plain.short(word, 20) for word, _ in side) for side in row.explanation.top(top)]
        lines.append(
            Text(f"{i:>2} {row.method}".ljust(name) + "  ".join(plain.short(each, room).ljust(room) for each in words))
        )
    return Group(*lines)


def _matrix(rows: Sequence[Row], correlation: Sequence[Sequence[float]]) -> Group:
    name = _name_width(rows)
    lines = [Text("rank correlation".ljust(name) + "".join(f"{i:>5}" for i in range(1, len(rows) + 1)), style="bold")]
    for i, (row, values) in enumerate(zip(rows, correlation, strict=True), start=1):
        line = Text(f"{i:>2} {row.method}".ljust(name))
        for j, value in enumerate(values, start=1):
            number = "·" if i == j else cell(value)[0].replace("1.00", "1.0").replace("0.", ".")
            step = 0 if i == j or value != value else level(value, 1.0)
            line.append(" ")
            line.append(f"{number:>4}", style=_ground(step))
        lines.append(line)
    return Group(*lines)


def _name_width(rows: Sequence[Row]) -> int:
    return max(len("rank correlation"), *(len(row.method) + 3 for row in rows)) + 1


def _ground(step: int) -> str:
    return f"{LIGHT.ink} on {shades(LIGHT, 1 if step > 0 else -1)[abs(step) - 1]}" if step else ""
