"""Averages of a model's weights along the training: steadier than the last step, and usually better."""

from __future__ import annotations

import copy

import torch
from torch import nn

from textlrp.errors import InputError

__all__ = ["WeightAverage"]


class WeightAverage:
    """The exponential moving average w̄ ← d·w̄ + (1 - d)·w of a module's parameters (Tarvainen & Valpola, NeurIPS 2017).

    d is `decay`, but at most n / (n + 10) at the n-th update, so that the random first weights are soon forgotten.

    >>> module = nn.Linear(1, 1, bias=False)
    >>> average = WeightAverage(module, decay=0.5)
    >>> _ = module.weight.data.fill_(4.0)
    >>> for _ in range(60): average.update(module)
    >>> round(average.module.weight.item(), 3)
    4.0
    """

    def __init__(self, module: nn.Module, *, decay: float = 0.998) -> None:
        if not 0.0 <= decay < 1.0:
            raise InputError(f"decay must be at least 0 and below 1, not {decay}")
        self.decay, self.updates = decay, 0
        self.module = copy.deepcopy(module).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take the module's present weights into the average; buffers are copied as they are."""
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + 10))
        for mean, weight in zip(self.module.parameters(), module.parameters(), strict=True):
            mean.lerp_(weight, 1.0 - decay)
        for kept, buffer in zip(self.module.buffers(), module.buffers(), strict=True):
            kept.copy_(buffer)
