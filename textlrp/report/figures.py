"""Figures as SVG for a page: drawn by matplotlib, coloured by the page's own style sheet, without a style of their own."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
from markupsafe import Markup

__all__ = ["calibration", "places"]

# matplotlib draws with these colours, the page shows its own instead, in light and in dark
_COLOURS = {"#010101": "var(--ink)", "#020202": "var(--quiet)", "#030303": "var(--hair)", "#040404": "var(--pos)"}
_COLOURS |= {"#050505": "var(--p5)", "#060606": "var(--ground)"}
INK, QUIET, HAIR, LINE, FILL, GROUND = _COLOURS
_KEPT = re.compile(r"(fill|stroke|stroke-width|stroke-dasharray|opacity|fill-opacity|stroke-opacity|text-anchor): ([^;]+)")
_FONT = re.compile(r"font(?:-size)?:[^;]*?([\d.]+)px")


def calibration(confidence: np.ndarray, right: np.ndarray, *, bins: int = 10) -> Markup:
    """Draw how often predictions of each confidence are right: confidence [n] from 0 to 1, right [n] of bool."""
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    seen = [b for b in range(bins) if (which == b).any()]
    x = [float(confidence[which == b].mean()) for b in seen]
    y = [float(right[which == b].mean()) for b in seen]
    n = [int((which == b).sum()) for b in seen]
    low = min(0.5, min(x), min(y))
    figure, (axes, counts) = _figure(2, height=3.4, ratios=(4, 1))
    axes.plot([low, 1], [low, 1], color=QUIET, lw=1, dashes=(4, 3))
    half = [1.96 * (p * (1 - p) / k) ** 0.5 for p, k in zip(y, n, strict=True)]
    axes.vlines(x, np.array(y) - half, np.minimum(np.array(y) + half, 1.0), color=LINE, lw=1.5)
    axes.plot(x, y, color=LINE, lw=1.5, marker="o", ms=5, mfc=LINE, mec=GROUND)
    axes.set_ylim(low - 0.03, 1.03)
    axes.set_ylabel("share that is right")
    counts.bar(x, n, width=0.6 / bins, color=FILL)
    counts.set_ylabel("texts")
    counts.set_yticks([0, max(n)])
    counts.set_xlabel("probability of the predicted class")
    counts.set_xlim(low - 0.03, 1.03)
    return _svg(figure, "calibration", "How often predictions are right, by their probability")


def places(shares: np.ndarray, net: np.ndarray) -> Markup:
    """Draw where in a text relevance lies: shares of all relevance [P] and of the part in favour of the prediction [P]."""
    figure, (axes,) = _figure(1, height=2.5)
    x = (np.arange(len(shares)) + 0.5) / len(shares) * 100
    axes.bar(x, 100 * shares, width=0.8 * 100 / len(shares), color=FILL)
    axes.plot(x, 100 * net, color=LINE, lw=1.5, marker="o", ms=4, mfc=LINE, mec=GROUND)
    axes.axhline(100 / len(shares), color=QUIET, lw=1, dashes=(4, 3))
    axes.set_xlim(0, 100)
    axes.set_xlabel("place in the text: 0 is its beginning, 100 its end")
    axes.set_ylabel("% of the relevance")
    return _svg(figure, "places", "Where in a text relevance lies")


def _figure(count: int, *, height: float, ratios: tuple[int, ...] = (1,)) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, height), layout="constrained")
    every = figure.subplots(count, 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": ratios})[:, 0]
    for axes in every:
        axes.set_facecolor("none")
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(HAIR)
        axes.tick_params(colors=HAIR, labelcolor=QUIET, labelsize=9)
        axes.xaxis.label.set(color=QUIET, size=9.5)
        axes.yaxis.label.set(color=QUIET, size=9.5)
    figure.patch.set_alpha(0)
    return figure, every


def _svg(figure: Any, name: str, title: str) -> Markup:
    """Write the figure as SVG whose looks are attributes, so that a page may forbid every style but its own."""
    import matplotlib

    out = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'style="([^"]*)"', _attributes, svg)
    for drawn, shown in _COLOURS.items():
        svg = svg.replace(f'"{drawn}"', f'"{shown}"')
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(href=")#|(url\()#', lambda found: f"{found[1] or found[2]}#{name}-", svg)
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"| version="1.1"| (?<= )(?:width|height)="[\d.]+pt"', "", svg)
    svg = svg.replace("<svg", f'<svg class="figure" role="img" aria-label="{title}"', 1)
    return Markup(re.sub(r"\n\s*", "\n", svg))  # noqa: S704


def _attributes(found: re.Match[str]) -> str:
    named = dict(_KEPT.findall(found[1]))
    size = _FONT.search(found[1])
    if size:
        named["font-size"] = size[1]
    if named.get("stroke-dasharray") == "none":
        del named["stroke-dasharray"]
    return " ".join(f'{name}="{value.strip()}"' for name, value in named.items())
