"""Word deletion: what becomes of a prediction as its most, or least, relevant words go."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from torch import nn

from textlrp.errors import InputError
from textlrp.faithfulness.network import logits_without

__all__ = ["BINS", "counts", "curve", "falling"]

#: The shares of words that ERASER (DeYoung et al., ACL 2020) takes for comprehensiveness and sufficiency.
BINS: tuple[float, ...] = (0.01, 0.05, 0.10, 0.20, 0.50)


def counts(length: int, bins: Sequence[float | int] = BINS) -> np.ndarray:
    """Return how many words of a text of `length` words each bin takes: a share (float) is rounded up, a number (int) is taken.

    At least one word is taken, and at least one is left.

    >>> counts(30).tolist(), counts(30, (1, 2, 50)).tolist()
    ([1, 2, 3, 6, 15], [1, 2, 29])
    """
    for each in bins:
        if isinstance(each, bool) or not ((isinstance(each, int) and each >= 1) or (isinstance(each, float) and 0 < each < 1)):
            raise InputError(f"a bin is a share between 0 and 1, or a number of words from 1, not {each!r}")
    wanted = [each if isinstance(each, int) else math.ceil(round(each * length, 9)) for each in bins]
    return np.array([min(max(each, 1), max(length - 1, 1)) for each in wanted], dtype=np.int64)


def falling(relevance: np.ndarray, *, seed: int | Sequence[int] = 0) -> np.ndarray:
    """Return the places [T] in falling order of relevance [T]; equal ones, as the zeros of a sparse explanation, by lot.

    >>> falling(np.array([0.5, 2.0, -1.0])).tolist()
    [1, 0, 2]
    """
    lot = np.random.default_rng(seed).permutation(len(relevance))
    return np.asarray(lot[np.argsort(-relevance[lot], kind="stable")])


def curve(
    module: nn.Module,
    rows: Sequence[np.ndarray],
    orders: Sequence[np.ndarray],
    *,
    bins: Sequence[float | int] = BINS,
    how: str = "leave out",
    keep: bool = False,
) -> np.ndarray:
    """Return the logits [n,P,C] of texts `rows` when the first words of `orders` (falling relevance) are deleted.

    At bin p the first `counts` words of the order go; with `keep`, they stay and all others go: the least relevant are then
    deleted first. All texts and bins are predicted together, batched by length.
    """
    texts, deleted = [], []
    for row, order in zip(rows, orders, strict=True):
        for count in counts(len(row), bins):
            mask = np.full(len(row), keep)
            mask[order[:count]] = not keep
            texts.append(row)
            deleted.append(mask)
    return logits_without(module, texts, deleted, how=how).reshape(len(rows), len(bins), -1)
