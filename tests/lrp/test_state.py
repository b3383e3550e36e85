"""Models that write into their own buffers and parameters: none is changed, and what that makes of the model is said."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional

from textlrp import lrp
from textlrp.errors import RelevanceError


class Remembers(nn.Module):
    """Means of vectors, with a memory to write into."""

    def __init__(self, run: Callable[[Remembers, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.head, self.run = nn.Embedding(20, 6), nn.Linear(6, 3), run
        self.register_buffer("memory", torch.ones(8, 6))
        self.register_buffer("count", torch.zeros(2, dtype=torch.long))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.run(self, self.embedding(ids).mean(1)))


IDS = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]])


def counts(model: Remembers, h: torch.Tensor) -> torch.Tensor:
    model.count[0] += 1
    return h


def counts_by_a_view(model: Remembers, h: torch.Tensor) -> torch.Tensor:
    model.count.view(1, 2).add_(1)
    return h


def clamps(model: Remembers, h: torch.Tensor) -> torch.Tensor:
    model.head.weight.data.clamp_(max=-3.0)
    return h


def clamps_detached(model: Remembers, h: torch.Tensor) -> torch.Tensor:
    model.head.weight.detach()[0].zero_()
    return h


def sets_data(model: Remembers, h: torch.Tensor) -> torch.Tensor:
    model.head.weight.data = torch.zeros(3, 6)
    return h


def clears_by_out(model: Remembers, h: torch.Tensor) -> torch.Tensor:
    torch.zeros(8, 6, out=model.memory)
    return h


def notes(model: Remembers, h: torch.Tensor) -> torch.Tensor:
    model.memory[:3] = 0.9 * model.memory[:3] + 0.1 * h
    return h


def averages(model: Remembers, h: torch.Tensor) -> torch.Tensor:
    model.memory.mul_(0.9).add_(0.1 * h.mean(0))
    return h


@pytest.mark.parametrize(
    "run",
    [counts, counts_by_a_view, clamps, clamps_detached, sets_data, clears_by_out, notes, averages],
    ids=lambda run: run.__name__,
)
def test_a_model_that_writes_into_its_state_is_left_as_it_was(run: Callable[[Remembers, torch.Tensor], torch.Tensor]) -> None:
    model = Remembers(run)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = lrp.attribute(model, IDS, target=0)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    torch.testing.assert_close(found.tokens, lrp.attribute(Remembers(lambda _, h: h), IDS, target=0).tokens)


def slices(model: Remembers, h: torch.Tensor) -> torch.Tensor:
    model.memory[: len(h)] = h
    return model.memory[: len(h)]


def multiplies(model: Remembers, h: torch.Tensor) -> torch.Tensor:
    model.memory[:3].copy_(h)
    return h * model.memory[:3].mean()


def maps(model: Remembers, h: torch.Tensor) -> torch.Tensor:
    kept = model.memory[:3]
    kept += h
    return functional.linear(kept, torch.eye(6))


@pytest.mark.parametrize("run", [slices, multiplies, maps], ids=lambda run: run.__name__)
def test_activations_that_are_read_from_a_buffer_are_an_error(run: Callable[[Remembers, torch.Tensor], torch.Tensor]) -> None:
    with pytest.raises(RelevanceError, match=r"Remembers writes activations into a buffer.*memory = self\.memory\.clone\(\)"):
        lrp.attribute(Remembers(run), IDS, target=0)


def test_setting_data_to_an_activation_is_an_error() -> None:
    def run(_: Remembers, h: torch.Tensor) -> torch.Tensor:
        h.data = 2 * h
        return h

    with pytest.raises(RelevanceError, match=r"Remembers sets \.data of or to an activation"):
        lrp.attribute(Remembers(run), IDS, target=0)


def test_activations_may_be_written_into_a_copy_of_a_buffer() -> None:
    def run(model: Remembers, h: torch.Tensor) -> torch.Tensor:
        memory = model.memory.clone()
        memory[: len(h)] = h
        return memory[: len(h)]

    expected = lrp.attribute(Remembers(lambda _, h: h), IDS, target=0)
    torch.testing.assert_close(lrp.attribute(Remembers(run), IDS, target=0).tokens, expected.tokens)
