"""Sums over a stream of texts, for each word or phrase: what its mean, interval, sign flips and examples are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Place", "Row", "Tally"]

_COLUMNS = (
    "texts",
    "n",
    "total",
    "ss",
    "sn",
    "nn",
    "plus",
    "minus",
    "high",
    "high_text",
    "high_at",
    "low",
    "low_text",
    "low_at",
)


@dataclass(frozen=True)
class Place:
    """Where a word stands: the number of the text, the character it starts at, and its mean relevance in that text."""

    text: int
    start: int
    relevance: float


@dataclass(frozen=True)
class Row:
    """What one word or phrase did: `mean` relevance an occurrence with its 95 % interval (None for one text), `total` over all,
    and `flips`, the share of the texts in which it spoke the other way. `places` are where it spoke most and least so.
    """

    word: str
    mean: float
    total: float
    texts: int
    occurrences: int
    flips: float
    interval: tuple[float, float] | None
    places: tuple[Place, ...]


class Tally:
    """Sums for each key, in arrays that grow; with `most`, the rarest keys are forgotten whenever there are more.

    `lost` is then the largest number of texts that a forgotten key had: counts of those kept may be too small by as much
    (lossy counting: Manku and Motwani, VLDB 2002).
    """

    def __init__(self, *, most: int | None = None) -> None:
        self.most, self.lost = most, 0
        self.index: dict[str, int] = {}
        self._sums = {name: np.zeros(1024) for name in _COLUMNS}

    def __len__(self) -> int:
        return len(self.index)

    def add(self, keys: Sequence[str], relevance: np.ndarray, starts: Sequence[int], text: int) -> None:
        """Add one text: its keys [T], their relevance [T], the character each starts at, and the number of the text."""
        if not keys:
            return
        index = self.index
        rows = np.fromiter((index.setdefault(key, len(index)) for key in keys), dtype=np.int64, count=len(keys))
        self._grow(len(index))
        unique, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
        s = np.bincount(inverse, weights=relevance, minlength=len(unique))
        n = np.bincount(inverse, minlength=len(unique)).astype(float)
        sums = self._sums
        added = {"texts": 1.0, "n": n, "total": s, "ss": s * s, "sn": s * n, "nn": n * n, "plus": s > 0, "minus": s < 0}
        for name, value in added.items():
            sums[name][unique] += value
        mean, new = s / n, sums["texts"][unique] == 1
        at = np.asarray(starts)[first]
        for side, better in (("high", mean > sums["high"][unique]), ("low", mean < sums["low"][unique])):
            chosen = new | better
            for name, value in ((side, mean[chosen]), (f"{side}_text", text), (f"{side}_at", at[chosen])):
                sums[name][unique[chosen]] = value
        if self.most is not None and len(index) > self.most:
            self._forget()

    def _grow(self, count: int) -> None:
        size = len(self._sums["n"])
        if count > size:
            more = max(count, 2 * size) - size
            self._sums = {name: np.concatenate([values, np.zeros(more)]) for name, values in self._sums.items()}

    def _forget(self) -> None:
        assert self.most is not None
        texts = self._sums["texts"][: len(self.index)]
        least = float(np.sort(texts)[-max(1, self.most // 2)])
        kept = np.flatnonzero(texts > least) if (texts >= least).sum() > self.most // 2 else np.flatnonzero(texts >= least)
        self.lost = max(self.lost, int(np.delete(texts, kept).max(initial=0)))
        keys = list(self.index)
        self.index = {keys[old]: new for new, old in enumerate(kept.tolist())}
        self._sums = {name: np.concatenate([values[kept], np.zeros(1024)]) for name, values in self._sums.items()}

    def column(self, name: str) -> np.ndarray:
        """Return one sum for all keys, in the order in which they came: texts, n, total, plus, minus… [K]."""
        return self._sums[name][: len(self.index)]

    def top(self, k: int, *, sign: int = 1, by: str = "mean", min_texts: int = 1) -> list[Row]:
        """Return the `k` keys that speak most in the direction of `sign`, by "mean" or "total" relevance, strongest first.

        >>> tally = Tally()
        >>> tally.add(["good", "film"], np.array([2.0, -0.5]), [0, 5], 0)
        >>> [row.word for row in tally.top(1)], [row.word for row in tally.top(1, sign=-1)]
        (['good'], ['film'])
        """
        texts = self.column("texts")
        value = sign * self.column("total") / (self.column("n") if by == "mean" else 1.0)
        value = np.where((texts >= min_texts) & (value > 0), value, -np.inf)
        chosen = [i for i in np.argsort(-value, kind="stable")[:k].tolist() if value[i] > 0]
        keys = list(self.index)
        return [self.row(keys[i], sign=sign) for i in chosen]

    def row(self, key: str, *, sign: int = 1) -> Row:
        """Return what is known of one key, its relevance multiplied by `sign`.

        The interval is that of the ratio estimator (Cochran, Sampling Techniques, 1977, section 2.11), as in `textlrp.rank`.
        """
        kept = {name: float(values[self.index[key]]) for name, values in self._sums.items()}
        texts, n, mean = kept["texts"], kept["n"], kept["total"] / kept["n"]
        interval = None
        if texts > 1:
            squares = max(kept["ss"] - 2 * mean * kept["sn"] + mean * mean * kept["nn"], 0.0)
            half = 1.96 * math.sqrt(texts / (texts - 1) * squares) / n
            interval = (sign * mean - half, sign * mean + half)
        against = kept["minus"] if mean > 0 else kept["plus"]
        ends = [Place(int(kept[f"{e}_text"]), int(kept[f"{e}_at"]), sign * kept[e]) for e in ("high", "low")]
        ends.sort(key=lambda place: -place.relevance * sign * mean)
        places = tuple(ends) if ends[0].text != ends[1].text else (ends[0],)
        return Row(key, sign * mean, sign * kept["total"], int(texts), int(n), against / texts, interval, places)
