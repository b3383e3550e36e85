"""Correlations, average precision, and bootstrap intervals that pair the methods."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Interval", "average_precision", "interval", "means", "pearson", "resamples", "spearman"]


class Interval(NamedTuple):
    """A mean, the bounds that hold it with 95 % confidence, and of how many texts it is."""

    mean: float
    low: float
    high: float
    n: int


def pearson(a: np.ndarray, b: np.ndarray) -> float:
    """Return the correlation of two arrays [T]; NaN where one of them is constant.

    >>> pearson(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0]))
    1.0
    """
    if len(a) < 2:
        return float("nan")
    x, y = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float(np.clip((x * y).sum() / scale, -1.0, 1.0)) if scale > 0 else float("nan")


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Return the correlation of the ranks of two arrays [T], equal values sharing a rank; NaN where one is constant."""
    from scipy.stats import rankdata

    return pearson(rankdata(a), rankdata(b))


def average_precision(scores: np.ndarray, marks: np.ndarray) -> float:
    """Return the area under the precision-recall curve, Σ_k (recall_k - recall_{k-1}) · precision_k; NaN without a mark.

    `scores` [T], `marks` bool [T]; words of equal score are taken in together.

    >>> average_precision(np.array([3.0, 2.0, 1.0]), np.array([True, False, True])) == (1 / 1 + 2 / 3) / 2
    True
    """
    total = int(marks.sum())
    if not total:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)  # the last of each group of equal scores
    hits = np.cumsum(marks[order])[last]
    taken = np.flatnonzero(last) + 1
    gained = np.diff(hits, prepend=0) / total
    return float((gained * hits / taken).sum())


def resamples(n: int, *, rounds: int = 1000, seed: int = 0) -> np.ndarray:
    """Return how often each of `n` texts is drawn in each bootstrap round, int64 [rounds,n]: the same for every method."""
    return np.random.default_rng([seed, 0xB0]).multinomial(n, np.full(n, 1.0 / n), size=rounds)


def means(values: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Return the mean of `values` [n] or [n,P] in each round of `drawn` [rounds,n], leaving out NaN."""
    seen = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((drawn @ np.where(seen, values, 0.0)) / (drawn @ seen.astype(np.float64)))


def interval(values: np.ndarray, drawn: np.ndarray) -> Interval:
    """Return mean and 95 % percentile bootstrap interval of `values` [n], leaving out NaN.

    >>> interval(np.ones(4), resamples(4))
    Interval(mean=1.0, low=1.0, high=1.0, n=4)
    """
    seen = np.isfinite(values)
    if not seen.any():
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    found = means(values, drawn)
    low, high = np.nanquantile(found, [0.025, 0.975])
    return Interval(float(values[seen].mean()), float(low), float(high), int(seen.sum()))
