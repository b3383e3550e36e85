"""A small model whose forward pass a test writes down, and what must hold of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from textlrp import lrp

Forward = Callable[[Any, torch.Tensor], torch.Tensor]
WORDS, SIZE, UNITS, CLASSES = 20, 6, 5, 3


class Reads(nn.Module):
    """An embedding `emb`, a layer `fc` and a head; the forward pass is given."""

    def __init__(self, forward: Forward) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.emb, self.fc, self.head = nn.Embedding(WORDS, SIZE), nn.Linear(SIZE, UNITS), nn.Linear(UNITS, CLASSES)
        self.conv, self.rnn = nn.Conv1d(SIZE, UNITS, 3), nn.LSTM(SIZE, UNITS, batch_first=True)
        self.read = forward
        self.double()

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.read(self, ids)


def batch(texts: int = 3, width: int = 7) -> torch.Tensor:
    return torch.randint(1, WORDS, (texts, width), generator=torch.Generator().manual_seed(1))


def explain(forward: Forward, ids: torch.Tensor, **options: Any) -> lrp.Attribution:
    options.setdefault("composite", lrp.Composite(default=lrp.Zero()))
    return lrp.attribute(Reads(forward), ids, target=0, **options)


def check(forward: Forward, ids: torch.Tensor, **options: Any) -> None:
    """Tokens are gradient × input, the ledger closes, and each text has the entries it has alone."""
    found = explain(forward, ids, **options)
    module, seen = Reads(forward), []

    def keep(_: nn.Module, __: object, output: torch.Tensor) -> torch.Tensor:
        seen.append(output.detach().requires_grad_())
        return seen[-1]

    module.emb.register_forward_hook(keep)
    (gradient,) = torch.autograd.grad(module(ids)[:, 0].sum(), seen)
    torch.testing.assert_close(found.tokens, (gradient * seen[0]).sum(-1).detach())
    torch.testing.assert_close(found.residual, torch.zeros_like(found.residual))
    for place in range(len(ids)):
        alone = explain(forward, ids[place : place + 1], **options)
        for entry, amount in alone.ledger.items():
            torch.testing.assert_close(found.ledger[entry][place], amount[0], msg=lambda text, entry=entry: f"{entry}: {text}")
