"""Small networks in float64, and texts with padding."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from textlrp.models.build import build
from textlrp.models.config import make_config


class Case(NamedTuple):
    module: nn.Module
    ids: Tensor
    lengths: Tensor
    weights: Tensor

    def score(self) -> Tensor:  # [B]
        with torch.no_grad():
            return (self.module(self.ids, self.lengths) * self.weights).sum(-1)


class Linear(nn.Module):
    """logits = W Σ_t E[id_t] + b: what word t brings is exactly w · E[id_t]."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        inside = torch.arange(ids.shape[1]) < lengths[:, None]
        return self.head((self.embedding(ids) * inside[..., None]).sum(1))


IDS = torch.tensor([[2, 3, 4, 3, 5, 6], [6, 7, 8, 0, 0, 0], [9, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
LENGTHS = torch.tensor([6, 3, 1, 0])
WEIGHTS = torch.tensor([[0.0, 1.0], [-1.0, 1.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)

NETWORKS = {
    "dense": {"pooling": ["mean", "max"]},
    "dense once with n-grams": {
        "pooling": ["root", "max"],
        "once": True,
        "ngrams": [2, 3],
        "ngram_buckets": 50,
        "ngram_dim": 3,
    },
    "dense hidden": {"hidden": [5]},
    "lstm": {"units": 4},
    "gru": {"units": 4, "pooling": ["mean", "max"]},
    "lstm with n-grams": {"units": 4, "once": True, "ngrams": [1, 2], "ngram_buckets": 50, "ngram_dim": 1},
    "lstm last": {"units": 4, "pooling": ["last"]},
    "cnn": {"widths": [2, 3], "channels": 6},
}


def network(name: str) -> nn.Module:
    arch = name.split()[0]
    config = make_config(arch, vocabulary_size=20, classes=["a", "b"], embedding_dim=5, **NETWORKS[name])
    return build(config, seed=1).double().eval()


@pytest.fixture
def linear() -> Case:
    torch.manual_seed(0)
    return Case(Linear().double().eval(), IDS, LENGTHS, WEIGHTS)


@pytest.fixture(params=NETWORKS)
def case(request: pytest.FixtureRequest) -> Case:
    return Case(network(request.param), IDS, LENGTHS, WEIGHTS)
