"""What nobody reads on the way back is let go of before the way back begins, and nothing else is."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from tests.lrp import zoo
from textlrp import lrp
from textlrp.lrp import tape
from textlrp.lrp.tape import Tape
from textlrp.models.build import build
from textlrp.models.config import ConvolutionalConfig


@pytest.mark.parametrize("rule", [lrp.Epsilon(0.01), lrp.Zero(), lrp.Gamma(0.25)], ids=str)
@pytest.mark.parametrize("name", zoo.MODELS)
def test_relevance_is_the_same_when_large_values_are_let_go_of(
    name: str, rule: lrp.Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, (ids, lengths) = zoo.build(name), zoo.batch()
    composite = lrp.Composite(default=rule, product="half")
    expected = lrp.attribute(module, ids, lengths, target=0, composite=composite)  # keeps all, for the relevance of layers
    monkeypatch.setattr(tape, "_LARGE", 0)
    found = lrp.attribute(module, ids, lengths, target=0, composite=composite, layers=False)
    torch.testing.assert_close(found.tokens, expected.tokens, equal_nan=True)
    for entry, amount in expected.ledger.items():
        torch.testing.assert_close(found.ledger[entry], amount, equal_nan=True)


def test_a_cnn_lets_go_of_what_its_rectifiers_and_windows_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[tuple[str, bool]] = []
    slim = Tape.slim

    def watched(self: Tape) -> None:
        slim(self)
        held.extend((node.operation, out.value.untyped_storage().nbytes() > 8) for node in self.nodes for out in node.outputs)

    monkeypatch.setattr(tape, "_LARGE", 0)
    monkeypatch.setattr(Tape, "slim", watched)
    module = build(ConvolutionalConfig(classes=("a", "b"), vocabulary_size=30, embedding_dim=4)).eval()
    lrp.attribute(module, torch.randint(2, 30, (3, 6)), torch.tensor([6, 4, 5]), target=0, layers=False)
    assert {name for name, kept in held if kept} >= {"embedding", "conv1d", "linear"}
    assert {name for name, kept in held if not kept} >= {"relu", "mul", "pad"}


def test_a_loop_may_have_more_steps_than_python_has_frames() -> None:
    class Loops(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.out = nn.Embedding(30, 4), nn.Linear(4, 2)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            x = self.embedding(ids)
            state, on = x[:, 0], torch.ones(len(ids), 1, dtype=torch.bool)
            for t in range(1, ids.shape[1]):
                state = torch.where(on, state + x[:, t], state)
            return self.out(state)

    model, ids = Loops().double(), torch.randint(2, 30, (3, sys.getrecursionlimit()))
    found = lrp.attribute(model, ids, target=0, composite=lrp.Composite(default=lrp.Zero()))
    torch.testing.assert_close(found.tokens, (model.embedding(ids) @ model.out.weight[0]).detach())
