"""Every rule on linear and convolutional layers against its literal oracle."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lrp.oracles import affine, conv
from tests.lrp.oracles.affine import Rule
from tests.lrp.oracles.compare import Reader, assert_close, assert_closed, assert_ledger, engine_rule, explain, rules
from textlrp import lrp

FLAVOURS = st.sampled_from(["signed", "positive", "sparse", "dead"])


def _vectors(random: np.random.Generator, count: int, size: int, flavour: str) -> torch.Tensor:
    vectors = random.normal(size=(count, size))
    if flavour == "positive":
        vectors = np.abs(vectors)
    elif flavour == "sparse":
        vectors *= random.random(vectors.shape) < 0.5
    elif flavour == "dead":
        vectors[0] = 0.0
    return torch.from_numpy(vectors)


def _fill(module: torch.nn.Module, random: np.random.Generator, flavour: str) -> None:
    for parameter in module.parameters():
        values = torch.from_numpy(random.normal(size=tuple(parameter.shape)))
        if parameter.ndim == 1 and flavour == "dead":
            values.zero_()
        parameter.data.copy_(values)


def _flat(inner: torch.nn.Module, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    return inner(x.squeeze(-1))  # each token is one input of the layer


@settings(max_examples=120)
@given(rule=rules(), n=st.integers(1, 6), m=st.integers(1, 5), seed=st.integers(0, 2**16), flavour=FLAVOURS)
def test_linear(rule: Rule, n: int, m: int, seed: int, flavour: str) -> None:
    random = np.random.default_rng(seed)
    linear = torch.nn.Linear(n, m, bias=seed % 4 != 0).double()
    _fill(linear, random, flavour)
    ids, lengths = torch.from_numpy(random.integers(0, 9, size=(3, n))), torch.full((3,), n)
    model = Reader(_vectors(random, 9, 1, flavour), linear, _flat, ids, lengths)
    found = explain(model, ids, lengths, rule)
    w, b = linear.weight.detach().numpy(), None if linear.bias is None else linear.bias.detach().numpy()
    for i in range(3):
        x = model.embedding.weight[ids[i], 0].numpy()
        r = (w @ x + (0.0 if b is None else b)) * model.readout.numpy()
        expected, lost = affine.layer(rule, x, w, b, r)
        scale = max(np.abs(expected).max(), np.abs(r).max())
        assert_close(found.tokens[i], expected, scale=scale)
        assert_ledger(found.ledger, i, lost, scale=scale)
    assert_closed(found)


@settings(max_examples=80)
@given(
    rule=rules(),
    length=st.integers(3, 6),
    shape=st.tuples(st.integers(1, 2), st.integers(1, 2), st.integers(1, 2), st.integers(1, 3)),
    options=st.fixed_dictionaries(
        {"stride": st.integers(1, 2), "padding": st.integers(0, 2), "dilation": st.integers(1, 2)},
    ),
    seed=st.integers(0, 2**16),
    flavour=FLAVOURS,
)
def test_convolution(
    rule: Rule, length: int, shape: tuple[int, int, int, int], options: dict[str, int], seed: int, flavour: str
) -> None:
    groups, into, out, taps = shape
    taps = 1 if options["dilation"] * (taps - 1) + 1 > length + 2 * options["padding"] else taps
    random = np.random.default_rng(seed)
    layer = torch.nn.Conv1d(into * groups, out * groups, taps, groups=groups, bias=seed % 4 != 0, **options).double()
    _fill(layer, random, flavour)
    ids, lengths = torch.from_numpy(random.integers(0, 7, size=(2, length))), torch.full((2,), length)
    vectors = _vectors(random, 7, into * groups, flavour)
    model = Reader(vectors, layer, lambda inner, x, lengths: inner(x.transpose(1, 2)), ids, lengths)
    found = explain(model, ids, lengths, rule)
    w = layer.weight.detach().numpy()
    b = None if layer.bias is None else layer.bias.detach().numpy()
    for i in range(2):
        x = model.embedding.weight[ids[i]].T.numpy()
        r = conv.forward(x, w, np.zeros(len(w)) if b is None else b, groups=groups, **options) * model.readout.numpy()
        expected, lost = conv.relevance(rule, x, w, b, r, groups=groups, **options)
        scale = max(np.abs(expected).max(), np.abs(r).max())
        assert_close(found.tokens[i], expected.sum(0), scale=scale)
        assert_ledger(found.ledger, i, lost, scale=scale)
    assert_closed(found)


@settings(max_examples=60)
@given(lower=rules(), upper=rules(box=False), seed=st.integers(0, 2**16))
def test_two_layers_with_a_rule_each(lower: Rule, upper: Rule, seed: int) -> None:
    random = np.random.default_rng(seed)
    first, second = torch.nn.Linear(4, 5).double(), torch.nn.Linear(5, 3).double()
    _fill(first, random, "signed")
    _fill(second, random, "signed")
    net = torch.nn.Sequential(first, torch.nn.ReLU() if seed % 2 else torch.nn.Tanh(), second)
    ids, lengths = torch.from_numpy(random.integers(0, 9, size=(2, 4))), torch.full((2,), 4)
    model = Reader(_vectors(random, 9, 1, "signed"), net, _flat, ids, lengths)
    composite = lrp.Composite([("inner.0", engine_rule(lower))], default=engine_rule(upper))
    found = lrp.attribute(model, ids, lengths, target=0, composite=composite)
    for i in range(2):
        x = model.embedding.weight[ids[i], 0].numpy()
        w1, b1, w2, b2 = (p.detach().numpy() for p in net.parameters())
        z = w1 @ x + b1
        hidden = np.maximum(z, 0.0) if seed % 2 else np.tanh(z)
        r = (w2 @ hidden + b2) * model.readout.numpy()
        r_hidden, lost_above = affine.layer(upper, hidden, w2, b2, r)
        expected, lost = affine.layer(lower, x, w1, b1, r_hidden)
        affine.book(lost, lost_above)
        scale = max(np.abs(expected).max(), np.abs(r_hidden).max(), np.abs(r).max())
        assert_close(found.tokens[i], expected, scale=scale)
        assert_ledger(found.ledger, i, lost, scale=scale)
    assert_closed(found)
