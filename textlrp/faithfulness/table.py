"""Tables of an evaluation: the same rows for Markdown and for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from textlrp.faithfulness.columns import COLUMNS
from textlrp.faithfulness.statistics import Interval

if TYPE_CHECKING:
    from textlrp.faithfulness.record import Evaluation

__all__ = ["FACTS", "SHORT", "markdown", "order", "rows"]

#: The columns of a table that must be narrow.
SHORT = ("separation", "aopc", "accuracy", "recovered", "comprehensiveness", "sufficiency", "zero_aopc", "sensitivity")
#: What stands after the columns, where it was measured.
FACTS = {
    "randomisation": "passes the randomisation test",
    "carried": "words carry",
    "unaccounted": "unaccounted",
    "failed": "not finite",
    "ms": "ms a text",
    "mb": "MB",
}


def order(evaluation: Evaluation, column: str) -> list[str]:
    """Return the methods, the best in a column first, those without a value after them, the random control last."""

    def key(name: str) -> tuple[bool, float]:
        mean = evaluation.interval(name, column).mean
        return name == "random", -mean * COLUMNS[column].sign if np.isfinite(mean) else np.inf

    return sorted(evaluation.methods, key=key)


def rows(
    evaluation: Evaluation,
    *,
    columns: Sequence[str] | None = None,
    bounds: bool = True,
    facts: bool = True,
    first: str | None = None,
) -> tuple[list[str], list[list[str]]]:
    """Return the titles and the cells of a table, in the order of the column `first` (without, the first of `columns`).

    With `bounds`, each mean is followed by its 95 % interval; with `facts`, the facts follow the columns.
    """
    chosen = [each for each in (columns or evaluation.columns) if each in evaluation.columns]
    shown = [key for key in FACTS if _measured(evaluation, key)] if facts else []
    titles = ["method", *(f"{COLUMNS[each].title} {'↑' if COLUMNS[each].better == 'high' else '↓'}" for each in chosen)]
    titles += [FACTS[each] for each in shown]
    by = first or next(iter(chosen), None)
    names = order(evaluation, by) if by else evaluation.methods
    cells = []
    for name in names:
        line = [name, *(_cell(evaluation.interval(name, each), bounds) for each in chosen)]
        cells.append(line + [_fact(evaluation, name, each) for each in shown])
    return titles, cells


def markdown(
    evaluation: Evaluation, *, columns: Sequence[str] | None = None, facts: bool = True, first: str | None = None
) -> str:
    """Give a table in Markdown, as `rows` does; a vertical bar in a name is escaped."""
    titles, cells = rows(evaluation, columns=columns, facts=facts, first=first)
    lines = [titles, ["---"] + ["---:"] * (len(titles) - 1), *cells]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _measured(evaluation: Evaluation, fact: str) -> bool:
    if fact == "randomisation":
        return any(fact in each for each in evaluation.curves.values())
    return any(fact in each for each in evaluation.facts.values())


def _cell(found: Interval, bounds: bool) -> str:
    if not found.n:
        return "–"
    mean = _short(found.mean)
    return f"{mean} [{_short(found.low)}, {_short(found.high)}]" if bounds else mean


def _short(value: float) -> str:
    if not np.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 1e5:
        return f"{value:.0e}"
    return f"{value:.0f}" if size >= 100 else f"{value:.1f}" if size >= 20 else f"{value:.2f}" if size >= 1 else f"{value:.3f}"


def _fact(evaluation: Evaluation, name: str, key: str) -> str:
    if key == "randomisation":
        test = evaluation.randomisation(name)
        if test is None:
            return "–"
        last = list(test.stages.values())[-1].mean
        why = f"{last:.2f}" if test.repeated.mean >= 0.95 else f"repeats {test.repeated.mean:.2f}"
        return f"{'yes' if test.passed else 'no'} ({why})"
    value = evaluation.facts[name].get(key, float("nan"))
    if not np.isfinite(value) or (name == "random" and key in ("carried", "unaccounted")):
        return "–"
    if key == "failed":
        return f"{100 * value:.1f} %"
    if key == "carried":
        return f"{100 * value:.0f} %" if abs(value) < 10 else f"{100 * value:.1e} %"
    if key == "unaccounted":
        return f"{value:.0e}"
    return _short(value)
