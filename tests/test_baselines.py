"""The baselines against their definitions, on a network whose answer is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from textlrp import baselines
from textlrp.errors import RelevanceError
from textlrp.models.build import build
from textlrp.models.config import make_config


class Linear(nn.Module):
    """logits = W Σ_t E[id_t]: the relevance of a word is exactly w · E[id]."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, 4)
        self.head = nn.Linear(4, 2, bias=False)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        inside = torch.arange(ids.shape[1]) < lengths[:, None]
        return self.head((self.embedding(ids) * inside[..., None]).sum(1))


@pytest.fixture
def case() -> tuple[nn.Module, Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    module = Linear()
    ids = torch.tensor([[2, 3, 4, 5], [6, 7, 0, 0]])
    lengths = torch.tensor([4, 2])
    weights = torch.tensor([[0.0, 1.0], [-1.0, 1.0]])
    exact = (module.embedding(ids) @ module.head.weight.T * weights[:, None]).sum(-1).detach()
    exact[1, 2:] = 0
    return module, ids, lengths, weights, exact


@pytest.mark.parametrize("name", ["gradient × input", "integrated gradients", "occlusion"])
def test_on_a_linear_network_every_method_finds_the_truth(
    name: str, case: tuple[nn.Module, Tensor, Tensor, Tensor, Tensor]
) -> None:
    module, ids, lengths, weights, exact = case
    torch.testing.assert_close(baselines.METHODS[name](module, ids, lengths, weights), exact, atol=1e-5, rtol=1e-4)


def test_the_gradient_is_the_squared_length_of_the_weights(case: tuple[nn.Module, Tensor, Tensor, Tensor, Tensor]) -> None:
    module, ids, lengths, weights, _ = case
    found = baselines.gradient(module, ids, lengths, weights)
    row = weights @ module.head.weight  # type: ignore[operator, union-attr]
    expected = row.square().sum(-1, keepdim=True) * (torch.arange(4) < lengths[:, None])
    torch.testing.assert_close(found, expected.detach())


@pytest.mark.parametrize("arch", ["dense", "lstm", "gru", "cnn"])
def test_integrated_gradients_are_complete(arch: str) -> None:
    options = {"ngrams": [2], "ngram_buckets": 50} if arch == "dense" else {}
    module = build(make_config(arch, vocabulary_size=20, classes=["a", "b"], embedding_dim=8, **options), seed=1).eval()
    ids, lengths = torch.randint(2, 20, (2, 7), generator=torch.Generator().manual_seed(0)), torch.tensor([7, 7])
    weights = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    found = baselines.integrated_gradients(module, ids, lengths, weights, steps=40)
    for each in module.modules():
        if isinstance(each, nn.Embedding) or hasattr(each, "share_relevance"):
            zeroed = each.weight.detach().clone()
            with torch.no_grad():
                each.weight.zero_()
            each.kept = zeroed
    nothing = (module(ids, lengths) * weights).sum(-1)
    with torch.no_grad():
        for each in module.modules():
            if hasattr(each, "kept"):
                each.weight.copy_(each.kept)
    whole = (module(ids, lengths) * weights).sum(-1)
    torch.testing.assert_close(found.sum(-1), (whole - nothing).detach(), atol=5e-3, rtol=5e-2)


def test_nothing_is_left_on_the_module(case: tuple[nn.Module, Tensor, Tensor, Tensor, Tensor]) -> None:
    module, ids, lengths, weights, _ = case
    module.train()
    baselines.gradient_x_input(module, ids, lengths, weights)
    assert module.training
    assert all(p.grad is None for p in module.parameters())
    assert not any(each._forward_hooks for each in module.modules())


def test_a_module_without_an_embedding_is_refused() -> None:
    with pytest.raises(RelevanceError, match=r"no nn\.Embedding"):
        baselines.gradient(nn.Linear(2, 2), torch.zeros(1, 2), torch.tensor([2]), torch.ones(1, 2))
