"""Packed sequences in float32 run padded inside the engine: the same as packed ones in float64, which run as they are."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from textlrp import lrp
from textlrp.lrp.padded import segments

LENGTHS = torch.tensor([70, 3, 5, 66, 40, 41, 12, 1, 69])


class Packed(nn.Module):
    """Embedding → packed LSTM → its outputs, its last h or its last c → linear layer."""

    def __init__(self, use: str, *, both: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.use, self.ways = use, 2 if both else 1
        self.embedding = nn.Embedding(50, 12)
        self.lstm = nn.LSTM(12, 16, num_layers=2, bidirectional=both, batch_first=True)
        self.output = nn.Linear(16 * self.ways, 3)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        out, (h, c) = self.lstm(pack_padded_sequence(self.embedding(ids), lengths, batch_first=True, enforce_sorted=False))
        if self.use == "output":
            states = pad_packed_sequence(out, batch_first=True, total_length=ids.shape[1])[0].sum(1)
        else:
            states = torch.cat(list((h if self.use == "h" else c)[-self.ways :]), -1)
        return self.output(states)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("use", ["output", "h", "c"])
def test_packed_texts_get_the_same_relevance_in_either_precision(use: str, both: bool) -> None:
    model = Packed(use, both=both)
    ids = torch.randint(1, 50, (len(LENGTHS), int(LENGTHS.max())), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        output = model(ids, LENGTHS)
    single = lrp.attribute(model, ids, LENGTHS, target=1, steps=True)
    quick = lrp.attribute(model, ids, LENGTHS, target=1, layers=False)
    double = lrp.attribute(model.double(), ids, LENGTHS, target=1, steps=True)
    largest = double.tokens.abs().max()
    torch.testing.assert_close(single.output, output, atol=1e-5, rtol=1e-5)
    assert (single.tokens - double.tokens).abs().max() < 2e-3 * largest
    assert (quick.tokens - double.tokens).abs().max() < 2e-3 * largest
    assert single.residual.abs().max() < 1e-4
    for part in ("hidden", "cell"):
        found, expected = (getattr(each.layers["lstm"], part) for each in (single, double))
        torch.testing.assert_close(found.double(), expected, atol=1e-4, rtol=1e-3)


class Filled(nn.Module):
    """As above, but what stands on padding is a number, which the sum over the words reads as well."""

    def __init__(self, value: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.value = value
        self.embedding = nn.Embedding(50, 12)
        self.lstm = nn.LSTM(12, 16, batch_first=True)
        self.output = nn.Linear(16, 3, bias=False)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.embedding(ids), lengths, batch_first=True, enforce_sorted=False)
        out, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, padding_value=self.value)
        return self.output(out.sum(1))


def test_a_number_on_padding_takes_its_share_as_a_constant() -> None:
    ids = torch.randint(1, 50, (len(LENGTHS), int(LENGTHS.max())), generator=torch.Generator().manual_seed(1))
    filled, empty = (
        lrp.attribute(Filled(value).double(), ids, LENGTHS, target=1, composite=lrp.Composite(default=lrp.Zero()))
        for value in (0.5, 0.0)
    )
    weights = Filled(0.0).output.weight[1].double().sum()
    constant = 0.5 * weights * (LENGTHS.max() - LENGTHS)
    torch.testing.assert_close(filled.ledger["bias"] - empty.ledger["bias"], constant.detach())
    torch.testing.assert_close(filled.tokens, empty.tokens)
    assert filled.residual.abs().max() < 1e-9


def test_segments_follow_each_other_and_none_is_short() -> None:
    sizes = sorted(torch.randint(1, 33, (200,), generator=torch.Generator().manual_seed(0)).tolist(), reverse=True)
    found = segments(sizes)
    assert [start for start, _ in found] == [0, *(stop for _, stop in found[:-1])]
    assert found[-1][1] == len(sizes)
    assert all(stop - start >= 16 for start, stop in found[:-1])
