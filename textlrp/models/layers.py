"""The parts that all architectures share: dropping words in training, and the dense layers before the logits."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["WordDropout", "head"]


class WordDropout(nn.Module):
    """Set whole vectors to 0 in training, each with probability `p`, and scale the others by 1 / (1 - p)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, vectors: Tensor) -> Tensor:  # [B,T,E] -> [B,T,E]
        """Return the vectors, some of them 0; outside training, all as they are."""
        if not self.training or not self.p:
            return vectors
        kept = torch.rand(vectors.shape[:-1], device=vectors.device) >= self.p
        return vectors * (kept[..., None] / (1.0 - self.p)).to(vectors.dtype)


def head(inputs: int, hidden: Sequence[int], classes: int, *, dropout: float) -> nn.Sequential:
    """Make dropout → (linear → ReLU → dropout)* → linear, with the layers named hidden1, hidden2, …, output."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(dropout=nn.Dropout(dropout))
    for number, size in enumerate(hidden, start=1):
        layers[f"hidden{number}"] = nn.Linear(inputs, size)
        layers[f"relu{number}"] = nn.ReLU()
        layers[f"dropout{number}"] = nn.Dropout(dropout)
        inputs = size
    layers["output"] = nn.Linear(inputs, classes)
    return nn.Sequential(layers)
