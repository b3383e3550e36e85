"""The engine beside captum and zennit: agreement where these are right, and proof of where they are not."""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch

from tests.lrp.oracles.affine import Rule
from tests.lrp.oracles.compare import assert_close, engine_rule
from textlrp import lrp

Tensor = torch.Tensor
SIZE, HIDDEN, CLASSES, STABILISER = 6, 7, 3, 1e-6


class Numbers(torch.nn.Module):
    """A network of numbers, fed by an embedding of one dimension, so that each id stands for one number."""

    def __init__(self, values: Tensor, net: torch.nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding.from_pretrained(values.reshape(-1, 1))
        self.net, self.shape = net, shape

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        return self.net(self.embedding(ids).reshape(len(ids), *self.shape))


def _ours(net: torch.nn.Module, x: Tensor, targets: Tensor, composite: Any) -> np.ndarray:
    model = Numbers(x.reshape(-1), net, tuple(x.shape[1:]))
    ids = torch.arange(x.numel()).reshape(len(x), -1)
    lengths = torch.full((len(x),), ids.shape[1])
    found = lrp.attribute(model, ids, lengths, target=targets, composite=composite)
    return found.tokens.reshape(x.shape).numpy()


def _dense(seed: int, *, bias: bool = True) -> tuple[torch.nn.Sequential, Tensor, Tensor]:
    torch.manual_seed(seed)
    net = torch.nn.Sequential(
        torch.nn.Linear(SIZE, HIDDEN, bias=bias), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, CLASSES, bias=bias)
    ).double()
    return net, torch.randn(4, SIZE).double(), torch.tensor([0, 1, 2, 0])


def _convolutional(seed: int, *, bias: bool = True) -> tuple[torch.nn.Sequential, Tensor, Tensor]:
    torch.manual_seed(seed)
    net = torch.nn.Sequential(
        torch.nn.Conv1d(2, HIDDEN, 3, padding=1, bias=bias),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(HIDDEN * SIZE, CLASSES, bias=bias),
    ).double()
    return net, torch.randn(4, 2, SIZE).double(), torch.tensor([0, 1, 2, 0])


# --- captum ------------------------------------------------------------------------------------------------------------------


def _captum(net: torch.nn.Module, x: Tensor, targets: Tensor, captum_rules: dict[str, Any]) -> np.ndarray:
    attr = pytest.importorskip("captum.attr")
    for name, module in net.named_children():
        if name in captum_rules:
            module.rule = captum_rules[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return attr.LRP(net).attribute(x.clone().requires_grad_(), target=targets).detach().numpy()


@pytest.mark.parametrize("seed", range(3))
def test_captum_agrees_on_the_epsilon_rule_in_a_dense_network(seed: int) -> None:
    captum_rules = pytest.importorskip("captum.attr._utils.lrp_rules")
    net, x, targets = _dense(seed)
    ours = _ours(net, x, targets, lrp.Composite(default=lrp.Epsilon(0.01)))
    theirs = _captum(net, x, targets, {"0": captum_rules.EpsilonRule(0.01), "2": captum_rules.EpsilonRule(0.01)})
    assert_close(ours, theirs, scale=np.abs(theirs).max())


@pytest.mark.parametrize("seed", range(3))
def test_captum_agrees_on_gamma_and_z_plus_where_inputs_are_positive(seed: int) -> None:
    captum_rules = pytest.importorskip("captum.attr._utils.lrp_rules")
    for ours_below, make in (
        (lrp.Gamma(0.25, epsilon=1e-9), lambda: captum_rules.GammaRule(0.25)),
        (lrp.ZPlus(epsilon=1e-9), captum_rules.Alpha1_Beta0_Rule),
    ):
        net, x, targets = _dense(seed, bias=False)
        x = x.abs()
        composite = lrp.Composite([("net.0", ours_below)], default=lrp.Epsilon(1e-9))
        ours = _ours(net, x, targets, composite)
        theirs = _captum(net, x, targets, {"0": make(), "2": captum_rules.EpsilonRule(1e-9)})
        assert_close(ours, theirs, scale=np.abs(theirs).max(), tolerance=1e-8)


def test_captum_agrees_on_a_convolution_written_in_two_dimensions() -> None:
    captum_rules = pytest.importorskip("captum.attr._utils.lrp_rules")
    net, x, targets = _convolutional(0)
    flat = torch.nn.Conv2d(2, HIDDEN, (1, 3), padding=(0, 1)).double()
    flat.weight.data, flat.bias.data = net[0].weight.data.unsqueeze(2), net[0].bias.data

    class Plane(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.bend, self.last = flat, torch.nn.ReLU(), net[3]

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.bend(self.first(x)).flatten(1))

    ours = _ours(net, x, targets, lrp.Composite(default=lrp.Epsilon(0.01)))
    rules = {"first": captum_rules.EpsilonRule(0.01), "last": captum_rules.EpsilonRule(0.01)}
    theirs = _captum(Plane(), x.unsqueeze(2), targets, rules)
    assert_close(ours, theirs.squeeze(2), scale=np.abs(theirs).max())


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (torch.nn.LSTM(3, 4, batch_first=True), torch.zeros(1, 2, 3)),
        (torch.nn.Embedding(5, 3), torch.zeros(1, 2, dtype=torch.int64)),
        (torch.nn.Conv1d(3, 4, 1), torch.zeros(1, 3, 2)),
    ],
    ids=["LSTM", "Embedding", "Conv1d"],
)
def test_captum_raises_on_the_layers_of_text_models(layer: torch.nn.Module, x: Tensor) -> None:
    attr = pytest.importorskip("captum.attr")
    with pytest.raises(TypeError, match="has no rule defined"):
        attr.LRP(torch.nn.Sequential(layer)).attribute(x, target=0)


def test_captum_loses_the_negative_contributions_of_signed_inputs_under_gamma() -> None:
    """A product of a negative input and a negative weight is evidence too; captum only looks at the weight."""
    captum_rules = pytest.importorskip("captum.attr._utils.lrp_rules")
    net = torch.nn.Sequential(torch.nn.Linear(2, 1, bias=False)).double()
    net[0].weight.data = torch.tensor([[-1.0, 1.0]], dtype=torch.float64)
    x, targets = torch.tensor([[-1.0, 1.0]], dtype=torch.float64), torch.tensor([0])
    theirs = _captum(net, x, targets, {"0": captum_rules.GammaRule(1.0)})
    ours = _ours(net, x, targets, lrp.Composite(default=lrp.Gamma(1.0, epsilon=0.0)))
    np.testing.assert_allclose(ours, [[1.0, 1.0]])  # both inputs contribute +1
    assert abs(theirs[0, 0] - theirs[0, 1]) > 0.5


# --- zennit ------------------------------------------------------------------------------------------------------------------


@contextmanager
def stand_ins() -> Iterator[None]:
    """Let zennit be imported, which imports torchvision's ResNet blocks by name: stand-ins will do."""
    names = [name for name in ("torchvision", "torchvision.models", "torchvision.models.resnet") if name not in sys.modules]
    for name in names:
        sys.modules[name] = types.ModuleType(name)
    resnet = sys.modules["torchvision.models.resnet"]
    for block in ("Bottleneck", "BasicBlock"):
        if not hasattr(resnet, block):
            setattr(resnet, block, type(block, (torch.nn.Module,), {}))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name in names:
            del sys.modules[name]


@pytest.fixture
def zennit() -> Iterator[Any]:
    with stand_ins():
        found = pytest.importorskip("zennit")
        pytest.importorskip("zennit.rules")
        yield found


def _zennit(zennit: Any, net: torch.nn.Module, x: Tensor, targets: Tensor, rules: dict[str, Any]) -> np.ndarray:
    names = [([name], rule) for name, rule in rules.items()]
    names.append((["1"], zennit.rules.Pass()))
    composite = zennit.composites.NameMapComposite(name_map=names)
    start = torch.nn.functional.one_hot(targets, CLASSES).double()
    with zennit.attribution.Gradient(model=net, composite=composite) as attributor, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, relevance = attributor(x.clone(), lambda output: output * start)
    return relevance.detach().numpy()


PAIRS = {
    "epsilon": (Rule("Epsilon", {"epsilon": 0.01}), lambda z: z.Epsilon(epsilon=0.01)),
    "gamma": (Rule("Gamma", {"gamma": 0.25, "epsilon": STABILISER}), lambda z: z.Gamma(gamma=0.25, stabilizer=STABILISER)),
    "alpha-beta": (
        Rule("AlphaBeta", {"alpha": 2.0, "beta": 1.0, "epsilon": STABILISER}),
        lambda z: z.AlphaBeta(alpha=2.0, beta=1.0, stabilizer=STABILISER),
    ),
    "z-plus": (Rule("ZPlus", {"epsilon": STABILISER}), lambda z: z.ZPlus(stabilizer=STABILISER)),
    "w-square": (Rule("WSquare", {"epsilon": STABILISER, "bias": "absorb"}), lambda z: z.WSquare(stabilizer=STABILISER)),
    "flat": (Rule("Flat", {"epsilon": STABILISER}), lambda z: z.Flat(stabilizer=STABILISER)),
    "z-box": (
        Rule("ZBox", {"low": -4.0, "high": 4.0, "epsilon": STABILISER}),
        lambda z: z.ZBox(low=-4.0, high=4.0, stabilizer=STABILISER),
    ),
}


@pytest.mark.parametrize("convolution", [False, True], ids=["dense", "convolution"])
@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("seed", range(2))
def test_zennit_agrees_on_every_rule(zennit: Any, name: str, convolution: bool, seed: int) -> None:
    net, x, targets = _convolutional(seed) if convolution else _dense(seed)
    rule, make = PAIRS[name]
    last = "3" if convolution else "2"
    composite = lrp.Composite([("net.0", engine_rule(rule))], default=lrp.Epsilon(0.01))
    ours = _ours(net, x, targets, composite)
    theirs = _zennit(zennit, net, x, targets, {"0": make(zennit.rules), last: zennit.rules.Epsilon(epsilon=0.01)})
    assert_close(ours, theirs, scale=np.abs(theirs).max())


def test_zennit_gives_the_plain_gradient_of_an_lstm_and_says_nothing(zennit: Any) -> None:
    class Last(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(3, 4, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.lstm(x)[0][:, -1]

    torch.manual_seed(0)
    model, x = Last().double(), torch.randn(2, 5, 3).double().requires_grad_()
    composite = zennit.composites.EpsilonPlusFlat()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with zennit.attribution.Gradient(model=model, composite=composite) as attributor:
            _, relevance = attributor(x, lambda output: output)
    output = model(x)
    (gradient,) = torch.autograd.grad(output, x, grad_outputs=output.detach())
    torch.testing.assert_close(relevance, gradient)
    assert not [warning for warning in said if "lstm" in str(warning.message).lower() or "rule" in str(warning.message).lower()]
    assert abs(float(relevance.detach().sum() - output.detach().sum())) > 0.01 * float(output.detach().abs().sum())
