"""Gated products written out by hand, and recurrent cells in loops, against the oracles and against the fused layers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.lrp import reads
from tests.lrp.oracles import affine, gates, gru, lstm, recurrent
from tests.lrp.oracles.affine import Rule
from tests.lrp.oracles.compare import Reader, assert_close, assert_closed, assert_ledger, explain
from tests.lrp.reads import Reads
from textlrp import lrp

Tensor = torch.Tensor
EPSILON = Rule("Epsilon", {"epsilon": 0.01})

# How a gate may be written: z -> gate; and what its pre-activation is.
GATES: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "sigmoid": (torch.sigmoid, 1.0),
    "module": (torch.nn.Sigmoid(), 1.0),
    "functional": (functional.sigmoid, 1.0),
    "method": (lambda z: z.sigmoid(), 1.0),
    "complement": (lambda z: 1 - torch.sigmoid(z), -1.0),
    "through views": (lambda z: torch.sigmoid(z.unsqueeze(1)).transpose(0, 1).squeeze(0).reshape(z.shape), 1.0),
}
ORDERS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "g * s": lambda g, s: g * s,
    "s * g": lambda g, s: s * g,
    "torch.mul": torch.mul,
    "s.mul(g)": lambda g, s: s.mul(g),
}


class Gated(torch.nn.Module):
    """gate(W_g x + b_g) * tanh(W_s x + b_s), or the signal without tanh."""

    def __init__(self, gate: Callable[[Tensor], Tensor], order: Callable[[Tensor, Tensor], Tensor], bent: bool) -> None:
        super().__init__()
        self.to_gate, self.to_signal = torch.nn.Linear(3, 4), torch.nn.Linear(3, 4)
        self.make, self.order, self.bent = gate, order, bent

    def forward(self, x: Tensor) -> Tensor:
        signal = self.to_signal(x)
        return self.order(self.make(self.to_gate(x)), torch.tanh(signal) if self.bent else signal)


def _sigmoid(z: float) -> float:
    return 1.0 / (1.0 + math.exp(-z))


def _check_product(gate: str, order: str, gate_rule: str, bent: bool) -> None:
    make, direction = GATES[gate]
    torch.manual_seed(0)
    inner = Gated(make, ORDERS[order], bent).double()
    ids, lengths = torch.tensor([[0, 1, 2], [3, 4, 5]]), torch.tensor([3, 3])
    model = Reader(torch.randn(6, 1).double(), inner, lambda inner, x, lengths: inner(x.squeeze(-1)), ids, lengths)
    found = explain(model, ids, lengths, EPSILON, gate_rule)
    w_g, b_g, w_s, b_s = (p.detach().numpy() for p in inner.parameters())
    for i in range(2):
        x = model.embedding.weight[ids[i], 0].numpy()
        z_g, z_s = w_g @ x + b_g, w_s @ x + b_s
        r_g, r_s, lost = np.zeros(4), np.zeros(4), dict.fromkeys(affine.KEYS, 0.0)
        for k in range(4):
            y = _sigmoid(direction * z_g[k]) * (math.tanh(z_s[k]) if bent else z_s[k])
            share = gates.product(gate_rule, direction * z_g[k], z_s[k], y * float(model.readout[k]), EPSILON.epsilon)
            r_g[k], r_s[k] = share.gate, share.signal
            affine.book(lost, share.lost)
        from_gate, lost_gate = affine.layer(EPSILON, x, w_g, b_g, r_g)
        from_signal, lost_signal = affine.layer(EPSILON, x, w_s, b_s, r_s)
        affine.book(lost, lost_gate)
        affine.book(lost, lost_signal)
        scale = np.abs(from_gate + from_signal).max()
        assert_close(found.tokens[i], from_gate + from_signal, scale=scale)
        assert_ledger(found.ledger, i, lost, scale=scale)
    assert_closed(found)


@pytest.mark.parametrize("gate_rule", gates.NAMES)
@pytest.mark.parametrize("gate", GATES)
def test_a_product_of_gate_and_signal(gate: str, gate_rule: str) -> None:
    _check_product(gate, "g * s", gate_rule, bent=True)


@pytest.mark.parametrize("gate_rule", gates.NAMES)
@pytest.mark.parametrize("order", ORDERS)
def test_the_order_of_the_factors_does_not_matter(order: str, gate_rule: str) -> None:
    _check_product("sigmoid", order, gate_rule, bent=False)


def test_an_unknown_gate_rule_is_named_with_the_nearest_right_one() -> None:
    inner = Gated(torch.sigmoid, torch.mul, True).double()
    ids, lengths = torch.tensor([[0, 1, 2]]), torch.tensor([3])
    model = Reader(torch.randn(3, 1).double(), inner, lambda inner, x, lengths: inner(x.squeeze(-1)), ids, lengths)
    with pytest.raises(Exception, match="half"):
        explain(model, ids, lengths, EPSILON, "halv")


def test_two_signals_need_an_explicit_rule() -> None:
    inner = Gated(torch.tanh, torch.mul, True).double()
    ids, lengths = torch.tensor([[0, 1, 2]]), torch.tensor([3])
    model = Reader(torch.randn(3, 1).double(), inner, lambda inner, x, lengths: inner(x.squeeze(-1)), ids, lengths)
    with pytest.raises(lrp.RelevanceError):
        explain(model, ids, lengths, EPSILON)


class Cells(torch.nn.Module):
    """A loop over a cell, in any of the ways people write one; the last hidden state."""

    def __init__(self, cell: torch.nn.RNNCellBase, step: Callable[..., tuple[Tensor, ...]]) -> None:
        super().__init__()
        self.cell, self.step = cell, step

    def forward(self, x: Tensor) -> Tensor:
        state: tuple[Tensor, ...] = (x.new_zeros(len(x), 4), x.new_zeros(len(x), 4))
        for t in range(x.shape[1]):
            state = self.step(self.cell, x[:, t], *state)
        return state[0]


def _lstm_call(cell: torch.nn.LSTMCell, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
    return cell(x, (h, c))


def _gru_call(cell: torch.nn.GRUCell, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
    return cell(x, h), c


def _lstm_by_hand(cell: torch.nn.LSTMCell, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
    a = functional.linear(x, cell.weight_ih, cell.bias_ih) + functional.linear(h, cell.weight_hh, cell.bias_hh)
    i, f, g, o = a.chunk(4, dim=1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def _gru_by_hand(cell: torch.nn.GRUCell, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
    from_x = functional.linear(x, cell.weight_ih, cell.bias_ih).chunk(3, dim=1)
    from_h = functional.linear(h, cell.weight_hh, cell.bias_hh).chunk(3, dim=1)
    r, z = torch.sigmoid(from_x[0] + from_h[0]), torch.sigmoid(from_x[1] + from_h[1])
    n = torch.tanh(from_x[2] + r * from_h[2])
    return (1 - z) * n + z * h, c


CELLS = {
    "LSTMCell": (torch.nn.LSTM, torch.nn.LSTMCell, lstm, _lstm_call),
    "GRUCell": (torch.nn.GRU, torch.nn.GRUCell, gru, _gru_call),
    "LSTM by hand": (torch.nn.LSTM, torch.nn.LSTMCell, lstm, _lstm_by_hand),
    "GRU by hand": (torch.nn.GRU, torch.nn.GRUCell, gru, _gru_by_hand),
}


@pytest.mark.parametrize("gate_rule", gates.NAMES)
@pytest.mark.parametrize("name", CELLS)
def test_a_cell_in_a_loop_is_the_layer(name: str, gate_rule: str) -> None:
    """By hand, x and h have a linear map each, so only without a stabiliser are they the joint map of the layer."""
    layer_type, cell_type, oracle, step = CELLS[name]
    rule = Rule("Zero") if "hand" in name else EPSILON
    torch.manual_seed(1)
    cell, layer = cell_type(3, 4).double(), layer_type(3, 4).double()
    for parameter, of_layer in zip(cell.parameters(), layer.parameters(), strict=True):
        parameter.data.normal_(0.0, 1.0)
        of_layer.data.copy_(parameter.data)
    ids, lengths = torch.tensor([[0, 1, 2, 3], [4, 5, 6, 0]]), torch.tensor([4, 4])
    model = Reader(torch.randn(7, 3).double(), Cells(cell, step), lambda inner, x, lengths: inner(x), ids, lengths)
    found = explain(model, ids, lengths, rule, gate_rule)
    for i in range(2):
        stack = recurrent.run(layer, oracle, model.embedding.weight[ids[i]].numpy())
        r = np.zeros((4, 4))
        r[-1] = stack.output[-1] * model.readout.numpy()
        expected = stack.relevance(r, rule=rule, gates=gate_rule)
        scale = np.abs(expected.x).max()
        assert_close(found.tokens[i], expected.x.sum(1), scale=scale)
        lost = {"initial_state": expected.h0.sum() + expected.c0.sum(), **expected.lost}
        assert_ledger(found.ledger, i, lost, scale=max(scale, *(abs(value) for value in lost.values())))
    assert_closed(found)


@pytest.mark.parametrize("name", lrp.GATES)
def test_a_gate_rule_says_whether_gate_and_signal_get_all(name: str) -> None:
    gate, g, s = lrp.GATES[name], torch.tensor([0.7, -1.2]).double(), torch.tensor([0.4, 2.0]).double()
    split = gate.split(g, s, 0.0)
    got = sum(torch.as_tensor(share).double() for share in (split.gate, split.signal) if share is not None)
    assert gate.conserves == bool(torch.allclose(torch.as_tensor(got), torch.ones(()).double()))


@pytest.mark.parametrize("gate_rule", lrp.GATES)
def test_ones_may_be_larger_than_the_gate_that_is_taken_from_them(gate_rule: str) -> None:
    def model(broadcast: bool) -> Callable[[Reads, Tensor], Tensor]:
        def forward(m: Reads, ids: Tensor) -> Tensor:
            h = m.fc(m.emb(ids))
            gate = h[:, :1].sigmoid()
            gate = gate if broadcast else gate.expand(h.shape)
            return m.head(((torch.ones(h.shape, dtype=h.dtype) - gate) * h).mean(1))

        return forward

    found, expected = (reads.explain(model(broadcast), reads.batch(), gates=gate_rule) for broadcast in (True, False))
    torch.testing.assert_close(found.tokens, expected.tokens)
    torch.testing.assert_close(found.residual, torch.zeros_like(found.residual))
