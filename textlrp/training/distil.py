"""Learning from the soft labels of stronger models, on labelled and on unlabelled texts (Hinton, Vinyals & Dean 2015)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor
from torch.nn import functional

from textlrp.errors import InputError
from textlrp.models.batches import probabilities
from textlrp.training.metrics import fit_temperature

__all__ = ["blend", "distillation_loss", "soft_targets"]


def blend(
    teachers: Sequence[np.ndarray], labels: np.ndarray, validation: np.ndarray, *, weights: Sequence[float] | None = None
) -> np.ndarray:
    """Average the logits [n,C] of several teachers, each calibrated first, and calibrate the average.

    `labels` [n] holds class indices, and `validation` the numbers of the texts that no teacher has learnt from: the
    temperatures are fitted there.

    >>> steep, flat = np.array([[9.0, 0.0], [0.0, 9.0], [9.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    >>> blend([steep, flat], np.array([0, 1, 1]), np.array([0, 1, 2])).argmax(1).tolist()
    [0, 1, 0]
    """
    if not teachers:
        raise InputError("blend needs the logits of at least one teacher")
    shares = np.ones(len(teachers)) if weights is None else np.asarray(weights, dtype=np.float64)
    if len(shares) != len(teachers) or shares.min() < 0 or not shares.sum():
        raise InputError(f"weights must be {len(teachers)} numbers of at least 0 that are not all 0, one for each teacher")
    truth = labels[validation]
    calm = [each / fit_temperature(each[validation], truth) for each in teachers]
    mean = np.average(np.stack(calm), axis=0, weights=shares)
    return mean / fit_temperature(mean[validation], truth)


def soft_targets(logits: np.ndarray, labels: np.ndarray, *, trust: float = 0.5) -> np.ndarray:
    """Return what a student learns from, float32 [n,C]: teacher's probabilities, mixed with the true class where it is known.

    `logits` [n,C] are the teacher's; `labels` [n] are class indices, -1 for an unlabelled text; `trust` is the teacher's share.

    >>> soft_targets(np.zeros((2, 2)), np.array([1, -1])).tolist()
    [[0.25, 0.75], [0.5, 0.5]]
    """
    if not 0.0 <= trust <= 1.0:
        raise InputError(f"trust must be a number from 0 to 1, not {trust}")
    soft = probabilities(logits)
    known = labels >= 0
    hard = np.eye(logits.shape[1])[labels[known]]
    soft[known] = trust * soft[known] + (1.0 - trust) * hard
    return soft.astype(np.float32)


def distillation_loss(logits: Tensor, targets: Tensor) -> Tensor:  # [B,C], [B,C] -> []
    """Return the mean cross-entropy of the student's logits with the soft targets: - Σ_c target_c · log softmax(logits)_c."""
    return functional.cross_entropy(logits.float(), targets)
