"""Targets: which number of the model's output is explained."""

from __future__ import annotations

from typing import Any

import torch

from textlrp.errors import InputError, unknown_name

__all__ = ["Start", "start"]


class Start:
    """Where relevance starts: a carry (weights of the logits) or relevance proper, and the score they make, [B]."""

    def __init__(self, c: torch.Tensor | None, r: torch.Tensor | None, score: torch.Tensor) -> None:
        self.c, self.r, self.score = c, r, score


def start(target: Any, logits: torch.Tensor) -> Start:
    """Return the start for `target`."""
    if target is None or target == "predicted":
        target = logits.argmax(-1)
    if isinstance(target, int):
        target = torch.full((len(logits),), target, device=logits.device)
    target = torch.as_tensor(target, device=logits.device)
    c = torch.zeros_like(logits).scatter_(1, target[:, None], 1.0)
    return Start(c, None, (c * logits).sum(1))


_ = InputError, unknown_name
