"""Products of many rows: the same numbers whichever library works them out, and nothing that could not be used afterwards."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from textlrp import lrp
from textlrp.lrp import affine as module
from textlrp.lrp.affine import add_affine, affine, many

SHAPES = [(300, 128, 64), (512, 100, 384), (40, 16, 8)]  # the last is left to torch


def made(rows: int, width: int, out: int, *, layout: str) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    x, weight = torch.randn(rows, width), torch.randn(out, width)
    if layout == "turned":
        weight = torch.randn(width, out).t()
    elif layout == "cut":  # out of wider rows, as gates and maps are
        x, weight = torch.randn(rows, width + 5)[:, 2:-3], torch.randn(out, width + 3)[:, :-3]
    elif layout == "cut and turned":
        weight = torch.randn(width, out + 3)[:, 1:-2].t()
    return x, weight


@pytest.mark.parametrize("layout", ["plain", "turned", "cut", "cut and turned"])
@pytest.mark.parametrize("shape", SHAPES)
def test_x_w_t_and_what_is_added_are_right_however_they_lie_in_memory(shape: tuple[int, int, int], layout: str) -> None:
    x, weight = made(*shape, layout=layout)
    bias, each = torch.randn(len(weight)), torch.randn(len(x), len(weight))
    exact = x.double() @ weight.double().t()
    for found, expected in (
        (affine(x, weight), exact),
        (affine(x, weight, bias), exact + bias.double()),
        (affine(x, weight, each), exact + each.double()),
        (
            affine(x.view(2, -1, x.shape[1]) if x.is_contiguous() else x[None], weight, bias).flatten(0, 1),
            exact + bias.double(),
        ),
    ):
        torch.testing.assert_close(found.double(), expected, atol=1e-4, rtol=1e-5)
    total = each.clone()
    add_affine(total, x, weight)
    torch.testing.assert_close(total.double(), exact + each.double(), atol=1e-4, rtol=1e-5)


def test_what_was_added_is_left_as_it_was() -> None:
    x, weight = made(*SHAPES[0], layout="plain")
    each = torch.ones(len(x), len(weight))
    affine(x, weight, each)
    assert bool((each == 1).all())


def test_weights_with_gaps_between_their_rows_never_reach_onednn_which_would_take_a_thousand_times_as_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = []

    def watched(x: Tensor, weight: Tensor, *rest: object) -> Tensor:
        given.append(weight.is_contiguous() or weight.t().is_contiguous())
        return x @ weight.t()

    monkeypatch.setattr(module, "_onednn", lambda: watched)
    for layout in ("plain", "turned", "cut", "cut and turned"):
        affine(*made(*SHAPES[0], layout=layout))
    assert given == 4 * [True]


def test_whatever_the_number_of_rows_few_numbers_of_them_reach_onednn_which_makes_a_kernel_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = set()

    def watched(x: Tensor, weight: Tensor, *rest: object) -> Tensor:
        counts.add(len(x))
        return x @ weight.t()

    monkeypatch.setattr(module, "_onednn", lambda: watched)
    x, weight = made(4000, 128, 32, layout="plain")
    for rows in range(256, 4000, 13):
        found = affine(x[:rows], weight)
        assert found.shape == (rows, 32)
        torch.testing.assert_close(found, x[:rows] @ weight.t())
    assert len(counts) <= 17  # four in each octave


@pytest.mark.parametrize("broken", [TypeError, RuntimeError, None])
def test_a_function_of_another_torch_that_is_not_as_expected_is_left_alone(
    broken: type[Exception] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(*given: object) -> Tensor:
        if broken is not None:
            raise broken("another signature")
        return torch.zeros(2, 4)

    monkeypatch.setattr(module.torch.ops.mkldnn, "_linear_pointwise", other)
    assert module._onednn.__wrapped__() is None


def test_only_large_products_of_single_precision_on_the_processor_go_to_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight = made(*SHAPES[0], layout="plain")
    monkeypatch.setattr(module, "_onednn", lambda: torch.nn.functional.linear)
    assert many(x, weight)
    assert not many(x.double(), weight.double())
    assert not many(x.to("meta"), weight.to("meta"))
    assert not many(x[:8], weight)
    assert not many(x, weight[:8])
    monkeypatch.setattr(module, "_onednn", lambda: None)
    assert not many(x, weight)


class Reader(nn.Module):
    """Embedding → LSTM or GRU of two directions → maximum over the words → linear layer."""

    def __init__(self, kind: type[nn.LSTM] | type[nn.GRU]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.cells = nn.Embedding(50, 32), kind(32, 48, bidirectional=True, batch_first=True)
        self.output = nn.Linear(96, 2)
        self.eval()

    def forward(self, ids: Tensor) -> Tensor:  # [B,T] -> [B,2]
        return self.output(self.cells(self.embedding(ids))[0].amax(1))


@pytest.mark.parametrize("layers", [False, True])
@pytest.mark.parametrize("gates", ["all", "abs", "half", "zero"])
@pytest.mark.parametrize("rule", [lrp.Epsilon(1e-3), lrp.Gamma(0.5), lrp.AlphaBeta(2.0, 1.0)], ids=str)
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_without_onednn_relevance_is_the_same_and_none_of_it_is_an_inference_tensor(
    kind: type[nn.LSTM] | type[nn.GRU], rule: lrp.Rule, gates: str, layers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = torch.randint(50, (32, 40), generator=torch.Generator().manual_seed(1))
    network, options = Reader(kind), {"composite": lrp.Composite(default=rule), "gates": gates, "layers": layers}
    found = lrp.attribute(network, ids, target=1, steps=layers, **options)
    monkeypatch.setattr(module, "_onednn", lambda: None)
    other = lrp.attribute(network, ids, target=1, steps=layers, **options)
    largest = float(other.tokens.abs().max())
    torch.testing.assert_close(found.tokens, other.tokens, atol=2e-3 * largest, rtol=0.0)
    parts = [found.tokens, found.score, found.output, *found.ledger.values()]
    for layer in found.layers.values():
        parts += [part for part in vars(layer).values() if isinstance(part, Tensor)]
    assert not any(part.is_inference() for part in parts)
