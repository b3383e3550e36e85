"""Pooling, bags, normalisation, activations and attention against their literal oracles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from tests.lrp.oracles import affine, gates, pooling
from tests.lrp.oracles.affine import Rule
from tests.lrp.oracles.attention import Attention, softmax, softmax_relevance
from tests.lrp.oracles.compare import Reader, assert_close, assert_closed, assert_ledger, explain

Tensor = torch.Tensor
EPSILON = Rule("Epsilon", {"epsilon": 0.01})
WORDS, SIZE, TIME = 8, 4, 5


def _reader(seed: int, inner: torch.nn.Module, run: Callable[..., Tensor], size: int = SIZE) -> tuple[Reader, Tensor, Tensor]:
    torch.manual_seed(seed)
    for parameter in inner.parameters():
        parameter.data.normal_(0.0, 1.0)
    ids, lengths = torch.randint(0, WORDS, (3, TIME)), torch.tensor([5, 2, 3])
    ids[0] = torch.randperm(WORDS)[:TIME]
    return Reader(torch.randn(WORDS, size).double(), inner.double().eval(), run, ids, lengths), ids, lengths


def _mean(inner: Any, x: Tensor, lengths: Tensor) -> Tensor:
    mask = (torch.arange(TIME) < lengths[:, None]).to(x.dtype)
    return (x * mask[:, :, None]).sum(1) / lengths[:, None]


def _maximum(inner: Any, x: Tensor, lengths: Tensor) -> Tensor:
    mask = torch.arange(TIME) < lengths[:, None]
    return x.masked_fill(~mask[:, :, None], -1e30).amax(1)


def _last(inner: Any, x: Tensor, lengths: Tensor) -> Tensor:
    return x.gather(1, (lengths - 1)[:, None, None].expand(-1, 1, x.shape[2])).squeeze(1)


def _last_index(inner: Any, x: Tensor, lengths: Tensor) -> Tensor:
    return x[torch.arange(len(x)), lengths - 1]


POOLS = {
    "mean": (_mean, pooling.mean),
    "max": (_maximum, pooling.maximum),
    "last by gather": (_last, lambda x, r: np.concatenate([np.zeros((len(x) - 1, len(r))), r[None]])),
    "last by index": (_last_index, lambda x, r: np.concatenate([np.zeros((len(x) - 1, len(r))), r[None]])),
}


@pytest.mark.parametrize("name", POOLS)
@settings(max_examples=10)
@given(seed=st.integers(0, 2**16))
def test_pooling(name: str, seed: int) -> None:
    run, oracle = POOLS[name]
    model, ids, lengths = _reader(seed, torch.nn.Identity(), run)
    found = explain(model, ids, lengths, EPSILON)
    for i, length in enumerate(lengths.tolist()):
        x = model.embedding.weight[ids[i, :length]].numpy()
        y = {"mean": x.mean(0), "max": x.max(0)}.get(name, x[-1])
        if name == "max" and len(set(ids[i, :length].tolist())) < length:
            continue  # equal words tie: the winner is autograd's choice
        expected = oracle(x, y * model.readout.numpy()).sum(1)
        assert_close(found.tokens[i, :length], expected, scale=np.abs(expected).max())
        assert (found.tokens[i, length:] == 0).all()
    assert_closed(found)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_embedding_bag(mode: str) -> None:
    class Bag(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bag = torch.nn.EmbeddingBag(WORDS, SIZE, mode=mode)

        def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
            return (self.bag(ids) * readout).sum(1, keepdim=True)

    torch.manual_seed(0)
    readout, model = torch.randn(SIZE).double(), Bag().double()
    ids, lengths = torch.tensor([[0, 1, 2, 3, 4], [5, 6, 7, 0, 1]]), torch.tensor([5, 5])
    found = explain(model, ids, lengths, EPSILON)
    for i in range(2):
        vectors = model.bag.weight.detach()[ids[i]].numpy()
        y = {"sum": vectors.sum(0), "mean": vectors.mean(0), "max": vectors.max(0)}[mode]
        expected = pooling.bag(vectors, mode, y * readout.numpy())
        assert_close(found.tokens[i], expected, scale=np.abs(expected).max())
    assert_closed(found)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**16))
def test_layer_norm(seed: int) -> None:
    norm = torch.nn.LayerNorm(SIZE)
    model, ids, lengths = _reader(seed, norm, lambda inner, x, lengths: inner(x))
    found = explain(model, ids, lengths, EPSILON)
    w, b = norm.weight.detach().numpy(), norm.bias.detach().numpy()
    for i, length in enumerate(lengths.tolist()):
        words, to_bias = np.zeros(TIME), 0.0
        for t in range(TIME):
            x = model.embedding.weight[ids[i, t]].numpy()
            y = w * (x - x.mean()) / np.sqrt(x.var() + norm.eps) + b
            relevance, kept = pooling.layer_norm(x, w, b, norm.eps, y * model.readout[t].numpy())
            words[t], to_bias = relevance.sum(), to_bias + kept
        scale = np.abs(words).max()
        assert_close(found.tokens[i, :length], words[:length], scale=scale)
        assert_ledger(found.ledger, i, {"bias": to_bias, "padding": words[length:].sum()}, scale=scale)
    assert_closed(found)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**16))
def test_batch_norm(seed: int) -> None:
    norm = torch.nn.BatchNorm1d(SIZE)
    torch.manual_seed(seed)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2.0)
    model, ids, lengths = _reader(seed, norm, lambda inner, x, lengths: inner(x.transpose(1, 2)).transpose(1, 2))
    found = explain(model, ids, lengths, EPSILON)
    w, b, m, v = (p.detach().numpy() for p in (norm.weight, norm.bias, norm.running_mean, norm.running_var))
    for i, length in enumerate(lengths.tolist()):
        words, to_bias = np.zeros(TIME), 0.0
        for t in range(TIME):
            x = model.embedding.weight[ids[i, t]].numpy()
            y = w * (x - m) / np.sqrt(v + norm.eps) + b
            relevance, kept = pooling.batch_norm(x, w, b, m, v, norm.eps, y * model.readout[t].numpy())
            words[t], to_bias = relevance.sum(), to_bias + kept
        scale = np.abs(words).max()
        assert_close(found.tokens[i, :length], words[:length], scale=scale)
        assert_ledger(found.ledger, i, {"bias": to_bias}, scale=scale)
    assert_closed(found)


ACTIVATIONS = {
    "relu": torch.nn.ReLU(),
    "leaky relu": torch.nn.LeakyReLU(0.1),
    "elu": torch.nn.ELU(),
    "gelu": torch.nn.GELU(),
    "silu": torch.nn.SiLU(),
    "tanh": torch.nn.Tanh(),
    "sigmoid": torch.nn.Sigmoid(),
    "softplus": torch.nn.Softplus(),
    "dropout": torch.nn.Dropout(0.5),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
@settings(max_examples=5)
@given(seed=st.integers(0, 2**16))
def test_activation(name: str, seed: int) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(SIZE, 3), ACTIVATIONS[name])
    model, ids, lengths = _reader(seed, net, lambda inner, x, lengths: inner(x))
    found = explain(model, ids, lengths, EPSILON)
    w, b = net[0].weight.detach().numpy(), net[0].bias.detach().numpy()
    at_zero = float(ACTIVATIONS[name].eval()(torch.zeros((), dtype=torch.float64)))
    for i, length in enumerate(lengths.tolist()):
        words, lost = np.zeros(TIME), dict.fromkeys(affine.KEYS, 0.0)
        for t in range(TIME):
            x = model.embedding.weight[ids[i, t]].numpy()
            z = w @ x + b
            y = ACTIVATIONS[name](torch.from_numpy(z)).numpy()
            r_z = np.zeros(3)
            for k in range(3):
                r = y[k] * float(model.readout[t, k])
                r_z[k], kept = pooling.offset_activation(z[k], y[k], at_zero, r) if y[k] != 0.0 else (0.0, 0.0)
                lost["bias"] += kept
            relevance, absorbed = affine.layer(EPSILON, x, w, b, r_z)
            affine.book(lost, absorbed)
            words[t] = relevance.sum()
        scale = max(np.abs(words).max(), np.abs(list(lost.values())).max())
        assert_close(found.tokens[i, :length], words[:length], scale=scale)
        assert_ledger(found.ledger, i, lost, scale=scale)
    assert_closed(found)


def test_residual_connection_and_concatenation() -> None:
    linear = torch.nn.Linear(SIZE, SIZE)
    model, ids, lengths = _reader(0, linear, lambda inner, x, lengths: torch.cat([x + inner(x), x], dim=2))
    found = explain(model, ids, lengths, EPSILON)
    w, b = linear.weight.detach().numpy(), linear.bias.detach().numpy()
    x = model.embedding.weight[ids[0]].numpy()
    for t in range(TIME):
        readout = model.readout[t].numpy()
        z = w @ x[t] + b
        through, _ = affine.layer(EPSILON, x[t], w, b, z * readout[:SIZE])
        expected = (through + x[t] * readout[:SIZE] + x[t] * readout[SIZE:]).sum()
        assert_close(found.tokens[0, t], expected, scale=abs(expected))
    assert_closed(found)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**16))
def test_softmax_of_a_signal(seed: int) -> None:
    model, ids, _ = _reader(seed, torch.nn.Identity(), lambda inner, x, lengths: torch.softmax(x.squeeze(-1), 1), size=1)
    found = explain(model, ids, torch.full((3,), TIME), EPSILON)
    for i in range(3):
        x = model.embedding.weight[ids[i], 0].numpy()
        expected, to_constant = softmax_relevance(x, softmax(x) * model.readout.numpy())
        scale = max(np.abs(expected).max(), abs(to_constant))
        assert_close(found.tokens[i], expected, scale=scale)
        assert_ledger(found.ledger, i, {"bias": to_constant}, scale=scale)
    assert_closed(found)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**16), heads=st.sampled_from([1, 2]))
def test_multi_head_attention_is_attn_lrp(seed: int, heads: int) -> None:
    layer = torch.nn.MultiheadAttention(SIZE, heads, batch_first=True)
    model, ids, lengths = _reader(seed, layer, lambda inner, x, lengths: inner(x, x, x, need_weights=bool(seed % 2))[0])
    found = explain(model, ids, lengths, EPSILON)
    parameters = [layer.in_proj_weight, layer.in_proj_bias, layer.out_proj.weight, layer.out_proj.bias]
    oracle = Attention(*(p.detach().numpy() for p in parameters), heads)
    for i, length in enumerate(lengths.tolist()):
        x = model.embedding.weight[ids[i]].numpy()
        expected, lost = oracle.relevance(x, oracle.forward(x)[0] * model.readout.numpy(), EPSILON)
        scale = max(np.abs(expected).max(), np.abs(list(lost.values())).max())
        assert_close(found.tokens[i, :length], expected.sum(1)[:length], scale=scale)
        assert_ledger(found.ledger, i, {**lost, "padding": expected.sum(1)[length:].sum()}, scale=scale)
    assert_closed(found)


@pytest.mark.parametrize("by_matmul", [False, True])
@pytest.mark.parametrize("gate_rule", gates.NAMES)
def test_attention_pooling(gate_rule: str, by_matmul: bool) -> None:
    """The weights are gates: their pre-activations are the scores, to which what they receive passes unchanged."""

    def run(inner: torch.nn.Module, x: Tensor, lengths: Tensor) -> Tensor:
        scores = inner(x).squeeze(-1).masked_fill(torch.arange(TIME) >= lengths[:, None], -torch.inf)
        weights = functional.softmax(scores, dim=1)
        return torch.bmm(weights.unsqueeze(1), x).squeeze(1) if by_matmul else (weights.unsqueeze(-1) * x).sum(1)

    scorer = torch.nn.Linear(SIZE, 1)
    model, ids, lengths = _reader(0, scorer, run)
    found = explain(model, ids, lengths, EPSILON, gate_rule)
    w, b = scorer.weight.detach().numpy(), scorer.bias.detach().numpy()
    for i, length in enumerate(lengths.tolist()):
        x = model.embedding.weight[ids[i, :length]].numpy()
        scores, expected, lost = x @ w[0] + b[0], np.zeros(length), dict.fromkeys(affine.KEYS, 0.0)
        for t, weight in enumerate(softmax(scores)):
            r_score = 0.0
            for k in range(SIZE):
                r = weight * x[t, k] * float(model.readout[k])
                share = gates.product(gate_rule, scores[t], x[t, k], r, EPSILON.epsilon)
                expected[t] += share.signal
                r_score += share.gate
                affine.book(lost, share.lost)
            through, absorbed = affine.layer(EPSILON, x[t], w, b, np.array([r_score]))
            expected[t] += through.sum()
            affine.book(lost, absorbed)
        scale = max(np.abs(expected).max(), np.abs(list(lost.values())).max())
        assert_close(found.tokens[i, :length], expected, scale=scale)
        assert_ledger(found.ledger, i, lost, scale=scale)
        assert (found.tokens[i, length:] == 0).all()
    assert_closed(found)
