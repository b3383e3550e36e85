"""The same text by several methods, as one self-contained page: profiles, figures, rank correlations, heatmaps, values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from textlrp.explanation import Explanation
from textlrp.highlight import plain, spans
from textlrp.highlight.pieces import shade
from textlrp.highlight.scale import LEVELS, Scale, limits
from textlrp.highlight.templating import environment, policy, script, style

__all__ = ["Row", "about_view", "cell", "milliseconds", "page", "profile", "row_view", "share", "words_view"]

CELLS = 300  # bars in a profile, at most


class Row(NamedTuple):
    """One method: its explanation, its run time in seconds, and the shares of the score that its words and its ledger carry."""

    method: str
    explanation: Explanation
    seconds: float
    conserved: float
    accounted: float


def page(
    rows: Sequence[Row],
    correlation: Sequence[Sequence[float]],
    *,
    skipped: Sequence[tuple[str, str]] = (),
    scale: Scale = "each",
    title: str = "The same text, several methods",
) -> str:
    """Give a self-contained HTML page that compares methods on one text.

    With `scale` "each", every method is normalised: its strongest word has full colour, 100 %; "shared" or a number is one
    scale of relevance itself. `correlation` [methods, methods] is a rank correlation, NaN where there is none; `skipped` names
    methods that were not used, each with the reason. No script is needed to read the page; NUL and lone surrogates are shown
    as U+FFFD.

    >>> "There is nothing to compare" in page([], [])
    True
    """
    css, js = style("compare.css"), script("compare.js")
    full = limits([row.explanation for row in rows], scale)
    first = rows[0].explanation if rows else None
    own = scale == "each"
    shown = [row_view(row, limit, own) for row, limit in zip(rows, full, strict=True)]
    return (
        environment()
        .get_template("compare.html.j2")
        .render(
            title=title,
            style=css,
            script=js,
            policy=policy(css, js),
            levels=LEVELS,
            own=own,
            ends=("−100 %", "+100 %")
            if own
            else (plain.number(-full[0]) if full else "", plain.number(full[0]) if full else ""),
            rows=shown,
            matrix=[[cell(value, own=i == j) for j, value in enumerate(line)] for i, line in enumerate(correlation)],
            table=words_view(rows, full),
            skipped=list(skipped),
            about=about_view(first),
        )
    )


def profile(relevance: np.ndarray, limit: float) -> tuple[int, str, str]:
    """Give relevance along a text as bars: their number, and the SVG paths of those above and of those below the line.

    A bar is 10 high at `limit`. A text of more than 300 tokens has 300 bars, each the strongest of its tokens.

    >>> profile(np.array([1.0, 0.0, -0.5]), 1.0)
    (3, 'M0 10v-10h1v10z', 'M2 10v5h1v-5z')
    """
    if len(relevance) > CELLS:
        parts = np.array_split(relevance, CELLS)
        relevance = np.array([part[np.abs(part).argmax()] for part in parts])
    up: list[str] = []
    down: list[str] = []
    for i, value in enumerate(relevance.tolist()):
        height = f"{min(10 * abs(value) / limit, 10.0) if limit else 0.0:.1f}".removesuffix(".0")
        if height != "0":
            (up if value > 0 else down).append(
                f"M{i} 10v{'-' if value > 0 else ''}{height}h1v{'' if value > 0 else '-'}{height}z"
            )
    return max(len(relevance), 1), "".join(up), "".join(down)


def share(value: float) -> str:
    """Give a share of the score as percent, and as a multiple where it is large.

    >>> share(0.9876), share(-23.0), share(float("nan"))
    ('98.8 %', '−23 ×', '–')
    """
    if not math.isfinite(value):
        return "–"
    if abs(value) >= 1e6:
        return "> a million ×"
    said = f"{100 * value:.1f} %" if abs(value) < 10 else f"{value:,.0f} ×"
    return said.replace("-", "−")


def milliseconds(seconds: float) -> str:
    """Give a run time in milliseconds.

    >>> milliseconds(1.2345), milliseconds(0.00123)
    ('1,234', '1.2')
    """
    return f"{1000 * seconds:,.0f}" if seconds >= 0.01 else f"{1000 * seconds:.1f}"


def cell(value: float, *, own: bool = False) -> tuple[str, str]:
    """Give the number of a correlation and the class that shades it; `own` marks a method against itself.

    >>> cell(-0.5), cell(float("nan"))
    (('−0.50', 'n6'), ('–', ''))
    """
    if not math.isfinite(value):
        return "–", ""
    return f"{value:+.2f}".replace("-", "−") if abs(value) >= 0.005 else "0.00", "own" if own else shade(value, 1.0).strip()


def about_view(e: Explanation | None) -> dict[str, Any] | None:
    """Give what a template says of the explained text."""
    if e is None:
        return None
    return {
        "model": e.model,
        "target": e.target,
        "score": plain.number(e.score),
        "prediction": e.prediction,
        "probability": plain.percent(e.probabilities[e.prediction]) if e.probabilities else "",
        "sides": e.sides,
        "tokens": f"{len(e.tokens):,}",
        "unknown": sum(not each for each in e.known),
        "truncated": e.truncated,
        "read_to": f"{e.read_to:,}",
        "length": f"{len(e.text):,}",
    }


def row_view(row: Row, limit: float, own: bool) -> dict[str, Any]:
    """Give what a template draws of one method, full colour at `limit`; `own` says that the limit is the method's own."""
    top = row.explanation.top(4)
    return {
        "method": row.method,
        "pieces": _pieces(row.explanation, limit, own),
        "profile": profile(row.explanation.relevance, limit),
        "limit": plain.number(limit).lstrip("+"),
        "conserved": share(row.conserved),
        "accounted": share(row.accounted),
        "milliseconds": milliseconds(row.seconds),
        "sort": [f"{value:.6g}" if math.isfinite(value) else "" for value in (row.conserved, row.accounted, row.seconds)],
        "tops": [[plain.short(word, 24) for word, _ in side] for side in top],
    }


def _pieces(e: Explanation, limit: float, own: bool) -> list[tuple[str, str, str]]:
    """Give the text in order: each piece, its classes, and a tip where it is a word."""
    ranks, values = spans.ranks(e), e.relevance.tolist()
    out = []
    for text, i, read in spans.pieces(e):
        direction = " i" if plain.BIDI.search(text) else ""
        if i < 0:
            out.append((text, ("tail" if not read else "g" if direction else "") + direction, ""))
            continue
        part = f" ({_of(values[i], limit)})" if own else ""
        tip = f"\u2068{plain.short(text)}\u2069  {plain.number(values[i])}{part} · rank {ranks[i]:,} of {len(values):,}"
        out.append((text, f"t{shade(values[i], limit)}{direction}{'' if e.known[i] else ' u'}", tip))
    return out


def _of(value: float, limit: float) -> str:
    return f"{100 * value / limit if limit else 0.0:.0f} %".replace("-", "−")


def words_view(rows: Sequence[Row], full: Sequence[float]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Give every word with its relevance under every method, and the class that shades it."""
    tokens = rows[0].explanation.tokens if rows else ()
    columns = [
        [(plain.number(value), shade(value, limit).strip()) for value in row.explanation.relevance.tolist()]
        for row, limit in zip(rows, full, strict=True)
    ]
    return [(plain.short(token.text, 40), [column[i] for column in columns]) for i, token in enumerate(tokens)]
