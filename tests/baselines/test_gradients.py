"""Gradients against finite differences, captum and their definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from textlrp import baselines
from textlrp.errors import InputError, RelevanceError


class Plain(nn.Module):
    """A network without n-grams whose vectors can also be given: tanh of a recurrent state, pooled."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 4)
        self.layer = nn.GRU(4, 3, batch_first=True)
        self.head = nn.Linear(3, 2)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        return self.read(self.embedding(ids), lengths)

    def read(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        inside = torch.arange(vectors.shape[1]) < lengths[:, None]
        return self.head((self.layer(vectors)[0].tanh() * inside[..., None]).sum(1))


@pytest.fixture
def plain() -> tuple[Plain, Tensor, Tensor, Tensor]:
    torch.manual_seed(2)
    ids, lengths = torch.tensor([[2, 3, 4, 3], [6, 7, 0, 0]]), torch.tensor([4, 2])
    return Plain().double().eval(), ids, lengths, torch.tensor([[0.0, 1.0], [-1.0, 1.0]], dtype=torch.float64)


def by_differences(module: Plain, vectors: Tensor, lengths: Tensor, weights: Tensor) -> Tensor:  # -> [B,T,E]
    """∂s/∂x, one number at a time, by central differences."""
    step, found = 1e-6, torch.zeros_like(vectors)
    with torch.no_grad():
        for at in np.ndindex(*vectors.shape):
            ends = []
            for sign in (1, -1):
                moved = vectors.clone()
                moved[at] += sign * step
                ends.append(float((module.read(moved, lengths) * weights)[at[0]].sum()))
            found[at] = (ends[0] - ends[1]) / (2 * step)
    return found


def test_gradient_and_gradient_x_input_are_those_of_finite_differences(plain: Any) -> None:
    module, ids, lengths, weights = plain
    x = module.embedding(ids).detach()
    slope = by_differences(module, x, lengths, weights)
    torch.testing.assert_close(baselines.gradient(*plain), slope.square().sum(-1), atol=1e-7, rtol=1e-5)
    torch.testing.assert_close(baselines.gradient_x_input(*plain), (x * slope).sum(-1), atol=1e-7, rtol=1e-5)


def test_integrated_gradients_are_those_of_captum(plain: Any) -> None:
    from captum.attr import IntegratedGradients

    module, ids, lengths, weights = plain

    def score(vectors: Tensor, lengths: Tensor, weights: Tensor) -> Tensor:
        return (module.read(vectors, lengths) * weights).sum(-1)

    x = module.embedding(ids).detach()
    how = {"additional_forward_args": (lengths, weights), "n_steps": 50}
    midpoints = IntegratedGradients(score).attribute(x, method="riemann_middle", **how).sum(-1)
    torch.testing.assert_close(baselines.integrated_gradients(*plain), midpoints)
    exact = IntegratedGradients(score).attribute(x, method="gausslegendre", **how).sum(-1)
    torch.testing.assert_close(baselines.integrated_gradients(*plain, steps=400), exact, atol=1e-5, rtol=1e-5)


def test_integrated_gradients_are_complete(case: Any) -> None:
    found = baselines.integrated_gradients(*case, steps=500).sum(-1)
    whole = case.score()
    for each in case.module.modules():
        if isinstance(each, nn.Embedding) or hasattr(each, "share_relevance"):
            with torch.no_grad():
                each.weight.zero_()
    read = case.lengths > 0
    torch.testing.assert_close(found[read], (whole - case.score())[read], atol=2e-3, rtol=2e-3)


def test_smoothgrad_is_the_mean_over_draws_of_the_definition(plain: Any) -> None:
    module, ids, lengths, weights = plain
    found = baselines.smoothgrad(*plain, samples=4, noise=0.3, seed=5)
    for b, n in enumerate(lengths.tolist()):
        x = module.embedding(ids[b : b + 1, :n]).detach()
        spread = float(x.max() - x.min())
        total = torch.zeros_like(x)
        for i in range(4):
            noise = torch.from_numpy(np.random.default_rng([5, 0, i]).standard_normal((n, 4)))
            total += by_differences(module, x + 0.3 * spread * noise, lengths[b : b + 1], weights[b : b + 1])
        torch.testing.assert_close(found[b, :n], (x * total / 4).sum(-1)[0], atol=1e-6, rtol=1e-5)


def test_smoothgrad_without_noise_is_gradient_x_input(case: Any) -> None:
    torch.testing.assert_close(baselines.smoothgrad(*case, samples=2, noise=0.0), baselines.gradient_x_input(*case))


def test_points_are_taken_in_parts_where_they_would_fill_memory(plain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = baselines.integrated_gradients(*plain, steps=7)
    monkeypatch.setattr("textlrp.baselines.gradients.MOST_TOKENS", 8)
    torch.testing.assert_close(baselines.integrated_gradients(*plain, steps=7), whole)


def test_a_score_that_no_vector_reaches_has_no_gradient(plain: Any) -> None:
    class Deaf(Plain):
        def read(self, vectors: Tensor, lengths: Tensor) -> Tensor:
            return vectors.new_ones(vectors.shape[0], 2)

    _, ids, lengths, weights = plain
    assert not baselines.gradient_x_input(Deaf().double(), ids, lengths, weights).any()


def test_a_module_without_an_embedding_is_told_what_to_use() -> None:
    with pytest.raises(RelevanceError, match=r"no nn\.Embedding.*occlusion"):
        baselines.gradient(nn.Linear(2, 2), torch.zeros(1, 2), torch.tensor([2]), torch.ones(1, 2))


def test_numbers_of_points_that_make_no_sense_are_refused(plain: Any) -> None:
    with pytest.raises(InputError, match="at least 1 step, not 0"):
        baselines.integrated_gradients(*plain, steps=0)
    with pytest.raises(InputError, match="noise of at least 0, not 1 and -1"):
        baselines.smoothgrad(*plain, samples=1, noise=-1)
