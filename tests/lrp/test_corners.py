"""What models do at the edges: autocast, training mode, in-place activations, settings by element, empty batches…"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from textlrp import lrp
from textlrp.errors import InputError, RelevanceError, UnknownNameError
from textlrp.lrp.targets import start

IN_PLACE = "ReLU LeakyReLU SiLU ELU SELU CELU Mish Hardtanh ReLU6 Hardswish Hardsigmoid RReLU Dropout AlphaDropout"
ZERO = lrp.Composite(default=lrp.Zero())
IDS = torch.randint(1, 20, (3, 7), generator=torch.Generator().manual_seed(0))


class Model(nn.Module):
    """Embedding, linear layer, whatever a test wants, linear layer."""

    def __init__(self, function: Callable[[Any, Tensor], Tensor], part: nn.Module | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.layer, self.head = nn.Embedding(20, 6), nn.Linear(6, 5), nn.Linear(5, 3)
        self.function, self.part = function, part

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.function(self, self.layer(self.embedding(ids)).mean(1)))


class Reader(nn.Module):
    """Embedding, a recurrent or an attention layer, the mean over the words, linear layer."""

    def __init__(self, kind: type[nn.Module], size: int = 8, **options: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.attends = kind is nn.MultiheadAttention
        self.embedding, self.head = nn.Embedding(20, size), nn.Linear(size * (1 + ("bidirectional" in options)), 2)
        self.reader = kind(size, 2 if self.attends else size, batch_first=True, **options)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids)
        return self.head((self.reader(x, x, x) if self.attends else self.reader(x))[0].mean(1))


def tokens(function: Callable[[Any, Tensor], Tensor], part: nn.Module | None = None) -> Tensor:
    found = lrp.attribute(Model(function, part), IDS, target=0, composite=ZERO)
    torch.testing.assert_close(found.residual, torch.zeros(3), atol=1e-5, rtol=0)
    return found.tokens


def test_under_autocast_an_lstm_is_explained_as_it_runs_there_whatever_ran_before() -> None:
    model, ids = Reader(nn.LSTM, 32), torch.randint(0, 20, (4, 70))
    before = lrp.attribute(model, ids, target=0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed, output = lrp.attribute(model, ids, target=0), model(ids)
    assert torch.equal(mixed.output, output.detach())
    torch.testing.assert_close(mixed.tokens, before.tokens, atol=0.1 * float(before.tokens.abs().max()), rtol=0)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_relevance_is_computed_in_full_precision_under_autocast(kind: type[nn.Module]) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = lrp.attribute(Reader(kind, 32), torch.randint(0, 20, (40, 12)), target=0, gates="abs", composite=ZERO)
    assert found.tokens.dtype == torch.float32
    assert bool(found.tokens.isfinite().all())


class Trained(nn.Module):
    """What reads no words is in training mode as well: its numbers must be those of evaluation, and stay as they are."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.bag = nn.Embedding(20, 6, max_norm=0.5), nn.EmbeddingBag(20, 6, max_norm=0.4, mode="sum")
        self.norm, self.reader, self.head = nn.BatchNorm1d(6), nn.LSTM(6, 6, 2, dropout=0.5, batch_first=True), nn.Linear(6, 2)
        with torch.no_grad():
            self.embedding.weight.mul_(3)

    def forward(self, ids: Tensor, features: Tensor) -> Tensor:
        known = self.norm(features) + self.reader(features[:, None].expand(-1, 5, -1))[0].mean(1)
        return self.head(self.embedding(ids).mean(1) + self.bag(ids) + known)


def test_a_model_in_training_mode_is_explained_as_in_evaluation_and_left_as_it_was() -> None:
    model, features = Trained().train(), 3 * torch.randn(3, 6)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found, again = (lrp.attribute(model, IDS, target=0, arguments={"features": features}) for _ in range(2))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(found.output, again.output)
    with torch.no_grad():
        torch.testing.assert_close(found.output, copy.deepcopy(model).eval()(IDS, features))
    torch.testing.assert_close(found.residual, torch.zeros(3), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "kind",
    [getattr(nn, name) for name in IN_PLACE.split()],
)
def test_an_activation_in_place_is_the_same_as_out_of_place(kind: Any) -> None:
    found, expected = (tokens(lambda self, h: self.part(h), kind(inplace=inplace).train()) for inplace in (True, False))
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("inside", "outside"),
    [(functional.elu_, functional.elu), (torch.selu_, torch.selu), (lambda h: torch.dropout_(h, 0.5, True), lambda h: h)],
)
def test_a_function_that_writes_in_place_is_its_twin(inside: Any, outside: Any) -> None:
    def statement(self: Any, h: Tensor) -> Tensor:
        inside(h)
        return h

    assert torch.equal(tokens(statement), tokens(lambda self, h: outside(h)))


HALVES = torch.full((5,), 0.5)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda self, h: torch.clamp(h, max=HALVES / 5), lambda self, h: torch.clamp(h, max=0.1)),
        (lambda self, h: h ** (HALVES * 4), lambda self, h: h**2),
        (lambda self, h: functional.prelu(h, HALVES), lambda self, h: torch.where(h > 0, h, h / 2)),
        (lambda self, h: torch.addmm(input=HALVES, mat1=h, mat2=torch.eye(5)), lambda self, h: h + HALVES),
        (lambda self, h: HALVES.addmm(h, mat2=torch.eye(5), beta=2), lambda self, h: h + 1.0),
    ],
    ids=["clamp", "power", "prelu", "addmm named", "addmm of a tensor"],
)
def test_settings_may_be_tensors_and_arguments_named(one: Any, other: Any) -> None:
    torch.testing.assert_close(tokens(one), tokens(other))


def test_a_quotient_that_is_rounded_is_not_taken_for_a_multiple() -> None:
    with pytest.raises(RelevanceError, match="'div'"):
        tokens(lambda self, h: torch.div(h, 0.1, rounding_mode="floor"))


@pytest.mark.parametrize("gates", ["all", "half"])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN, nn.MultiheadAttention])
def test_an_empty_batch_has_an_empty_explanation(kind: type[nn.Module], gates: str) -> None:
    found = lrp.attribute(Reader(kind), torch.zeros(0, 5, dtype=torch.long), target=0, gates=gates)
    assert (found.tokens.shape, found.score.shape, found.residual.shape) == ((0, 5), (0,), (0,))


@pytest.mark.parametrize("scale", [1.0, 1e-2, 1e-4])
@pytest.mark.parametrize("texts", [31, 32])
def test_the_score_is_the_models_own_however_faint_the_states(texts: int, scale: float) -> None:
    model, ids = Reader(nn.LSTM, 32, bidirectional=True, bias=False), torch.randint(0, 20, (texts, 12))
    model.head.bias.data.zero_()
    model.embedding.weight.data.mul_(scale)
    found = lrp.attribute(model, ids, target=0, gates="half")
    wide = lrp.attribute(copy.deepcopy(model).double(), ids, target=0, gates="half")
    torch.testing.assert_close(found.score.double(), wide.score, atol=3e-6 * float(wide.score.abs().max()), rtol=0)


@pytest.mark.parametrize("gates", ["half", "prop", "abs"])
def test_gates_that_are_closed_but_for_subnormal_numbers_give_no_nan(gates: str) -> None:
    model = Reader(nn.LSTM)
    with torch.no_grad():
        model.reader.bias_ih_l0[:8] = -86.0
    assert bool(lrp.attribute(model, IDS, target=0, gates=gates, composite=ZERO).tokens.isfinite().all())


def test_two_threads_with_compiled_models_leave_torchs_stance_as_it_was() -> None:
    from torch._dynamo import eval_frame

    before, inside = eval_frame._stance.stance, threading.Event()
    gates = [threading.Event(), threading.Event()]

    def waiting(gate: threading.Event) -> Callable[[Any, Tensor], Tensor]:
        def wait(self: Any, h: Tensor) -> Tensor:
            inside.set()
            gate.wait(5)
            return h

        return wait

    models = [Model(waiting(gate), torch.compile(nn.Identity(), backend="eager")) for gate in gates]
    threads = [threading.Thread(target=lrp.attribute, args=(model, IDS), kwargs={"target": 0}) for model in models]
    threads[0].start()
    inside.wait(5)
    threads[1].start()
    threads[1].join(0.3)  # long enough to come in, if nothing held it up
    for gate, thread in zip(gates, threads, strict=True):
        gate.set()
        thread.join(20)
    assert eval_frame._stance.stance == before


def test_a_class_may_be_an_integer_of_numpy() -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0]])
    assert torch.equal(start(np.int64(1), logits).score, start(1, logits).score)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_relevance_may_be_given_with_or_without_the_axis_of_the_one_output(shape: tuple[int, ...]) -> None:
    for logits in (torch.zeros(3), torch.zeros(3, 1)):
        found = start(lrp.Relevance(torch.arange(3.0).view(shape)), logits)
        assert found.r is not None
        assert (found.r.shape, found.r.flatten().tolist()) == (logits.shape, [0.0, 1.0, 2.0])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: start(None, torch.zeros(2, 3)),  # type: ignore[arg-type]
        lambda: start("d", torch.zeros(2, 3), ["a", "b", "c", "d"]),
        lambda: lrp.attribute(Model(lambda self, h: h), IDS, composite="epsilon"),  # type: ignore[arg-type]
        lambda: lrp.Gamma("large"),  # type: ignore[arg-type]
        lambda: lrp.AlphaBeta("2", "1"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_is_told_by_an_error_of_the_project(wrong: Callable[[], object]) -> None:
    with pytest.raises((InputError, UnknownNameError)):
        wrong()
