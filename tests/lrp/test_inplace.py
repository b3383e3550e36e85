"""Writes in place: what is explained is the function of the model, whatever shares memory with what was written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from textlrp import lrp

LINEAR = lrp.Composite(default=lrp.Zero())  # under which a linear model's relevance is gradient × input
Body = Callable[[nn.Module, torch.Tensor], torch.Tensor]


class Model(nn.Module):
    """Vectors of ids, and what a test makes of them: [B, T, 6] → [B, 3]."""

    def __init__(self, body: Body, **state: Any) -> None:
        super().__init__()
        self.embedding, self.fc, self.head, self.body = nn.Embedding(20, 6), nn.Linear(6, 5), nn.Linear(6, 3), body
        for name, value in state.items():
            self.register_buffer(name, value)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(self, self.embedding(ids)))


def check(body: Body, ids: torch.Tensor | None = None) -> None:
    """Compare the relevance of a linear model with gradient × input."""
    torch.manual_seed(0)
    model = Model(body).double()
    ids = torch.randint(1, 20, (3, 7)) if ids is None else ids
    found = lrp.attribute(model, ids, target=0, composite=LINEAR)
    vectors: list[torch.Tensor] = []

    def watched(*given: Any) -> torch.Tensor:
        vectors.append(given[-1].detach().requires_grad_())
        return vectors[0].clone()

    with model.embedding.register_forward_hook(watched):
        score = model(ids)[:, 0]
    torch.testing.assert_close(found.score, score.detach())
    (gradient,) = torch.autograd.grad(score.sum(), vectors)
    torch.testing.assert_close(found.tokens, (gradient * vectors[0]).sum(-1).detach())
    assert (found.residual.abs() < 1e-12).all()


def by_steps(change: Callable[[torch.Tensor, int], None]) -> Body:
    """Change vectors step by step from the second on, and sum them."""

    def body(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        for t in range(1, x.shape[1]):
            change(x, t)
        return x.sum(1)

    return body


def at_once(change: Callable[[torch.Tensor], Any]) -> Body:
    """Change vectors, and sum them with unequal weights."""

    def body(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        change(x)
        return (x * torch.arange(1.0, 8.0, dtype=x.dtype)[:, None]).sum(1)

    return body


def swapped(x: torch.Tensor) -> None:
    x[:, 0], x[:, 1] = x[:, 1].clone(), x[:, 0].clone()


def swapped_through_views(x: torch.Tensor) -> None:
    x[:, 0], x[:, 1] = x[:, 1], x[:, 0]  # in torch, both are then the second


def doubled(x: torch.Tensor) -> None:
    x[:, 0] *= 2


def raised(x: torch.Tensor) -> None:
    x[:, 0] += 1


def moved(x: torch.Tensor) -> None:
    x[:, 1:] += x[:, :-1].clone()


def held(x: torch.Tensor) -> None:
    first, second = x[:, 0], x[:, 1]
    first += second
    second -= x[:, 2]
    x[:, 2] = first


def summed_up(x: torch.Tensor, t: int) -> None:
    x[:, t] += x[:, t - 1]


OF_ITSELF: dict[str, Body] = {
    "one step into another": at_once(lambda x: x.__setitem__((slice(None), 0), x[:, 1])),
    "copy_": at_once(lambda x: x[:, 0].copy_(x[:, 1])),
    "add_ with alpha": at_once(lambda x: x[:, 0].add_(other=x[:, 1], alpha=3)),
    "to itself": at_once(lambda x: x.add_(x)),
    "doubled": at_once(doubled),
    "raised": at_once(raised),
    "moved": at_once(moved),
    "swapped": at_once(swapped),
    "swapped through views": at_once(swapped_through_views),
    "views that are held": at_once(held),
    "running sums": by_steps(summed_up),
    "running sums from the right": by_steps(lambda x, t: x[:, -t - 1].add_(x[:, -t])),
}


@pytest.mark.parametrize("name", OF_ITSELF)
def test_a_tensor_may_be_written_with_parts_of_itself(name: str) -> None:
    check(OF_ITSELF[name])


def test_a_value_that_is_read_on_the_way_back_is_kept_though_another_name_of_its_tensor_is_written() -> None:
    def body(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        rectified = x.relu()
        same = x.contiguous()  # the tensor itself
        same *= -1.0
        return (rectified + same).sum(1)

    check(body)
