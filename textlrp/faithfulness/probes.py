"""Random sets of words are deleted: do their relevances add up to what the score loses? Sensitivity-n and infidelity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from textlrp.faithfulness.deletion import counts
from textlrp.faithfulness.network import logits_without
from textlrp.faithfulness.statistics import pearson

__all__ = ["DRAWS", "SIZES", "infidelity", "sensitivity", "subsets", "without_subsets"]

SIZES = (0.1, 0.3)  # shares of the words
DRAWS = 15  # sets of each size


def subsets(length: int, *, seed: int | Sequence[int], sizes: Sequence[float | int] = SIZES, draws: int = DRAWS) -> np.ndarray:
    """Return random sets of the words of a text, bool [sizes,draws,length]; a size is a share or a number, as in `counts`.

    >>> subsets(20, seed=0).sum(axis=-1).tolist() == [[2] * 15, [6] * 15]
    True
    """
    generator = np.random.default_rng(seed)
    masks = np.zeros((len(sizes), draws, length), dtype=bool)
    for row, count in zip(masks, counts(length, sizes), strict=True):
        for mask in row:
            mask[generator.choice(length, size=count, replace=False)] = True
    return masks


def without_subsets(
    module: nn.Module, rows: Sequence[np.ndarray], masks: Sequence[np.ndarray], *, how: str = "zero vector"
) -> np.ndarray:
    """Return the logits [n,sizes,draws,C] of texts without each of their sets; the same for all methods, so asked once."""
    texts = [row for row, mask in zip(rows, masks, strict=True) for _ in range(mask.shape[0] * mask.shape[1])]
    deleted = [each for mask in masks for each in mask.reshape(-1, mask.shape[-1])]
    return logits_without(module, texts, deleted, how=how).reshape(len(rows), *masks[0].shape[:2], -1)


def sensitivity(relevance: np.ndarray, masks: np.ndarray, drops: np.ndarray) -> float:
    """Sensitivity-n (Ancona et al., ICLR 2018): correlation of Σ_{i∈S} R_i with s(x) - s(x without S), over random sets S.

    `relevance` [T], `masks` bool [sizes,draws,T], `drops` [sizes,draws]; the mean over the sizes, NaN where nothing varies.
    """
    sums = masks @ relevance
    found = np.array([pearson(a, b) for a, b in zip(sums, drops, strict=True)])
    return float(found[np.isfinite(found)].mean()) if np.isfinite(found).any() else float("nan")


def infidelity(relevance: np.ndarray, masks: np.ndarray, drops: np.ndarray, *, scaled: bool = False) -> float:
    """Infidelity (Yeh et al., NeurIPS 2019), relative: E[(Σ_{i∈S} R_i - drop)²] / E[drop²]; 0 is perfect, 1 is saying nothing.

    The perturbation takes whole words away, so Iᵀφ of the paper is the relevance of the words that go. With `scaled`, the
    relevance is first multiplied by the factor from 0 on that makes the infidelity smallest, which judges methods that have
    no unit.
    """
    sums, lost = (masks @ relevance).ravel(), drops.ravel()
    total = float((lost * lost).sum())
    if not total > 0:
        return float("nan")
    if scaled:
        own = float((sums * sums).sum())
        sums = sums * (max(float((sums * lost).sum()) / own, 0.0) if own > 0 else 0.0)
    return float(((sums - lost) ** 2).sum() / total)
