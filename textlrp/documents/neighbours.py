"""How well vectors of documents tell their classes: the accuracy of nearest neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from textlrp.errors import InputError

__all__ = ["NEIGHBOURS", "Neighbours", "neighbours"]

#: The numbers of neighbours that are tried.
NEIGHBOURS = (1, 3, 5, 7, 9, 11, 15, 21, 31)


@dataclass(frozen=True)
class Neighbours:
    """The accuracy of k nearest neighbours, mean and standard deviation over random splits, for each k tried."""

    k: tuple[int, ...]
    accuracy: tuple[float, ...]
    deviation: tuple[float, ...]
    splits: int

    @property
    def best(self) -> int:
        """The place, in `k`, of the highest mean accuracy."""
        return int(np.argmax(self.accuracy))

    @property
    def power(self) -> float:
        """The explanatory power index: the highest mean accuracy over k (Arras 2017)."""
        return self.accuracy[self.best]

    def to_dict(self) -> dict[str, Any]:
        """Give numbers and lists."""
        return {**asdict(self), "best_k": self.k[self.best], "power": self.power}


def neighbours(
    vectors: np.ndarray,
    labels: Sequence[int] | np.ndarray,
    *,
    k: Sequence[int] = NEIGHBOURS,
    splits: int = 10,
    share: float = 0.5,
    seed: int = 0,
) -> Neighbours:
    """Classify documents by their nearest neighbours in `splits` random, stratified splits; `share` of them are searched.

    `vectors` [n, E] are brought to unit length; `labels` [n] are class indices. The explanatory power of relevances is the
    accuracy that the vectors they make allow, at the best k (Arras et al., PLoS ONE 2017). Raises InputError for
    vectors that are not finite, or where a class has fewer than two documents.

    >>> vectors = np.array([[1.0, 0.1 * i] for i in range(10)] + [[0.1 * i, 1.0] for i in range(-5, 5)])
    >>> neighbours(vectors, [0] * 10 + [1] * 10, k=(1,)).power
    1.0
    """
    from sklearn.model_selection import StratifiedShuffleSplit
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import normalize

    x, y = np.asarray(vectors, dtype=np.float64), np.asarray(labels)
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise InputError(f"neighbours need vectors [n, E] and labels [n]; these are {list(x.shape)} and {list(y.shape)}")
    if not np.isfinite(x).all():
        bad = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
        raise InputError(f"the vector of document {bad} is not finite; leave the document out, or look why it overflows")
    if min(np.bincount(y)[np.unique(y)], default=0) < 2:
        raise InputError("every class needs at least two documents, one to search among and one to classify")
    x = normalize(x)
    found = np.empty((splits, len(k)))
    random = StratifiedShuffleSplit(splits, train_size=share, random_state=seed)
    for row, (known, asked) in zip(found, random.split(x, y), strict=True):
        for place, count in enumerate(k):
            nearest = KNeighborsClassifier(min(count, len(known))).fit(x[known], y[known])
            row[place] = nearest.score(x[asked], y[asked])
    means, deviations = found.mean(axis=0), found.std(axis=0, ddof=1) if splits > 1 else np.zeros(len(k))
    return Neighbours(tuple(k), tuple(means.tolist()), tuple(deviations.tolist()), splits)
