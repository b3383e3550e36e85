"""Models of any precision, and casts within them: relevance is computed in float32 at least, and the ledger closes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from textlrp import lrp

IDS = torch.randint(1, 20, (3, 7), generator=torch.Generator().manual_seed(0))
ROWS = torch.arange(3)
WAYS: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "bmm": lambda self, x: torch.bmm(x.new_full((3, 1, 7), 0.125), x)[:, 0],
    "matmul": lambda self, x: (x.new_full((1, 7), 0.125) @ x)[:, 0],
    "einsum": lambda self, x: torch.einsum("bt,bte->be", x.new_full((3, 7), 0.125), x),
    "index_add": lambda self, x: x.new_zeros(3, 6).index_add(0, ROWS.repeat_interleave(7), x.reshape(21, 6)),
    "scatter": lambda self, x: x.new_zeros(3, 6).scatter(0, ROWS[:, None].expand(3, 6), x.mean(1)),
    "index_put": lambda self, x: x.new_zeros(3, 6).index_put((ROWS,), x.mean(1)),
    "masked_scatter": lambda self, x: x.new_zeros(3, 6).masked_scatter(torch.ones(3, 6, dtype=torch.bool), x.mean(1)),
    "prelu": lambda self, x: self.activation(x.mean(1)),
    "sum with ones": lambda self, x: x.mean(1) + x.new_ones(6),
    "cat with ones": lambda self, x: torch.cat([x, x.new_ones(3, 1, 6)], 1).mean(1),
    "double inside": lambda self, x: x.double().mean(1).to(x.dtype),
    "half inside": lambda self, x: x.mean(1).bfloat16().to(x.dtype),
}


class Model(nn.Module):
    """Embedding, something in between, linear layer, and a cast of the logits."""

    def __init__(self, way: Callable[[Any, Tensor], Tensor], last: torch.dtype | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.head, self.activation = nn.Embedding(20, 6), nn.Linear(6, 3), nn.PReLU()
        self.way, self.last = way, last

    def forward(self, ids: Tensor) -> Tensor:
        logits = self.head(self.way(self, self.embedding(ids)))
        return logits if self.last is None else logits.to(self.last)


def explained(model: nn.Module) -> lrp.Attribution:
    return lrp.attribute(model, IDS, target=0, composite=lrp.Composite(default=lrp.Zero()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("way", WAYS)
def test_a_model_of_half_precision_is_explained_as_its_twin_of_full_precision(way: str, dtype: torch.dtype) -> None:
    half, full = explained(Model(WAYS[way]).to(dtype)), explained(Model(WAYS[way]))
    assert half.tokens.dtype == torch.float32
    torch.testing.assert_close(half.tokens, full.tokens, atol=0.03 * float(full.tokens.abs().max()), rtol=0)


@pytest.mark.parametrize("last", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("own", [torch.float32, torch.float64])
def test_logits_may_be_cast(own: torch.dtype, last: torch.dtype) -> None:
    cast, plain = (explained(Model(WAYS["matmul"], each).to(own)) for each in (last, None))
    torch.testing.assert_close(cast.tokens.double(), plain.tokens.double(), atol=1e-6, rtol=0)


def test_relevance_does_not_go_back_by_way_of_half_precision() -> None:
    weights = torch.tensor([1 / 3, 0.0, 0.0])
    found = lrp.attribute(Model(WAYS["matmul"], torch.bfloat16), IDS, target=lrp.Weights(weights))
    whole = lrp.attribute(Model(WAYS["matmul"]), IDS, target=lrp.Weights(weights))
    torch.testing.assert_close(found.tokens, whole.tokens, atol=1e-6, rtol=0)
