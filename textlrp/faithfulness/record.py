"""Evaluation: what was measured, text by text, with means, intervals, differences, tables and a plot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from textlrp.errors import unknown_name
from textlrp.faithfulness.columns import COLUMNS
from textlrp.faithfulness.randomise import STAGES, passes
from textlrp.faithfulness.statistics import Interval, interval, means, resamples

__all__ = ["Evaluation", "Randomisation", "pooled"]


@dataclass(frozen=True)
class Randomisation:
    """The model-parameter randomisation test of one method: rank correlations, and whether it passes."""

    repeated: Interval
    stages: dict[str, Interval]
    passed: bool


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How faithful methods are: `values[method][column]` [n], `curves[method][curve]` [n,P], `facts[method]`, one number each.

    The curve "right" [n,1] says whether the model is right, NaN where the method did not explain the text.

    NaN stands where a text was not measured. `agreed` holds the columns about rationales, whose texts are others. `skipped`
    says which methods were left out, and why. Intervals are 95 % percentile bootstrap intervals over texts, and the same
    rounds are used for every method, so that differences are paired.
    """

    settings: Mapping[str, Any]
    values: Mapping[str, Mapping[str, np.ndarray]]
    curves: Mapping[str, Mapping[str, np.ndarray]]
    facts: Mapping[str, Mapping[str, float]]
    agreed: Mapping[str, Mapping[str, np.ndarray]]
    skipped: Mapping[str, str]
    rounds: int = 1000
    seed: int = 0

    @property
    def methods(self) -> list[str]:
        """The names of the methods, the random control last."""
        return list(self.values)

    @property
    def columns(self) -> list[str]:
        """The columns that were measured, in the order of COLUMNS."""
        there = {name for found in (*self.values.values(), *self.agreed.values()) for name in found}
        return [name for name in COLUMNS if name in there]

    @cached_property
    def _drawn(self) -> dict[int, np.ndarray]:
        return {}

    def _rounds(self, n: int) -> np.ndarray:
        if n not in self._drawn:
            self._drawn[n] = resamples(n, rounds=self.rounds, seed=self.seed)
        return self._drawn[n]

    def of(self, method: str, column: str) -> np.ndarray:
        """Return the values [n] of a column, NaN where a text was not measured."""
        if method not in self.values:
            raise unknown_name("method", method, self.methods)
        if column not in COLUMNS:
            raise unknown_name("column", column, COLUMNS)
        found = {**self.values[method], **self.agreed.get(method, {})}
        n = next((len(each) for held in self.values.values() for each in held.values()), 1)
        return np.asarray(found.get(column, np.full(n, np.nan)))

    def interval(self, method: str, column: str) -> Interval:
        """Return mean, 95 % bounds and number of texts of a column."""
        values = self.of(method, column)
        return interval(values, self._rounds(len(values)))

    def difference(self, first: str, second: str, column: str) -> Interval:
        """Return by how much `first` lies above `second`, over the texts on which both were measured."""
        values = self.of(first, column) - self.of(second, column)
        return interval(values, self._rounds(len(values)))

    def curve(self, method: str, name: str, *, among: np.ndarray | None = None) -> list[Interval]:
        """Return the mean and bounds of a curve at each bin, over all texts or those that bool `among` [n] names."""
        values = self.curves[method][name]
        if among is not None:
            values = np.where(among[:, None], values, np.nan)
        return [interval(values[:, p], self._rounds(len(values))) for p in range(values.shape[1])]

    def randomisation(self, method: str) -> Randomisation | None:
        """Return the outcome of the model-parameter randomisation test, None where it was not made."""
        found = self.curves[method].get("randomisation")
        if found is None:
            return None
        drawn = self._rounds(len(found))
        each = [interval(found[:, k], drawn) for k in range(found.shape[1])]
        repeated, last = each[0], each[-1]
        return Randomisation(repeated, dict(zip(STAGES, each[1:], strict=True)), passes(repeated.mean, last.low, last.high))

    def best(self, column: str, methods: Sequence[str] | None = None) -> dict[str, float]:
        """Return in which share of the bootstrap rounds each method is the best in a column; they sum to 1."""
        names = list(methods or [each for each in self.methods if np.isfinite(self.of(each, column)).any()])
        values = np.stack([self.of(each, column) for each in names], axis=1) * COLUMNS[column].sign
        values = np.where(np.isfinite(values).all(axis=1, keepdims=True), values, np.nan)
        found = means(values, self._rounds(len(values)))
        wins = np.nanargmax(np.where(np.isfinite(found), found, -np.inf), axis=1)
        return {name: float((wins == k).mean()) for k, name in enumerate(names)}

    def paired(self, methods: Sequence[str]) -> Evaluation:
        """Return the same for `methods` alone, on the texts that all of them explained: a fair table."""
        everywhere = np.logical_and.reduce([self._explained(name) for name in methods])

        def kept(held: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, dict[str, np.ndarray]]:
            return {name: {key: each[everywhere] for key, each in held[name].items()} for name in methods}

        settings = {**self.settings, "texts": int(everywhere.sum())}
        facts = {name: self.facts[name] for name in methods}
        agreed = {name: self.agreed[name] for name in methods if name in self.agreed}
        return replace(self, settings=settings, values=kept(self.values), curves=kept(self.curves), facts=facts, agreed=agreed)

    def groups(self) -> list[Evaluation]:
        """Return fair tables: first the methods that explained most texts, then ever more methods on ever fewer texts."""
        counts = {name: int(self._explained(name).sum()) for name in self.methods}
        levels = sorted(set(counts.values()), reverse=True)
        return [self.paired([name for name, count in counts.items() if count >= level]) for level in levels]

    def _explained(self, method: str) -> np.ndarray:
        """Which texts a method explained, bool [n]."""
        return np.isfinite(self.curves[method]["right"][:, 0])

    def to_dict(self) -> dict[str, Any]:
        """Give settings, and each method's columns (mean, low, high, n), curves and facts, as plain JSON; NaN is None."""
        methods = {}
        for name in self.methods:
            test = self.randomisation(name)
            drawn = [key for key in self.curves[name] if key not in ("randomisation", "right")]
            methods[name] = {
                "columns": {column: _plain(self.interval(name, column)) for column in self.columns},
                "curves": {key: [_plain(each) for each in self.curve(name, key)] for key in drawn},
                "facts": {key: _number(each) for key, each in self.facts[name].items()},
                "randomisation": None
                if test is None
                else {
                    "passed": test.passed,
                    "repeated": _plain(test.repeated),
                    "stages": {key: _plain(each) for key, each in test.stages.items()},
                },
            }
        return {
            "format": "textlrp-faithfulness",
            "version": 1,
            "settings": dict(self.settings),
            "methods": methods,
            "skipped": dict(self.skipped),
        }

    def to_markdown(self, *, columns: Sequence[str] | None = None, methods: Sequence[str] | None = None) -> str:
        """Give tables in Markdown, the best method of the first column first, the random control last.

        Methods that explained fewer texts than the others stand in a second table, of the texts that all methods explained.
        """
        from textlrp.faithfulness.table import markdown

        if methods is not None:
            return markdown(self.paired(methods), columns=columns)
        return "\n".join(f"{each.caption()}\n\n{markdown(each, columns=columns)}" for each in self.groups())

    def caption(self) -> str:
        """Say how many texts a table is about."""
        right = next((int(np.nansum(each["right"])) for each in self.curves.values() if "right" in each), 0)
        return f"{self.settings['texts']:,} texts, {right:,} of them rightly classified"

    def plot(self, path: str | Path, *, methods: Sequence[str] | None = None) -> None:
        """Draw the curves with their intervals into an .svg, .png or .pdf file, whole or not at all."""
        from textlrp.faithfulness.plot import plot

        plot(self, path, methods=methods)


def pooled(by_method: Mapping[str, Mapping[str, Any]], control: str) -> dict[str, dict[str, Any]]:
    """Return the same with the seeds of the random control, "random 0", …, in one: their mean.

    >>> pooled({"a": {"x": 1.0}, "random 0": {"x": 2.0}, "random 1": {"x": 4.0}}, "random")
    {'a': {'x': 1.0}, 'random': {'x': 3.0}}
    """
    found = {name: dict(each) for name, each in by_method.items() if not name.startswith(f"{control} ")}
    seeds = [each for name, each in by_method.items() if name.startswith(f"{control} ")]
    if seeds:
        found[control] = {}
        for key in seeds[0]:
            held = np.stack([np.asarray(each[key], dtype=np.float64) for each in seeds if key in each])
            seen = np.isfinite(held)
            mean = np.where(seen.any(axis=0), np.where(seen, held, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1), np.nan)
            found[control][key] = float(mean) if np.ndim(mean) == 0 else mean
    return found


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _plain(found: Interval) -> list[float | int | None]:
    return [_number(found.mean), _number(found.low), _number(found.high), found.n]
