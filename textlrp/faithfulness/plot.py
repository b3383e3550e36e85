"""The curves of an evaluation, drawn with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from textlrp.errors import InputError
from textlrp.faithfulness.table import order
from textlrp.files import atomic_path
from textlrp.palette import mark

if TYPE_CHECKING:
    from textlrp.faithfulness.record import Evaluation

__all__ = ["plot"]

_MOST = 9  # methods in one figure
_PANELS = (
    ("deletion right", "rightly classified: share still right", "most relevant words left out", True),
    ("deletion right", "misclassified: share now right", "most relevant words left out", False),
    ("deletion score", "explained score, in logits", "most relevant words left out", None),
    ("keep score", "explained score, in logits", "only the most relevant words left", None),
    ("zero right", "rightly classified: share still right", "most relevant words' vectors zero", True),
    ("zero right", "misclassified: share now right", "most relevant words' vectors zero", False),
)


def plot(evaluation: Evaluation, path: str | Path, *, methods: Sequence[str] | None = None) -> None:
    """Draw the deletion curves with 95 % bands into `path` (.svg, .png, .pdf); without `methods`, the nine best and random."""
    kind = Path(path).suffix.removeprefix(".").lower()
    if kind not in ("svg", "png", "pdf"):
        raise InputError(f"a figure is an .svg, .png or .pdf file, not {str(path)!r}")
    drawn = [panel for panel in _PANELS if any(panel[0] in each for each in evaluation.curves.values())]
    if not drawn:
        raise InputError("there is no curve to draw: measure 'deletion' or 'zero vector'")
    names = list(methods) if methods is not None else _chosen(evaluation)
    import matplotlib
    from matplotlib.figure import Figure

    down = (len(drawn) + 1) // 2
    figure = Figure(figsize=(10, 3.6 * down + 0.6), layout="constrained")
    axes = figure.subplots(down, 2, squeeze=False).ravel()
    for panel, ax in zip(drawn, axes, strict=False):
        _panel(evaluation, ax, names, *panel)
    for ax in axes[len(drawn) :]:
        ax.set_visible(False)
    lines, labels = axes[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    with matplotlib.rc_context({"svg.hashsalt": "faithfulness", "svg.fonttype": "none"}), atomic_path(path) as temporary:
        metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {}
        figure.savefig(temporary, format=kind, dpi=120, metadata=metadata)


def _chosen(evaluation: Evaluation) -> list[str]:
    column = "separation" if "separation" in evaluation.columns else evaluation.columns[0]
    names = [each for each in order(evaluation, column) if each != "random"][:_MOST]
    return [*names, "random"] if "random" in evaluation.methods else names


def _panel(
    evaluation: Evaluation, ax: Any, names: Sequence[str], curve: str, title: str, below: str, right: bool | None
) -> None:
    bins = evaluation.settings["bins"]
    shares = all(isinstance(each, float) for each in bins)
    places = np.arange(len(bins))
    for number, name in enumerate(names):
        if curve not in evaluation.curves.get(name, {}):
            continue
        among = None if right is None else evaluation.curves[name]["right"][:, 0] == right
        found = evaluation.curve(name, curve, among=among)
        mean, low, high = (np.array([getattr(each, key) for each in found]) for key in ("mean", "low", "high"))
        how = {"color": "#888888", "marker": "."} if name == "random" else mark(number)
        ax.plot(places, mean, ls="--" if name == "random" else "-", lw=1.4, ms=5, label=name, **how)
        ax.fill_between(places, low, high, color=how["color"], alpha=0.15, lw=0)
    ax.set_xticks(places, [f"{100 * each:g} %" if shares else str(each) for each in bins])
    ax.set_title(title, fontsize=10)
    ax.set_xlabel(f"{below}: {'share of the words' if shares else 'number of words'}", fontsize=9)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25)
