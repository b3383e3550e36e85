"""The fast walk of an LSTM: where it starts from, cells that add nothing, and many pieces."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from textlrp import lrp
from textlrp.lrp import rows

RULES = [lrp.Epsilon(1e-3), lrp.Gamma(0.5, epsilon=1e-3)]


class Begun(nn.Module):
    """Embedding → LSTM of two directions that starts from states made of the text → its outputs and last states → linear layer.

    The first cell adds nothing to itself (g = 0), and keeps what it was given.
    """

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(50, 16)
        self.begin = nn.Linear(16, 40)
        self.lstm = nn.LSTM(16, 10, bidirectional=True, batch_first=True)
        self.output = nn.Linear(20, 3)
        with torch.no_grad():
            for name, each in self.lstm.named_parameters():
                each.data[20] = 0  # g of the first cell
                if name.startswith("bias"):
                    each.data[10] = 2  # its f
        self.eval()

    def forward(self, ids: Tensor) -> Tensor:  # [B,T] -> [B,C]
        x = self.embedding(ids)
        h, c = (each.unflatten(-1, (2, 10)).transpose(0, 1).contiguous() for each in self.begin(x.sum(1)).split(20, -1))
        out, (h, c) = self.lstm(x, (h, c))
        return self.output(out.sum(1) + torch.cat(list(h), -1) + torch.cat(list(c), -1))


def explain(rule: lrp.Rule, *, double: bool, layers: bool, alone: bool = False) -> lrp.Attribution:
    """Explain class 1; `alone` reads nothing but the first cells."""
    module, ids = Begun(), torch.randint(50, (4, 23), generator=torch.Generator().manual_seed(1))
    if alone:
        module.output.weight.data[:, [*range(1, 10), *range(11, 20)]] = 0
    module = module.double() if double else module
    return lrp.attribute(module, ids, target=1, composite=lrp.Composite(default=rule), layers=layers)


@pytest.mark.parametrize("layers", [False, True])
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_from_the_kernels_cells_states_that_the_text_gave_get_what_the_equations_give_them(
    rule: lrp.Rule, layers: bool
) -> None:
    found, expected = explain(rule, double=False, layers=layers), explain(rule, double=True, layers=layers)
    torch.testing.assert_close(found.tokens.double(), expected.tokens, atol=2e-4, rtol=2e-3)
    for entry, amount in expected.ledger.items():
        torch.testing.assert_close(found.ledger[entry].double(), amount, atol=2e-4, rtol=2e-3)


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_cell_that_adds_nothing_hands_on_all_that_it_gets(rule: lrp.Rule, double: bool) -> None:
    layers = explain(rule, double=double, layers=True, alone=True).layers
    torch.testing.assert_close(layers["begin"].relevance_out, layers["lstm"].relevance_out, atol=0.0, rtol=0.05)  # ε takes some


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_many_pieces_give_what_one_does(rule: lrp.Rule, double: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = explain(rule, double=double, layers=False)
    monkeypatch.setattr(rows, "_CACHED", 100)
    torch.testing.assert_close(explain(rule, double=double, layers=False).tokens, whole.tokens)
