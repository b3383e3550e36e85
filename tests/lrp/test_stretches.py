"""An LSTM under any rule and gate rule is walked back in stretches of steps, and the words' relevance is summed or not."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from textlrp import lrp
from textlrp.lrp import cells, signed, stepwise_lstm
from textlrp.lrp.gates import GATES

RULES: list[lrp.Rule] = [
    lrp.Zero(),
    lrp.Epsilon(1e-2),
    lrp.Epsilon(1e-2, bias="share"),
    lrp.Epsilon(1e-2, bias="spread"),
    lrp.Gamma(0.5, epsilon=1e-2),
    lrp.Gamma(0.5, epsilon=0.0),
    lrp.Gamma(0.5, bias="share"),
    lrp.Gamma(0.5, bias="spread"),
    lrp.AlphaBeta(2.0, 1.0),
    lrp.ZPlus(),
    lrp.WSquare(),
    lrp.Flat(),
]
LENGTHS = torch.tensor([11, 2, 7, 10])
PAIRS = list(product(RULES, GATES))


class Reader(nn.Module):
    """Embedding → LSTM of two directions → its outputs, its last h and its last c → linear layer."""

    def __init__(self, *, packed: bool, one_sided: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.packed = packed
        self.embedding = nn.Embedding(50, 32)
        self.lstm = nn.LSTM(32, 12, bidirectional=True, batch_first=True)
        self.output = nn.Linear(24, 3)
        if one_sided:  # of one direction, nothing speaks for any gate
            with torch.no_grad():
                self.embedding.weight.abs_()
                for name, weight in self.lstm.named_parameters():
                    if name.endswith("reverse"):
                        weight.copy_(0 * weight if "weight_hh" in name else -weight.abs())

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:  # [B,T], [B] -> [B,C]
        x = self.embedding(ids)
        if self.packed:
            out, (h, c) = self.lstm(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
            out = pad_packed_sequence(out, batch_first=True, total_length=ids.shape[1])[0]
        else:
            out, (h, c) = self.lstm(x)
        return self.output(out.sum(1) + torch.cat(list(h), -1) + torch.cat(list(c), -1))


def explain(
    rule: lrp.Rule, gates: str, *, packed: bool, single: bool = False, one_sided: bool = False, **how: bool
) -> lrp.Attribution:
    ids = torch.randint(1, 50, (len(LENGTHS), int(LENGTHS.max())), generator=torch.Generator().manual_seed(1))
    module = Reader(packed=packed, one_sided=one_sided)
    module = module if single else module.double()
    composite = lrp.Composite([(nn.LSTM, rule)], default=lrp.Epsilon(1e-2))
    return lrp.attribute(module, ids, LENGTHS, target=1, composite=composite, gates=gates, **how)


def assert_same(found: lrp.Attribution, expected: lrp.Attribution) -> None:
    torch.testing.assert_close(found.tokens, expected.tokens, rtol=1e-9, atol=1e-11)
    assert found.ledger.keys() == expected.ledger.keys()
    for key, amount in expected.ledger.items():
        torch.testing.assert_close(found.ledger[key], amount, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("rule", "gates"), PAIRS, ids=str)
def test_many_stretches_give_what_one_does(rule: lrp.Rule, gates: str, packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = explain(rule, gates, packed=packed, steps=True)
    monkeypatch.setattr(stepwise_lstm, "pieces", lambda count, each: cells.pieces(count, 2**15))  # two steps each
    found = explain(rule, gates, packed=packed, steps=True)
    assert_same(found, expected)
    for part in ("hidden", "cell"):
        torch.testing.assert_close(getattr(found.layers["lstm"], part), getattr(expected.layers["lstm"], part))


@pytest.mark.parametrize(("rule", "gates"), PAIRS, ids=str)
def test_words_get_the_same_whether_layers_are_asked_for_or_not(rule: lrp.Rule, gates: str) -> None:
    for packed in (False, True):
        assert_same(explain(rule, gates, packed=packed, layers=False), explain(rule, gates, packed=packed))


@pytest.mark.parametrize(
    ("rule", "gates"), [pair for pair in PAIRS if pair[1] != "prop" and pair[0].epsilon >= 1e-3], ids=str
)  # where denominators vanish, rounding is blown up
def test_single_precision_gives_what_double_precision_does(rule: lrp.Rule, gates: str) -> None:
    found = explain(rule, gates, packed=False, single=True, layers=False)
    expected = explain(rule, gates, packed=False)
    assert (found.tokens - expected.tokens).abs().max() < 2e-3 * expected.tokens.abs().max()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("gates", ["half", "zero"])
@pytest.mark.parametrize("rule", [lrp.AlphaBeta(2.0, 1.0), lrp.ZPlus(), lrp.ZPlus(bias="share")], ids=str)
@pytest.mark.parametrize("one_sided", [False, True])
def test_two_products_give_what_four_do_where_they_are_taken(
    rule: lrp.Rule, gates: str, packed: bool, one_sided: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bool] = []
    able = signed.AlphaBetaShare.able
    monkeypatch.setattr(signed.AlphaBetaShare, "able", lambda *args: (share := able(*args), taken.append(share is not None))[0])
    found = explain(rule, gates, packed=packed, layers=False, one_sided=one_sided)
    assert set(taken) == ({True, False} if one_sided else {True})
    monkeypatch.setattr(signed.AlphaBetaShare, "able", lambda *args: None)
    assert_same(found, explain(rule, gates, packed=packed, layers=False, one_sided=one_sided))
