"""A constant is a constant, how many rows it has; an initial state is made as the model runs, or is given with the texts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tests.lrp.reads import UNITS, WORDS, Reads, batch, check, explain
from textlrp import lrp


def table(rows: int) -> torch.Tensor:
    return torch.randn(rows, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


POSITIONS, PROJECT, LABELS = table(9), nn.Linear(4, UNITS).double(), table(3)


def sinusoids(width: int) -> torch.Tensor:
    found = torch.zeros(width, 4, dtype=torch.float64)
    found[:, ::2] = torch.sin(torch.arange(width, dtype=torch.float64))[:, None]
    return found


@pytest.mark.parametrize("places", [lambda width: POSITIONS[:width], sinusoids], ids=["table", "sinusoids"])
def test_a_table_of_as_many_rows_as_texts_is_a_constant(places: Any) -> None:
    check(lambda m, i: m.head((m.fc(m.emb(i)) + PROJECT(places(i.shape[1]))).relu().mean(1)), batch(7, 7))


def test_as_many_labels_as_texts_are_constants() -> None:
    def forward(m: Reads, i: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bth,lh->bl", m.fc(m.emb(i)), PROJECT(LABELS))

    halves = lrp.Composite(default=lrp.Zero(), product="half")
    check(forward, batch(3), composite=halves)
    assert bool((explain(forward, batch(3), composite=halves).ledger["initial_state"] == 0).all())


STATES = {
    "full": lambda i: torch.full((len(i), 4), 0.3, dtype=torch.float64),
    "scaled": lambda i: torch.ones(len(i), 4, dtype=torch.float64) * 0.3,
    "filled": lambda i: torch.empty(len(i), 4, dtype=torch.float64).fill_(0.3),
    "of a level": lambda i: torch.full((2, len(i), 4), 0.3, dtype=torch.float64)[1],
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_made_as_the_model_runs_takes_its_part(name: str) -> None:
    found = explain(lambda m, i: m.head(m.fc(m.emb(i)).mean(1) + PROJECT(STATES[name](i))), batch())
    head = Reads(lambda m, i: i).head.weight[0]
    expected = (PROJECT.weight @ torch.full((4,), 0.3, dtype=torch.float64)) @ head
    torch.testing.assert_close(found.ledger["initial_state"], expected.detach().expand(3))
    torch.testing.assert_close(found.residual, torch.zeros(3, dtype=torch.float64))


def test_a_state_that_is_given_takes_its_part() -> None:
    class Given(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.emb, self.state = nn.Embedding(WORDS, 4), nn.Linear(4, 2)
            self.double()

        def forward(self, ids: torch.Tensor, h: torch.Tensor | None = None) -> torch.Tensor:
            assert h is not None
            return self.state(h) + self.emb(ids).mean(1)[:, :2]

    module, ids, h = Given(), batch(), table(3)
    found = lrp.attribute(module, ids, target=0, composite=lrp.Composite(default=lrp.Zero()), arguments={"h": h})
    torch.testing.assert_close(found.ledger["initial_state"], (h @ module.state.weight[0]).detach())
    torch.testing.assert_close(found.residual, torch.zeros(3, dtype=torch.float64))
