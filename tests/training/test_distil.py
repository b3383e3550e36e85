"""Soft labels: blended from calibrated teachers, mixed with the truth, learnt by cross-entropy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from textlrp.errors import InputError
from textlrp.training.distil import blend, distillation_loss, soft_targets
from textlrp.training.metrics import fit_temperature


def noisy(labels: np.ndarray, *, noise: float, scale: float, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    margin = (2 * labels - 1 + random.normal(0, noise, len(labels))) * scale
    return np.stack([-margin / 2, margin / 2], axis=1)


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2, 600)


def test_a_blend_of_independent_teachers_is_better_than_each(labels):
    teachers = [noisy(labels, noise=1.0, scale=scale, seed=seed) for seed, scale in enumerate((0.1, 1.0, 30.0))]
    mixed = blend(teachers, labels, np.arange(300))
    accuracy = [(each[300:].argmax(1) == labels[300:]).mean() for each in [*teachers, mixed]]
    assert accuracy[-1] > max(accuracy[:-1]) + 0.02


def test_a_blend_is_calibrated_on_the_validation_texts(labels):
    mixed = blend([noisy(labels, noise=1.0, scale=30.0, seed=1)], labels, np.arange(600))
    assert fit_temperature(mixed, labels) == pytest.approx(1.0, abs=0.05)


def test_the_weight_of_a_teacher_counts(labels):
    good, bad = noisy(labels, noise=0.5, scale=3.0, seed=1), noisy(labels, noise=9.0, scale=3.0, seed=2)
    alone = blend([good], labels, np.arange(600))
    assert np.allclose(blend([good, bad], labels, np.arange(600), weights=[1, 0]), alone, rtol=1e-3)


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0], [-1.0, 2.0]])
def test_impossible_weights_are_refused(labels, weights):
    teacher = noisy(labels, noise=1.0, scale=1.0, seed=0)
    with pytest.raises(InputError, match="weights must be 2 numbers"):
        blend([teacher, teacher], labels, np.arange(9), weights=weights)


def test_no_teacher_is_refused(labels):
    with pytest.raises(InputError, match="at least one teacher"):
        blend([], labels, np.arange(9))


def test_unlabelled_texts_learn_from_the_teacher_alone():
    logits = np.array([[0.0, np.log(3.0)], [0.0, np.log(3.0)]])
    assert soft_targets(logits, np.array([-1, 0]), trust=0.5) == pytest.approx(np.array([[0.25, 0.75], [0.625, 0.375]]))
    assert soft_targets(logits, np.array([0, 1]), trust=0.0).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    with pytest.raises(InputError, match="trust"):
        soft_targets(logits, np.array([0, 1]), trust=1.5)


def test_the_loss_is_the_cross_entropy_and_lowest_at_the_teacher():
    targets = torch.tensor([[0.25, 0.75]])
    teacher = targets.log()
    lowest = -(targets * targets.log()).sum()
    assert distillation_loss(teacher, targets) == pytest.approx(lowest.item())
    assert distillation_loss(teacher + torch.tensor([[0.5, 0.0]]), targets) > lowest
    hard = torch.tensor([[0.0, 1.0]])
    assert distillation_loss(teacher, hard) == pytest.approx(functional.cross_entropy(teacher, torch.tensor([1])).item())
