"""Structural operations that are transposed by hand give what autograd gives."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.lrp import zoo
from textlrp import lrp
from textlrp.lrp.structural import Structural

JOINED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "two": lambda a, b: torch.cat([a, b], 1),
    "by name": lambda a, b: torch.cat(tensors=(b, a), dim=-1),
    "one twice": lambda a, b: torch.concat((a, b, a), dim=1),
    "with a constant": lambda a, b: torch.cat([a, torch.ones_like(a), b], 1),
    "with nothing": lambda a, b: torch.cat([a, torch.empty(0), b], 1),
    "gates": lambda a, b: torch.cat([a.sigmoid(), b.sigmoid()], 1) * torch.cat([b, a], 1),
}


class Joining(nn.Module):
    """Two linear layers of the same words, put together in some way, and read."""

    def __init__(self, way: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.join = JOINED[way]
        self.embedding, self.one, self.other = nn.Embedding(20, 6), nn.Linear(6, 3), nn.Linear(6, 3)
        self.output = nn.Linear(self.join(torch.zeros(1, 3), torch.zeros(1, 3)).shape[1], 2)

    def forward(self, ids: Tensor) -> Tensor:  # [B,T] -> [B,2]
        x = self.embedding(ids).sum(1)
        return self.output(self.join(self.one(x), self.other(x)))


def assert_as_by_autograd(explain: Callable[[], lrp.Attribution], monkeypatch: pytest.MonkeyPatch) -> None:
    found = explain()
    monkeypatch.setattr(Structural, "_quickly", lambda *_: False)
    expected = explain()
    torch.testing.assert_close(found.tokens, expected.tokens, equal_nan=True)
    for entry, amount in expected.ledger.items():
        torch.testing.assert_close(found.ledger[entry], amount, equal_nan=True)


@pytest.mark.parametrize("gates", ["all", "half"])
@pytest.mark.parametrize("way", JOINED)
def test_parts_that_were_put_together_get_their_own(way: str, gates: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, ids = Joining(way).double(), torch.randint(20, (4, 5))
    assert_as_by_autograd(lambda: lrp.attribute(module, ids, target=1, gates=gates), monkeypatch)


@pytest.mark.parametrize("name", zoo.MODELS)
def test_every_model_of_the_zoo(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, (ids, lengths) = zoo.build(name), zoo.batch()
    composite = lrp.Composite(default=lrp.Epsilon(0.01), product="half")
    assert_as_by_autograd(lambda: lrp.attribute(module, ids, lengths, target=0, composite=composite), monkeypatch)
