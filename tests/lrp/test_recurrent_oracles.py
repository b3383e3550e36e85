"""The referees themselves: their forward pass is torch's, they lose nothing in the dark, and two of them agree."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch

from tests.lrp.oracles import arras2017, gates, gru, lstm, recurrent, rnn
from tests.lrp.oracles.affine import Rule
from tests.lrp.oracles.recurrent import Weights

CELLS = [(torch.nn.LSTM, lstm, {}), (torch.nn.LSTM, lstm, {"proj_size": 2}), (torch.nn.GRU, gru, {}), (torch.nn.RNN, rnn, {})]
RULES = [
    Rule("Zero"),
    Rule("Epsilon", {"epsilon": 0.01}),
    Rule("Epsilon", {"epsilon": 0.01, "bias": "spread"}),
    Rule("Gamma", {"gamma": 0.25, "epsilon": 1e-6, "bias": "share"}),
    Rule("AlphaBeta", {"alpha": 2.0, "beta": 1.0, "epsilon": 1e-6}),
    Rule("ZPlus", {"epsilon": 1e-6}),
    Rule("WSquare", {"bias": "absorb"}),
    Rule("Flat"),
]


@pytest.mark.parametrize(("module_type", "cell", "options"), CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_forward_pass_is_that_of_torch(module_type: type, cell: ModuleType, options: dict, bidirectional: bool) -> None:
    torch.manual_seed(0)
    module = module_type(3, 4, num_layers=2, bidirectional=bidirectional, **options).double()
    count = 4 if bidirectional else 2
    xs, h0 = torch.randn(5, 3).double(), torch.randn(count, options.get("proj_size", 4)).double()
    c0 = torch.randn(count, 4).double()
    stack = recurrent.run(module, cell, xs.numpy(), h0.numpy(), c0.numpy())
    output, states = module(xs, (h0, c0) if cell is lstm else h0)
    np.testing.assert_allclose(stack.output, output.detach().numpy(), atol=1e-12)
    h_n = states[0] if cell is lstm else states
    np.testing.assert_allclose(stack.states[0], h_n.detach().numpy(), atol=1e-12)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.name}-{rule.bias}")
@pytest.mark.parametrize("gate_rule", gates.NAMES)
@pytest.mark.parametrize(("module_type", "cell", "options"), CELLS)
def test_words_states_and_losses_sum_to_the_relevance(
    module_type: type, cell: ModuleType, options: dict, rule: Rule, gate_rule: str
) -> None:
    torch.manual_seed(1)
    module = module_type(2, 3, num_layers=2, bidirectional=True, **options).double()
    random = np.random.default_rng(0)
    size = options.get("proj_size", 3)
    stack = recurrent.run(module, cell, random.normal(size=(3, 2)), random.normal(size=(4, size)), random.normal(size=(4, 3)))
    r, r_hn = random.normal(size=stack.output.shape), random.normal(size=stack.states[0].shape)
    r_cn = random.normal(size=stack.states[1].shape) if cell is lstm else None
    result = stack.relevance(r, r_hn, r_cn, rule=rule, gates=gate_rule)
    given = r.sum() + r_hn.sum() + (0.0 if r_cn is None else r_cn.sum())
    parts = [result.x, result.h0, result.c0, np.array(list(result.lost.values()))]
    scale = sum(np.abs(part).sum() for part in parts)
    assert abs(sum(part.sum() for part in parts) - given) < 1e-11 * scale


def test_the_lstm_by_arras_2017_is_the_general_one_with_epsilon() -> None:
    torch.manual_seed(2)
    module = torch.nn.LSTM(3, 4, bidirectional=True).double()
    random = np.random.default_rng(1)
    xs, out = random.normal(size=(6, 3)), random.normal(size=(2, 8))
    words, score = arras2017.words(Weights.of(module, 0, False), Weights.of(module, 0, True), out, np.zeros(2), xs, 1, 0.001)
    stack = recurrent.run(module, lstm, xs)
    last = np.concatenate([stack.output[-1, :4], stack.output[0, 4:]])
    r_last = out[1] * last / (score + 0.001 * np.sign(score)) * score
    r = np.zeros((6, 8))
    r[-1, :4], r[0, 4:] = r_last[:4], r_last[4:]
    general = stack.relevance(r, rule=Rule("Epsilon", {"epsilon": 0.001}))
    np.testing.assert_allclose(general.x.sum(1), words, atol=1e-12)
