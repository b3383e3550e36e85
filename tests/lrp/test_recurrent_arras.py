"""The bidirectional LSTM of Arras et al. 2017, in float64 and float32, packed and ragged, at the size it was released in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

from tests.lrp.oracles import arras2017
from tests.lrp.oracles.recurrent import Weights
from textlrp import lrp

SIZE, CLASSES, WORDS, EPSILON = 60, 5, 200, 0.001


class Sentiment(torch.nn.Module):
    """Embedding, bidirectional LSTM, last step of each direction, linear output: the five-class model of the paper."""

    def __init__(self, *, output_bias: bool) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(WORDS, SIZE)
        self.lstm = torch.nn.LSTM(SIZE, SIZE, bidirectional=True, batch_first=True)
        self.output = torch.nn.Linear(2 * SIZE, CLASSES, bias=output_bias)

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        packed = pack_padded_sequence(self.embedding(ids), lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(packed)
        return self.output(torch.cat([h[0], h[1]], dim=1))


def _sentences(seed: int, count: int = 6) -> tuple[Sentiment, torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    model = Sentiment(output_bias=bool(seed % 2))
    for parameter in model.parameters():
        if parameter.ndim == 2 and len(parameter) != WORDS:
            parameter.data.normal_(0.0, 1.5 / SIZE**0.5)
    ids = torch.randint(0, WORDS, (count, 30))
    lengths = torch.randint(1, 31, (count,))
    lengths[0], lengths[1] = 30, 1
    return model, ids, lengths, torch.randint(0, CLASSES, (count,))


def _expected(model: Sentiment, ids: torch.Tensor, target: int) -> tuple[np.ndarray, float]:
    weights = [Weights.of(model.lstm, 0, reverse) for reverse in (False, True)]
    w = model.output.weight.detach().double().numpy()
    b = np.zeros(CLASSES) if model.output.bias is None else model.output.bias.detach().double().numpy()
    xs = model.embedding.weight.detach().double().numpy()[ids.numpy()]
    return arras2017.words(*weights, w, b, xs, target, EPSILON)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("precision", [torch.float64, torch.float32])
def test_it_is_the_published_relevance(seed: int, precision: torch.dtype) -> None:
    model, ids, lengths, targets = _sentences(seed)
    model = model.to(precision)
    composite = lrp.Composite(default=lrp.Epsilon(EPSILON))
    found = lrp.attribute(model, ids, lengths, target=targets, composite=composite, gates="all")
    for i, length in enumerate(lengths.tolist()):
        words, score = _expected(model, ids[i, :length], int(targets[i]))
        largest = np.abs(words).max()
        allowed = 1e-10 + 1e-9 * largest if precision == torch.float64 else 2e-3 * largest
        assert np.abs(found.tokens[i, :length].double().numpy() - words).max() <= allowed
        assert (found.tokens[i, length:] == 0).all()
        assert abs(float(found.score[i]) - score) <= (1e-10 if precision == torch.float64 else 1e-4)


def test_the_ledger_holds_all_that_the_paper_leaves_out() -> None:
    model, ids, lengths, targets = _sentences(1)
    composite = lrp.Composite(default=lrp.Epsilon(EPSILON))
    found = lrp.attribute(model.double(), ids, lengths, target=targets, composite=composite, gates="all")
    assert set(found.ledger) >= {"words", "bias", "stabiliser", "initial_state", "padding"}
    total = torch.stack(list(found.ledger.values())).sum(0)
    size = torch.stack(list(found.ledger.values())).abs().sum(0)
    assert ((total - found.score).abs() <= 1e-10 * size).all()
    assert (found.ledger["initial_state"] == 0).all()
    assert (found.ledger["padding"] == 0).all()
