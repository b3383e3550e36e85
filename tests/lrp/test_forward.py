"""Gates and cells that the forward kernel leaves are those of the equations; where not, they are worked out again."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from textlrp import lrp
from textlrp.lrp import forward


def literal(x: Tensor, h: Tensor, c: Tensor, weights: list[Tensor], *, reverse: bool) -> tuple[Tensor, list[Tensor]]:
    """h in the order of x, and i, f, g and c in reading order, step by step."""
    w, u, *biases = weights
    found, gates = [], []
    for now in reversed(x) if reverse else x:
        i, f, g, o = (now @ w.t() + h @ u.t() + sum(biases)).chunk(4, -1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        c = f * c + i * g
        h = o * c.tanh()
        found.append(h)
        gates.append((i, f, g, c))
    return torch.stack(found[::-1] if reverse else found), [torch.stack(each) for each in zip(*gates, strict=True)]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("has_biases", [False, True])
@pytest.mark.parametrize(
    ("steps", "texts", "width", "size"), [(1, 1, 3, 2), (5, 3, 7, 128), (6, 4, 10, 60), (9, 2, 5, 64), (4, 5, 300, 17)]
)
def test_the_gates_are_those_of_the_equations(
    steps: int, texts: int, width: int, size: int, has_biases: bool, reverse: bool
) -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(width, size, bias=has_biases)
    x, h, c = torch.randn(steps, texts, width), torch.randn(texts, size), torch.randn(texts, size)
    weights = [each.detach() for each in layer.parameters()]
    out, h_n, c_n, gates = forward.run(x, h, c, weights, reverse=reverse)
    expected, parts = literal(x, h, c, weights, reverse=reverse)
    assert gates is not None
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(h_n, expected[0 if reverse else -1], atol=1e-5, rtol=1e-4)
    for found, part in zip((*gates[:3], torch.cat([gates.c, c_n[None]])), parts, strict=True):
        torch.testing.assert_close(found, part, atol=1e-5, rtol=1e-4)


class Text(nn.Module):
    def __init__(self, *, packed: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.packed = packed
        self.embedding = nn.Embedding(20, 6)
        self.lstm = nn.LSTM(6, 8, bidirectional=True, batch_first=True)
        self.output = nn.Linear(16, 2)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        x = self.embedding(ids)
        if self.packed:
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            return self.output(nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0].sum(1))
        return self.output(self.lstm(x)[0].sum(1))


@pytest.mark.parametrize("where", ["gates", "cells"])
@pytest.mark.parametrize("packed", [False, True])
def test_what_lies_elsewhere_is_worked_out_again(packed: bool, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, ids, lengths = Text(packed=packed), torch.randint(20, (3, 7)), torch.tensor([7, 2, 5])
    expected = lrp.attribute(module, ids, lengths, target=1)
    kernel, seen = torch.mkldnn_rnn_layer, []

    def elsewhere(*args: object) -> tuple[Tensor, ...]:
        *rest, workspace = kernel(*args)
        seen.append(workspace)
        if workspace is None:
            return (*rest, None)
        numbers = workspace.view(-1).view(torch.float32).clone()
        half = numbers[:2048] if where == "gates" else numbers[2048:]  # the gates are in the first page
        half.copy_(half.flip(0))
        return (*rest, numbers)

    monkeypatch.setattr(torch, "mkldnn_rnn_layer", elsewhere)
    monkeypatch.setattr(forward, "_RIGHT", set())
    found = lrp.attribute(module, ids, lengths, target=1)
    assert any(each is not None for each in seen)
    torch.testing.assert_close(found.tokens, expected.tokens, atol=1e-5, rtol=1e-4)


def test_time_is_cut_into_stretches_that_follow_each_other() -> None:
    found = forward.stretches(1000, 32 * 256)
    assert [start for start, _ in found] == [0, *(stop for _, stop in found[:-1])]
    assert found[-1][1] == 1000
    assert len(found) > 1


def test_relevance_is_the_same_in_one_stretch_and_in_many(monkeypatch: pytest.MonkeyPatch) -> None:
    module, ids, lengths = Text(packed=False), torch.randint(20, (3, 50)), torch.full((3,), 50)
    whole = lrp.attribute(module, ids, lengths, target=1)
    monkeypatch.setattr(forward, "_BYTES", 1)
    cut = lrp.attribute(module, ids, lengths, target=1)
    torch.testing.assert_close(cut.output, whole.output, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(cut.tokens, whole.tokens, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(
    ("rule", "gates", "used"),
    [
        (lrp.Epsilon(), "all", True),
        (lrp.Gamma(), "all", True),
        (lrp.ZPlus(), "all", True),
        (lrp.ZPlus(), "zero", True),
        (lrp.Zero(), "half", False),
        (lrp.Epsilon(), "prop", False),
    ],
)
def test_gates_are_kept_only_where_they_take_no_relevance(
    rule: lrp.Rule, gates: str, used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    run = forward.run
    monkeypatch.setattr(forward, "run", lambda *args, keep=True, **rest: (asked.append(keep), run(*args, keep=keep, **rest))[1])
    ids, lengths = torch.randint(1, 20, (3, 5)), torch.full((3,), 5)
    lrp.attribute(Text(packed=True), ids, lengths, target=1, composite=lrp.Composite(default=rule), gates=gates)
    assert asked
    assert set(asked) == {used}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("rule", [lrp.Epsilon(1e-3), lrp.Epsilon(1e-6), lrp.Gamma(0.25), lrp.Gamma(3.0, epsilon=1e-3)], ids=str)
def test_relevance_from_the_kernels_gates_is_that_of_double_precision(rule: lrp.Rule, packed: bool) -> None:
    module, composite = Text(packed=packed), lrp.Composite(default=rule)
    ids, lengths = torch.randint(20, (3, 40)), torch.tensor([40, 9, 31])
    found = lrp.attribute(module, ids, lengths, target=1, composite=composite)
    expected = lrp.attribute(module.double(), ids, lengths, target=1, composite=composite)
    torch.testing.assert_close(found.tokens.double(), expected.tokens, atol=2e-5, rtol=2e-4)
    for entry, amount in expected.ledger.items():
        torch.testing.assert_close(found.ledger[entry].double(), amount, atol=2e-5, rtol=2e-4)
