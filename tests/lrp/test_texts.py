"""Which text an entry of the ledger belongs to: it is the one that the same text gets when it is explained alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence

from tests.lrp.reads import SIZE, UNITS, Forward, Reads, batch, check, explain


def pooled(m: Reads, x: torch.Tensor) -> torch.Tensor:
    return m.fc(x).mean(1)


def hidden(m: Reads, ids: torch.Tensor) -> torch.Tensor:
    return pooled(m, m.emb(ids))


def own(ids: torch.Tensor) -> torch.Tensor:
    """A constant of each text, [B, UNITS]: integers."""
    return ids.sum(1)[:, None] * torch.arange(-1, UNITS - 1)


LIKE: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "to": lambda h, constant: h + constant.to(h),
    "type_as": lambda h, constant: h + constant.type_as(h),
    "view_as": lambda h, constant: h + constant.double().view_as(h),
    "reshape_as": lambda h, constant: h + constant.double()[:, None].reshape_as(h),
    "expand_as": lambda h, constant: h * constant.double()[:, :1].expand_as(h),
    "mask": lambda h, constant: h * (constant > 0).to(h),
    "where": lambda h, constant: torch.where(constant > 0, h, torch.tensor(0.5).to(h)),
    "a signal, like another": lambda h, constant: h[:, None].reshape_as(2 * h).type_as(3 * h).to(4 * h) + h[:, :1].expand_as(h),
}


@pytest.mark.parametrize("name", LIKE)
def test_a_tensor_that_only_says_type_or_shape_is_no_source_of_relevance(name: str) -> None:
    check(lambda m, i: m.head(LIKE[name](hidden(m, i), own(i))), batch())


def _written(m: Reads, i: torch.Tensor, write: Callable[[torch.Tensor], object]) -> torch.Tensor:
    x = m.emb(i).clone()
    write(x)
    return pooled(m, x)


def _filled_row_by_row(m: Reads, i: torch.Tensor) -> torch.Tensor:
    found = m.emb.weight.new_zeros(len(i), UNITS)
    for place, x in enumerate(m.emb(i)):
        found[place].copy_(m.fc(x.mean(0)))
    return found


def _added(m: Reads, i: torch.Tensor) -> torch.Tensor:
    rows, text = m.emb(i).flatten(0, 1).relu(), torch.arange(len(i)).repeat_interleave(i.shape[1])
    return m.fc(m.emb.weight.new_zeros(len(i), SIZE).index_put_((text,), rows, accumulate=True))


def _added_elsewhere(m: Reads, i: torch.Tensor) -> torch.Tensor:
    rows, text = m.emb(i).flatten(0, 1), torch.arange(len(i)).repeat_interleave(i.shape[1])
    return m.fc(m.emb.weight.new_zeros(len(i), SIZE).index_put((text,), rows, accumulate=True))


def _members(i: torch.Tensor) -> torch.Tensor:
    """Which of the words of the batch a text has, and which of them count: [B, B · T]."""
    return torch.block_diag(*(i % 2 == 0).double()) * 0.5


def _without_the_second(m: Reads, i: torch.Tensor) -> torch.Tensor:
    kept = i.sum(1) != int(batch()[1].sum())
    found = m.emb.weight.new_zeros(len(i), UNITS)
    found[kept] = m.fc(m.emb(i)[kept].mean(1))
    return found


HIDDEN: dict[str, Forward] = {
    "bmm with a constant": lambda m, i: m.fc(torch.bmm(m.emb.weight.new_full((len(i), 1, 7), 1 / 7), m.emb(i))[:, 0]),
    "matmul with a constant": lambda m, i: m.fc((m.emb.weight.new_ones(1, 7) @ m.emb(i))[:, 0]),
    "einsum with a constant": lambda m, i: m.fc(torch.einsum("bt,bte->be", (i > 3).double(), m.emb(i))),
    "a matrix of members": lambda m, i: m.fc(_members(i) @ m.emb(i).flatten(0, 1)),
    "a matrix of members from the right": lambda m, i: m.fc((m.emb(i).flatten(0, 1).T @ _members(i).T).T),
    "a mask written": lambda m, i: _written(m, i, lambda x: x.__setitem__(i > 9, 0.0)),
    "a mask filled": lambda m, i: _written(m, i, lambda x: x.masked_fill_((i > 9)[..., None], 1.5)),
    "a number written": lambda m, i: _written(m, i, lambda x: x[:, 0].fill_(7.0)),
    "a number scattered": lambda m, i: pooled(m, m.emb(i).scatter(1, i[..., None].expand(-1, -1, SIZE) % 7, 1.0)),
    "padded along the first axis": lambda m, i: m.fc(functional.pad(m.emb(i).transpose(0, 1), (0, 0, 0, 0, 1, 1))).mean(0),
    "padded with a number": lambda m, i: m.fc(functional.pad(m.emb(i).transpose(0, 1), (0, 0, 0, 0, 0, 2), value=9.0)).mean(0),
    "stacked": lambda m, i: torch.stack([m.fc(x).mean(0) for x in m.emb(i)]),
    "stacked last": lambda m, i: torch.stack([m.fc(x).mean(0) for x in m.emb(i)], -1).T,
    "joined": lambda m, i: torch.cat([m.fc(x.mean(0))[None] for x in m.emb(i)]),
    "row by row": _filled_row_by_row,
    "a text left out": _without_the_second,
    "einsum that moves axes": lambda m, i: torch.einsum("bte,he->tbh", m.emb(i), m.fc.weight).mean(0),
    "a product from the left": lambda m, i: (m.fc.weight @ m.emb(i).mean(1).T).T,
    "linear of a scrambled batch": lambda m, i: m.fc(m.emb(i).view(7, -1, SIZE)).view(len(i), 7, UNITS).mean(1),
    "convolution of a scrambled batch": lambda m, i: (
        functional.conv1d(m.emb(i).view(7, -1, SIZE).transpose(1, 2), m.fc.weight[..., None], m.fc.bias)
        .transpose(1, 2)
        .reshape(len(i), 7, UNITS)
        .mean(1)
    ),
    "convolution of one text": lambda m, i: torch.stack([m.conv(x.T).mean(1) for x in m.emb(i)]),
    "mT": lambda m, i: m.fc(m.emb(i).mT.mean(2)),
    "T": lambda m, i: m.fc(m.emb(i).mean(1).T.T),
    "added at indices, in place": _added,
    "added at indices": _added_elsewhere,
}


@pytest.mark.parametrize("texts", [3, UNITS, SIZE, 7])
@pytest.mark.parametrize("name", HIDDEN)
def test_each_text_has_the_ledger_that_it_has_alone(name: str, texts: int) -> None:
    check(lambda m, i: m.head(HIDDEN[name](m, i)), batch(texts))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("lengths", [[7, 2, 5], None])
def test_a_layer_that_reads_constants_from_a_tracked_state(kind: type[nn.RNNBase], lengths: list[int] | None) -> None:
    decoder = kind(2, UNITS, batch_first=True).double()

    def forward(m: Reads, i: torch.Tensor) -> torch.Tensor:
        start = hidden(m, i)[None]
        constants = torch.sin(torch.arange(7 * 2, dtype=torch.float64)).view(1, 7, 2).expand(len(i), -1, -1)
        given: Any = (start, start) if kind is nn.LSTM else start
        if lengths is None or len(i) == 1:  # alone, no text is longer
            return m.head(decoder(constants[:, : int(i[0, -1])], given)[0][:, -1])
        packed = pack_padded_sequence(constants, i[:, -1:].sum(1), batch_first=True, enforce_sorted=False)
        end = decoder(packed, given)[1]
        return m.head((end[0] if kind is nn.LSTM else end)[-1])

    ids = batch()
    ids[:, -1] = torch.tensor(lengths or [7, 7, 7])
    found = explain(forward, ids)
    torch.testing.assert_close(found.residual, torch.zeros_like(found.residual))
    for place in range(len(ids)):
        alone = explain(forward, ids[place : place + 1])
        torch.testing.assert_close(found.tokens[place], alone.tokens[0])
        torch.testing.assert_close(found.ledger["bias"][place], alone.ledger["bias"][0])
