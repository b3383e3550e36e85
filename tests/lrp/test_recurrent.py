"""LSTM, GRU and RNN against their literal oracles: every rule, every gate rule, every way in which torch runs them."""

from __future__ import annotations

import copy
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tests.lrp.oracles import gates, gru, lstm, recurrent, rnn
from tests.lrp.oracles.affine import Rule
from tests.lrp.oracles.compare import Reader, assert_close, assert_closed, assert_ledger, engine_rule, explain, rules
from textlrp import lrp

KINDS = [(torch.nn.LSTM, lstm), (torch.nn.GRU, gru), (torch.nn.RNN, rnn)]
BATCH, TIME, WORDS = 3, 4, 7


class Recurrent(torch.nn.Module):
    """A recurrent module with constant initial states, packed or padded, read at every step and at its last states."""

    def __init__(self, module: torch.nn.RNNBase, h0: torch.Tensor | None, c0: torch.Tensor | None, packed: bool) -> None:
        super().__init__()
        self.module, self.packed = module, packed
        self.register_buffer("h0", h0)
        self.register_buffer("c0", c0)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        batch_first = self.module.batch_first
        x = x if batch_first else x.transpose(0, 1)
        states = None
        if self.h0 is not None:
            h0 = self.h0.unsqueeze(1).expand(-1, BATCH, -1).contiguous()
            states = (h0, self.c0.unsqueeze(1).expand(-1, BATCH, -1).contiguous()) if self.c0 is not None else h0
        if self.packed:
            x = pack_padded_sequence(x, lengths, batch_first=batch_first, enforce_sorted=False)
        output, last = self.module(x, states)
        if self.packed:
            output, _ = pad_packed_sequence(output, batch_first=batch_first, total_length=TIME)
        output = output if batch_first else output.transpose(0, 1)
        last = torch.cat(last, dim=2) if isinstance(last, tuple) else last
        return torch.cat([output.flatten(1), last.transpose(0, 1).flatten(1)], dim=1)


def _check(
    kind: tuple[type, ModuleType],
    rule: Rule,
    gate_rule: str,
    seed: int,
    *,
    layers: int,
    packed: bool,
    states: bool,
    **options: object,
) -> None:
    module_type, cell = kind
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    module = module_type(2, 3, num_layers=layers, **options).double()
    for parameter in module.parameters():
        parameter.data.normal_(0.0, 1.0)
    count, size = layers * (2 if module.bidirectional else 1), module.proj_size or 3
    h0 = torch.randn(count, size).double() if states else None
    c0 = torch.randn(count, 3).double() if states and cell is lstm else None
    lengths = torch.from_numpy(random.integers(1, TIME + 1, size=BATCH))
    lengths[0] = TIME
    ids = torch.from_numpy(random.integers(0, WORDS, size=(BATCH, TIME)))
    vectors = torch.from_numpy(random.normal(size=(WORDS, 2)))
    inner = Recurrent(module, h0, c0, packed)
    model = Reader(vectors, inner, lambda inner, x, lengths: inner(x, lengths), ids, lengths)
    found = explain(model, ids, lengths, rule, gate_rule)

    width = size * (2 if module.bidirectional else 1)
    for_steps, for_last = model.readout[: TIME * width].numpy(), model.readout[TIME * width :].numpy().reshape(count, -1)
    for i in range(BATCH):
        steps = int(lengths[i]) if packed else TIME
        xs = vectors[ids[i, :steps]].numpy()
        stack = recurrent.run(module, cell, xs, None if h0 is None else h0.numpy(), None if c0 is None else c0.numpy())
        r = stack.output * for_steps.reshape(TIME, width)[:steps]
        h_n, c_n = stack.states
        r_cn = c_n * for_last[:, size:] if cell is lstm else None
        expected = stack.relevance(r, h_n * for_last[:, :size], r_cn, rule=rule, gates=gate_rule)
        words = np.zeros(TIME)
        words[:steps] = expected.x.sum(1)
        length = int(lengths[i])
        scale = max(np.abs(expected.x).max(), np.abs(r).max(), np.abs(words).max())
        assert_close(found.tokens[i, :length], words[:length], scale=scale)
        assert (found.tokens[i, length:] == 0).all()
        lost = {"padding": words[length:].sum(), "initial_state": expected.h0.sum() + expected.c0.sum(), **expected.lost}
        assert_ledger(found.ledger, i, lost, scale=max(scale, *(abs(value) for value in lost.values())))
    assert_closed(found)


@settings(max_examples=120)
@given(
    kind=st.sampled_from(KINDS),
    rule=rules(box=False, zero=False, tiny=1e-3),
    gate_rule=st.sampled_from(gates.NAMES),
    seed=st.integers(0, 2**16),
    packed=st.booleans(),
    states=st.booleans(),
    options=st.fixed_dictionaries({"bidirectional": st.booleans(), "batch_first": st.booleans(), "bias": st.booleans()}),
)
def test_one_layer(
    kind: tuple[type, ModuleType], rule: Rule, gate_rule: str, seed: int, packed: bool, states: bool, options: dict[str, bool]
) -> None:
    _check(kind, rule, gate_rule, seed, layers=1, packed=packed, states=states, **options)


@settings(max_examples=60)
@given(
    gamma=st.sampled_from([None, 0.25, 3.0]),
    epsilon=st.sampled_from([1e-6, 1e-3, 0.25]),
    seed=st.integers(0, 2**16),
    layers=st.integers(1, 2),
    packed=st.booleans(),
    states=st.booleans(),
    options=st.fixed_dictionaries({"bidirectional": st.booleans(), "bias": st.booleans()}),
)
def test_lstm_that_walks_fast(
    gamma: float | None, epsilon: float, seed: int, layers: int, packed: bool, states: bool, options: dict[str, bool]
) -> None:
    """Rules that carry, biases absorbed, gates *all*: a way of their own through the LSTM."""
    given = {"epsilon": epsilon, "bias": "absorb"}
    rule = Rule("Epsilon", given) if gamma is None else Rule("Gamma", {"gamma": gamma, **given})
    _check(KINDS[0], rule, "all", seed, layers=layers, packed=packed, states=states, batch_first=True, **options)


@settings(max_examples=25)
@given(
    kind=st.sampled_from(KINDS),
    rule=rules(box=False, zero=False, tiny=1e-3),
    gate_rule=st.sampled_from(gates.NAMES),
    seed=st.integers(0, 2**16),
    packed=st.booleans(),
    bidirectional=st.booleans(),
)
def test_two_layers(
    kind: tuple[type, ModuleType], rule: Rule, gate_rule: str, seed: int, packed: bool, bidirectional: bool
) -> None:
    _check(kind, rule, gate_rule, seed, layers=2, packed=packed, states=True, bidirectional=bidirectional, batch_first=True)


@settings(max_examples=30)
@given(
    rule=rules(box=False, zero=False, tiny=1e-3),
    gate_rule=st.sampled_from(gates.NAMES),
    seed=st.integers(0, 2**16),
    layers=st.integers(1, 2),
    packed=st.booleans(),
    bidirectional=st.booleans(),
)
def test_projected_lstm(rule: Rule, gate_rule: str, seed: int, layers: int, packed: bool, bidirectional: bool) -> None:
    _check(KINDS[0], rule, gate_rule, seed, layers=layers, packed=packed, states=True, bidirectional=bidirectional, proj_size=2)


@pytest.mark.parametrize("gate_rule", gates.NAMES)
@pytest.mark.parametrize("kind", KINDS, ids=["lstm", "gru", "rnn"])
def test_lrp_0(kind: tuple[type, ModuleType], gate_rule: str) -> None:
    _check(kind, Rule("Zero"), gate_rule, 5, layers=2, packed=True, states=True, bidirectional=True)


def test_relu_network() -> None:
    _check(
        (torch.nn.RNN, rnn),
        Rule("Gamma", {"gamma": 0.5, "epsilon": 1e-3}),
        "all",
        3,
        layers=2,
        packed=True,
        states=True,
        nonlinearity="relu",
    )


@pytest.mark.slow
@settings(max_examples=1500)
@given(
    kind=st.sampled_from(KINDS),
    rule=rules(box=False, zero=False, tiny=1e-3),
    gate_rule=st.sampled_from(gates.NAMES),
    seed=st.integers(0, 2**20),
    layers=st.integers(1, 3),
    packed=st.booleans(),
    states=st.booleans(),
    options=st.fixed_dictionaries({"bidirectional": st.booleans(), "batch_first": st.booleans(), "bias": st.booleans()}),
)
def test_many(
    kind: tuple[type, ModuleType], rule: Rule, gate_rule: str, seed: int, layers: int, packed: bool, states: bool, options: dict
) -> None:
    _check(kind, rule, gate_rule, seed, layers=layers, packed=packed, states=states, **options)


@pytest.mark.parametrize("kind", KINDS, ids=["lstm", "gru", "rnn"])
def test_without_biases_and_stabilisers_the_words_carry_the_whole_score(kind: tuple[type, ModuleType]) -> None:
    torch.manual_seed(0)
    module = kind[0](5, 6, num_layers=2, bidirectional=True, bias=False, batch_first=True).double()
    ids, lengths = torch.randint(0, WORDS, (BATCH, TIME)), torch.tensor([4, 1, 3])
    inner = Recurrent(module, None, None, packed=True)
    model = Reader(torch.randn(WORDS, 5).double(), inner, lambda inner, x, lengths: inner(x, lengths), ids, lengths)
    found = explain(model, ids, lengths, Rule("Epsilon", {"epsilon": 1e-14}))
    torch.testing.assert_close(found.tokens.sum(1), found.score, rtol=1e-8, atol=1e-9)


class Halves(torch.nn.Module):
    """The first steps in one call, the rest in another that starts from the states of the first."""

    def __init__(self, module: torch.nn.RNNBase, at: int) -> None:
        super().__init__()
        self.module, self.at = module, at

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        first, states = self.module(x[:, : self.at])
        second, _ = self.module(x[:, self.at :], states)
        return torch.cat([first, second], dim=1)


@pytest.mark.parametrize("gate_rule", gates.NAMES)
@pytest.mark.parametrize("kind", KINDS, ids=["lstm", "gru", "rnn"])
def test_states_that_were_computed_pass_their_relevance_on(kind: tuple[type, ModuleType], gate_rule: str) -> None:
    torch.manual_seed(4)
    module = kind[0](3, 4, num_layers=2, batch_first=True).double()
    ids, lengths = torch.randint(0, WORDS, (BATCH, 5)), torch.full((BATCH,), 5)
    vectors, rule = torch.randn(WORDS, 3).double(), Rule("Epsilon", {"epsilon": 0.01})
    whole = Reader(vectors, module, lambda inner, x, lengths: inner(x)[0], ids, lengths)
    halves = Reader(vectors, Halves(module, 2), lambda inner, x, lengths: inner(x, lengths), ids, lengths)
    found, expected = explain(halves, ids, lengths, rule, gate_rule), explain(whole, ids, lengths, rule, gate_rule)
    torch.testing.assert_close(found.tokens, expected.tokens, rtol=1e-9, atol=1e-12)
    assert (found.ledger["initial_state"] == expected.ledger["initial_state"]).all()
    assert_closed(found)


@pytest.mark.parametrize("gate_rule", gates.NAMES)
@pytest.mark.parametrize("kind", KINDS[:2], ids=["lstm", "gru"])
@pytest.mark.parametrize("name", ["Epsilon", "Flat"])
def test_relevance_of_the_states_over_time(kind: tuple[type, ModuleType], gate_rule: str, name: str) -> None:
    torch.manual_seed(6)
    module_type, cell = kind
    rule = Rule(name, {"epsilon": 0.01})
    module = module_type(2, 3, batch_first=True).double()
    ids, lengths = torch.randint(0, WORDS, (BATCH, TIME)), torch.full((BATCH,), TIME)
    vectors = torch.randn(WORDS, 2).double()
    model = Reader(vectors, module, lambda inner, x, lengths: inner(x)[0][:, -1], ids, lengths)
    composite = lrp.Composite(default=engine_rule(rule))
    found = lrp.attribute(model, ids, lengths, target=0, composite=composite, gates=gate_rule, steps=True)
    layer = found.layers["inner"]
    for i in range(BATCH):
        stack = recurrent.run(module, cell, vectors[ids[i]].numpy())
        r = np.zeros((TIME, 3))
        r[-1] = stack.output[-1] * model.readout.numpy()
        stack.relevance(r, rule=rule, gates=gate_rule)
        hidden = np.array([stack.steps[0][0].r_h[t].sum() for t in range(TIME)])
        assert_close(layer.hidden[0, i], hidden, scale=np.abs(hidden).max())
        if cell is lstm:
            over_time = np.array([stack.steps[0][0].r_c[t].sum() for t in range(TIME)])
            assert_close(layer.cell[0, i], over_time, scale=np.abs(over_time).max())


@pytest.mark.parametrize("gate_rule", ["all", "half"])
@pytest.mark.parametrize("layer", [torch.nn.LSTM, torch.nn.GRU])
def test_states_over_time_of_a_layer_that_reads_two_lengths_are_those_of_two_layers(
    layer: type[torch.nn.RNNBase], gate_rule: str
) -> None:
    class Halves(torch.nn.Module):
        def __init__(self, *, shared: bool) -> None:
            super().__init__()
            torch.manual_seed(7)
            self.one = layer(3, 4, batch_first=True)
            self.two = self.one if shared else copy.deepcopy(self.one)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.one(x[:, :5])[0][:, -1] + self.two(x[:, 5:])[0][:, -1]

    x = torch.randn(BATCH, 7, 3).double()
    shared, apart = (
        lrp.attribute(Halves(shared=each).double(), x, target=0, gates=gate_rule, steps=True).layers for each in (True, False)
    )
    for state in ("hidden", "cell") if layer is torch.nn.LSTM else ("hidden",):
        one, two = (getattr(apart[name], state) for name in ("one", "two"))
        torch.testing.assert_close(getattr(shared["one"], state), torch.cat([one, functional.pad(two, (0, 3))]))


def test_every_layer_says_what_it_took_gave_and_kept() -> None:
    torch.manual_seed(0)
    module = torch.nn.LSTM(2, 3, num_layers=2, bidirectional=True, batch_first=True).double()
    ids, lengths = torch.randint(0, WORDS, (BATCH, TIME)), torch.tensor([4, 2, 1])
    inner = Recurrent(module, None, None, packed=True)
    model = Reader(torch.randn(WORDS, 2).double(), inner, lambda inner, x, lengths: inner(x, lengths), ids, lengths)
    for gate_rule in gates.NAMES:
        found = explain(model, ids, lengths, Rule("Epsilon", {"epsilon": 0.01}), gate_rule)
        layer = found.layers["inner.module"]
        lost = sum(value for key, value in found.ledger.items() if key not in ("words", "padding"))
        torch.testing.assert_close(layer.absorbed, lost)
        torch.testing.assert_close(layer.relevance_out, found.score)
        torch.testing.assert_close(layer.relevance_in, found.tokens.sum(1))
        torch.testing.assert_close(layer.relevance_out, layer.relevance_in + layer.absorbed)
        torch.testing.assert_close(found.ledger["words"], found.tokens.sum(1))


def test_z_box_is_refused_where_the_box_of_the_state_is_unknown() -> None:
    module = torch.nn.LSTM(2, 3, batch_first=True).double()
    ids, lengths = torch.randint(0, WORDS, (BATCH, TIME)), torch.full((BATCH,), TIME)
    inner = Recurrent(module, None, None, packed=False)
    model = Reader(torch.randn(WORDS, 2).double(), inner, lambda inner, x, lengths: inner(x, lengths), ids, lengths)
    with pytest.raises(lrp.RelevanceError, match=r"inner\.module"):
        explain(model, ids, lengths, Rule("ZBox", {"low": -1.0, "high": 1.0}))
