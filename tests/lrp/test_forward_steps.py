"""The forward pass step by step gives what torch.lstm gives, and the way back starts from the pre-activations it kept."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from textlrp import lrp
from textlrp.lrp import forward_steps
from textlrp.lrp.gates import GATES

RULES = [lrp.Epsilon(1e-2), lrp.Gamma(0.5, epsilon=1e-2), lrp.AlphaBeta(2.0, 1.0), lrp.WSquare()]


class Reader(nn.Module):
    """Embedding → LSTM of two levels and directions → its outputs and last states → linear layer."""

    def __init__(self, *, batch_first: bool, bias: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.batch_first = batch_first
        self.embedding = nn.Embedding(50, 8)
        self.lstm = nn.LSTM(8, 6, num_layers=2, bidirectional=True, batch_first=batch_first, bias=bias)
        self.output = nn.Linear(12, 3)
        self.eval()

    def forward(self, ids: Tensor) -> Tensor:  # [B,T] -> [B,C]
        x = self.embedding(ids)
        out, (h, c) = self.lstm(x if self.batch_first else x.transpose(0, 1))
        words = out.sum(1 if self.batch_first else 0)
        return self.output(words + torch.cat(list(h[-2:]), -1) + torch.cat(list(c[-2:]), -1))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("directions", [1, 2])
def test_a_walk_gives_what_the_kernel_gives_and_the_equations(directions: int, bias: bool) -> None:
    torch.manual_seed(1)
    lstm = nn.LSTM(5, 4, bidirectional=directions == 2, bias=bias).double()
    x, h, c = torch.randn(7, 3, 5).double(), torch.randn(directions, 3, 4).double(), torch.randn(directions, 3, 4).double()
    with torch.no_grad():
        weights = [each.detach() for each in lstm.parameters()]
        per = len(weights) // directions
        mine = [weights[d * per : (d + 1) * per] for d in range(directions)]
        out, h_n, c_n, worked = forward_steps.run(x, (h, c), mine)
        expected, (h_t, c_t) = lstm(x, (h, c))
        torch.testing.assert_close(out, expected)
        torch.testing.assert_close(h_n, h_t)
        torch.testing.assert_close(c_n, c_t)
        for d, (y, z, new, cells) in enumerate(worked):
            read, states = (x.flip(0), expected[..., 4:].flip(0)) if d else (x, expected[..., :4])
            before = torch.cat([h[d][None], states[:-1]])
            b = sum(mine[d][2:]) if bias else 0.0
            torch.testing.assert_close(y, read @ mine[d][0].t())
            torch.testing.assert_close(z, read @ mine[d][0].t() + before @ mine[d][1].t() + b)
            i, f, g, _ = z.chunk(4, -1)
            torch.testing.assert_close(new, i.sigmoid() * g.tanh())
            torch.testing.assert_close(cells, f.sigmoid() * torch.cat([c[d][None], cells[:-1]]) + new)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("gates", ["abs", "half"])  # under prop denominators all but vanish, and rounding is blown up
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_relevance_is_that_of_the_kernels_own_pass(
    rule: lrp.Rule, gates: str, batch_first: bool, bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, ids = Reader(batch_first=batch_first, bias=bias), torch.randint(50, (32, 9))
    composite, ran = lrp.Composite(default=rule), []
    run = forward_steps.run
    monkeypatch.setattr(forward_steps, "run", lambda *args: (ran.append(1), run(*args))[1])
    found = lrp.attribute(module, ids, target=1, composite=composite, gates=gates)
    assert len(ran) == 2
    monkeypatch.setattr(forward_steps, "worth", lambda *_: False)
    expected = lrp.attribute(module, ids, target=1, composite=composite, gates=gates)
    assert len(ran) == 2
    torch.testing.assert_close(found.output, expected.output, atol=1e-6, rtol=1e-5)
    assert (found.tokens - expected.tokens).abs().max() < 2e-3 * expected.tokens.abs().max()


@pytest.mark.parametrize("gates", GATES)
def test_steps_are_taken_only_where_gates_take_relevance(gates: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []
    run = forward_steps.run
    monkeypatch.setattr(forward_steps, "run", lambda *args: (ran.append(1), run(*args))[1])
    for texts in (2, 32):
        lrp.attribute(Reader(batch_first=True), torch.randint(50, (texts, 9)), target=1, gates=gates)
        assert len(ran) == (2 if GATES[gates].reaches_gates and texts == 32 else 0)
