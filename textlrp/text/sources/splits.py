"""Cutting a data set in two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textlrp.errors import DataError, InputError

if TYPE_CHECKING:
    import datasets

__all__ = ["train_validation"]


def train_validation(
    dataset: datasets.Dataset, *, share: float = 0.1, seed: int = 0
) -> tuple[datasets.Dataset, datasets.Dataset]:
    """Cut a data set in two: each class gives `share` of its rows, drawn by `seed`, to the second part; order is kept.

    Every class with two rows or more has at least one in either part. Raises InputError unless 0 < share < 1, DataError for
    fewer than two rows.
    """
    import numpy as np

    if not 0 < share < 1:
        raise InputError(f"the share of the validation part is {share}; it lies between 0 and 1, as 0.1")
    if len(dataset) < 2:
        raise DataError(f"a data set of {len(dataset)} rows cannot be cut in two")
    generator = np.random.default_rng(seed)
    labels = np.asarray(dataset["label"][:], dtype=np.int64)
    chosen = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        rows = generator.permutation(np.flatnonzero(labels == label))
        count = int(np.floor(share * len(rows) + 0.5))
        chosen[rows[: min(max(count, 1), len(rows) - 1)]] = True
    if not chosen.any():
        raise DataError("no class has two rows, so no validation part can be cut; give more rows")
    return dataset.select(np.flatnonzero(~chosen)), dataset.select(np.flatnonzero(chosen))
