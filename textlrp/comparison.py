"""What several methods said of one text: relevance side by side, rank correlation, conservation, run time."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from textlrp.explanation import Explanation

if TYPE_CHECKING:
    from rich.console import Group

    from textlrp.highlight.compare_html import Row
    from textlrp.highlight.scale import Scale

__all__ = ["UNACCOUNTED", "Compared", "Comparison", "Skipped", "rank_correlation"]

#: The entry in a baseline's ledger for what its words do not carry.
UNACCOUNTED = "not accounted for"


@dataclass(frozen=True)
class Compared:
    """What one method said: its relevance as an Explanation, and how long it took in seconds."""

    method: str
    explanation: Explanation
    seconds: float

    @property
    def conserved(self) -> float:
        """Relevance of the words over the explained score: 1 where the words carry all of it."""
        return _ratio(float(self.explanation.relevance.sum()), self.explanation.score)

    @property
    def accounted(self) -> float:
        """What the method accounts for (words, biases, stabilisers, …) over the explained score: 1 where nothing is lost."""
        known = sum(value for name, value in self.explanation.ledger.items() if name != UNACCOUNTED)
        return _ratio(known, self.explanation.score)


@dataclass(frozen=True)
class Skipped:
    """A method that was not used, and why."""

    method: str
    reason: str


@dataclass(frozen=True)
class Comparison:
    """Several methods on one text and target, and those that were not used."""

    rows: tuple[Compared, ...]
    skipped: tuple[Skipped, ...] = ()

    def correlation(self) -> np.ndarray:
        """Spearman's rank correlation of the methods' relevances, [methods, methods]; NaN where a method ranks nothing."""
        return rank_correlation([row.explanation.relevance for row in self.rows])

    def to_html(self, *, scale: Scale = "each", title: str = "The same text, several methods") -> str:
        """Give one page: figures, rank correlations, the text under each method, and every word's values.

        With `scale` "each" all methods are on one normalised scale, on which 100 % is the strongest word of the method;
        "shared" or a number is one scale of relevance itself.
        """
        from textlrp.highlight.compare_html import page

        return page(self._drawn(), self.correlation().tolist(), skipped=self._left_out(), scale=scale, title=title)

    def to_terminal(self, *, top: int = 3, width: int = 100) -> Group:
        """Give the comparison as something that rich prints: strips, figures, rank correlations."""
        from textlrp.highlight.compare_terminal import render

        return render(self._drawn(), self.correlation().tolist(), skipped=self._left_out(), top=top, width=width)

    def _drawn(self) -> list[Row]:
        from textlrp.highlight.compare_html import Row

        return [Row(row.method, row.explanation, row.seconds, row.conserved, row.accounted) for row in self.rows]

    def _left_out(self) -> list[tuple[str, str]]:
        return [(each.method, each.reason) for each in self.skipped]

    def to_dict(self) -> dict[str, Any]:
        """Give the comparison as lists, numbers and strings that JSON holds; what is undefined is None."""
        first = self.rows[0].explanation
        return {
            "format": "textlrp-comparison",
            "version": 1,
            "text": first.text,
            "read_to": first.read_to,
            "tokens": [list(token) for token in first.tokens],
            "model": first.model,
            "prediction": first.prediction,
            "probabilities": dict(first.probabilities),
            "target": first.target,
            "score": first.score,
            "methods": [
                {
                    "method": row.method,
                    "seconds": row.seconds,
                    "words_carry": _finite(row.conserved),
                    "accounted_for": _finite(row.accounted),
                    "ledger": dict(row.explanation.ledger),
                    "relevance": row.explanation.relevance.tolist(),
                }
                for row in self.rows
            ],
            "rank_correlation": [[_finite(value) for value in line] for line in self.correlation().tolist()],
            "skipped": [{"method": each.method, "reason": each.reason} for each in self.skipped],
        }

    def to_json(self, *, indent: int | None = None) -> str:
        """Give the comparison as JSON in ASCII."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)


def rank_correlation(relevances: Sequence[np.ndarray]) -> np.ndarray:
    """Return Spearman's rank correlation of each pair of relevances [T], equals sharing their mean rank; [M, M].

    It is NaN where all of a method's relevances are equal.

    >>> rank_correlation([np.array([1.0, 2.0, 3.0]), np.array([9.0, 5.0, 1.0])]).round(6).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    from scipy.stats import rankdata

    if not relevances or not len(relevances[0]):
        return np.full((len(relevances), len(relevances)), np.nan)
    ranks = np.array([rankdata(each) for each in relevances])  # [M,T]
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    lengths = np.sqrt((centred**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(centred @ centred.T / np.outer(lengths, lengths), -1.0, 1.0)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
