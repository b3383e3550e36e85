"""The engine leaves a model, the random numbers and the surroundings as it found them, and says clearly what it cannot do."""

from __future__ import annotations

import copy
import gc
import threading
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.lrp import zoo
from textlrp import lrp
from textlrp.errors import InputError, RelevanceError, TextLRPError
from textlrp.lrp.tape import Node, Tape, Var

NAMES = [
    "dense mean",
    "conv",
    "LSTM bi packed max",
    "GRU deep",
    "batch norm",
    "dropout",
    "attention",
    "transformer",
    "residual in place",
]


def state(module: nn.Module) -> dict[str, object]:
    """Everything that could be changed."""
    found: dict[str, object] = {key: value.clone() for key, value in module.state_dict().items()}
    for name, part in module.named_modules():
        hooks = [key for key in vars(part) if "hook" in key and vars(part)[key]]
        found[f"{name} attributes"] = (
            sorted(vars(part)),
            part.training,
            hooks,
            {key for key in vars(part) if callable(vars(part)[key])},
        )
    for name, parameter in module.named_parameters():
        found[f"{name} gradient"] = None if parameter.grad is None else parameter.grad.clone()
        found[f"{name} asks"] = parameter.requires_grad
    found["random"] = torch.get_rng_state()
    found["grad mode"] = torch.is_grad_enabled()
    found["hooks"] = len(torch.nn.modules.module._global_forward_hooks) + len(torch.nn.modules.module._global_forward_pre_hooks)
    return found


def assert_same(before: dict[str, object], after: dict[str, object]) -> None:
    assert before.keys() == after.keys()
    for key, value in before.items():
        assert torch.equal(value, after[key]) if isinstance(value, torch.Tensor) else value == after[key], key  # type: ignore[arg-type]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_the_model_is_left_as_it_was(name: str, training: bool) -> None:
    module = zoo.build(name, torch.float32).train(training)
    ids, lengths = zoo.batch()
    for parameter in list(module.parameters())[:2]:
        parameter.grad = torch.ones_like(parameter)
    given = ids.clone(), lengths.clone()
    before = state(module)
    lrp.attribute(module, ids, lengths, gates="abs")
    assert_same(before, state(module))
    assert torch.equal(ids, given[0])
    assert torch.equal(lengths, given[1])


@pytest.mark.parametrize("name", [name for name in NAMES if name != "dropout"])
def test_a_model_in_training_is_explained_as_in_evaluation(name: str) -> None:
    module, ids_lengths = zoo.build(name), zoo.batch()
    expected = lrp.attribute(module, *ids_lengths)
    found = lrp.attribute(module.train(), *ids_lengths)
    torch.testing.assert_close(found.tokens, expected.tokens)
    torch.testing.assert_close(found.score, expected.score)


def test_random_numbers_that_the_model_draws_are_given_back() -> None:
    module = zoo.build("dense mean")
    body = module.body
    module.body = lambda m, x, k, n: body(m, x + 0 * torch.rand(1) + torch.empty(1).uniform_() * 0, k, n)
    before = torch.get_rng_state()
    lrp.attribute(module, *zoo.batch())
    assert torch.equal(before, torch.get_rng_state())


def test_an_exception_leaves_nothing_behind() -> None:
    module = zoo.build("LSTM bi packed max", torch.float32)
    body = module.body

    def fails(m: nn.Module, x: torch.Tensor, k: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
        body(m, x, k, n)
        raise KeyError("on purpose")

    module.body = fails
    before = state(module)
    with pytest.raises(KeyError, match="on purpose"):
        lrp.attribute(module, *zoo.batch())
    module.body = lambda m, x, k, n: torch.logdet(x[:, :6, :6].float()).unsqueeze(1).expand(-1, 10)
    with pytest.raises(RelevanceError):
        lrp.attribute(module, *zoo.batch())
    module.body = fails
    assert_same(before, state(module))
    assert not torch.overrides._get_current_function_mode_stack()


@pytest.mark.parametrize("surroundings", [torch.no_grad, torch.enable_grad, torch.inference_mode])
@pytest.mark.parametrize("name", ["dense mean", "LSTM bi packed max", "GRU deep", "attention", "activation Sigmoid()"])
def test_it_works_whatever_the_gradient_mode(name: str, surroundings: Callable[[], object]) -> None:
    module, ids_lengths = zoo.build(name), zoo.batch()
    expected = lrp.attribute(module, *ids_lengths)
    with surroundings():  # type: ignore[attr-defined]
        found = lrp.attribute(module, *ids_lengths)
    torch.testing.assert_close(found.tokens, expected.tokens)
    assert not found.tokens.requires_grad


@pytest.mark.parametrize("name", ["dense mean", "LSTM bi packed max", "attention"])
def test_a_frozen_model_is_explained_alike(name: str) -> None:
    module, ids_lengths = zoo.build(name), zoo.batch()
    expected = lrp.attribute(module, *ids_lengths)
    found = lrp.attribute(copy.deepcopy(module).requires_grad_(False), *ids_lengths)
    torch.testing.assert_close(found.tokens, expected.tokens)


def test_threads_do_not_disturb_each_other() -> None:
    names = ["dense mean", "LSTM bi packed max", "conv", "GRU deep"]
    modules = {name: zoo.build(name) for name in names}
    rules = [lrp.Epsilon(1e-3), lrp.Gamma(0.25)]
    ids, lengths = zoo.batch()

    def explain(name: str, rule: lrp.Rule) -> torch.Tensor:
        return lrp.attribute(modules[name], ids, lengths, composite=lrp.Composite(default=rule)).tokens

    expected = {(name, rule): explain(name, rule) for name in names for rule in rules}
    wrong: list[object] = []

    def work(name: str, rule: lrp.Rule) -> None:
        try:
            for _ in range(5):
                if not torch.allclose(explain(name, rule), expected[name, rule], rtol=1e-9, atol=1e-12):
                    wrong.append((name, rule))
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["dense mean", "LSTM padded mean", "conv", "attention pooling"])
def test_half_precision_models_are_explained_in_single_precision(name: str, dtype: torch.dtype) -> None:
    ids, lengths = zoo.batch()
    expected = lrp.attribute(zoo.build(name, torch.float32), ids, lengths, target=0)
    found = lrp.attribute(zoo.build(name, dtype), ids, lengths, target=0)
    assert found.tokens.dtype == torch.float32
    assert (found.tokens - expected.tokens).abs().max() < 0.05 * expected.tokens.abs().max()


def test_a_scripted_model_is_refused() -> None:
    with pytest.warns(DeprecationWarning, match="jit"):
        scripted = torch.jit.script(nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(8, 2)))
    with pytest.raises(RelevanceError, match="scripted"):
        lrp.attribute(scripted, torch.tensor([[1, 2]]))


def _unknown(m: nn.Module, x: torch.Tensor, k: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
    return torch.erfinv(m.head[0](zoo.mean(x, k))[:, : zoo.SIZE].tanh() / 2)


def test_an_operation_without_a_rule_is_named_with_its_place_and_the_way_out() -> None:
    module = zoo.build("dense mean")
    module.body = _unknown
    with pytest.raises(RelevanceError, match=r"'erfinv' in Text .*operations=\{'erfinv'") as raised:
        lrp.attribute(module, *zoo.batch())
    assert isinstance(raised.value, TextLRPError)


@pytest.mark.parametrize("rule", ["pass", "gradient", "stop", lambda inputs, output, relevance: relevance])
def test_a_composite_may_give_the_missing_rule(rule: object) -> None:
    module = zoo.build("dense mean")
    module.body = _unknown
    a = lrp.attribute(module, *zoo.batch(), composite=lrp.Composite(operations={"erfinv": rule}))  # type: ignore[dict-item]
    assert (a.residual.abs() < 1e-10).all()
    assert bool((a.tokens == 0).all()) == (rule == "stop")


def test_an_operation_without_a_rule_does_no_harm_where_no_relevance_comes() -> None:
    module = zoo.build("dense mean")
    body = module.body

    def looks(m: nn.Module, x: torch.Tensor, k: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
        assert float(torch.linalg.norm(x.detach())) > 0
        return body(m, x, k & (x.norm(dim=-1) > 0), n)

    expected = lrp.attribute(module, *zoo.batch())
    module.body = looks
    torch.testing.assert_close(lrp.attribute(module, *zoo.batch()).tokens, expected.tokens)


def test_two_signals_multiplied_need_a_choice() -> None:
    module = zoo.build("dense mean")
    module.body = lambda m, x, k, n: m.head(zoo.mean(x * x.tanh(), k))
    with pytest.raises(RelevanceError, match="product='half'"):
        lrp.attribute(module, *zoo.batch())
    for product in ("half", "first", "second"):
        a = lrp.attribute(module, *zoo.batch(), composite=lrp.Composite(product=product))
        assert (a.residual.abs() < 1e-10).all()


class OneHot(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(zoo.WORDS, 2)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.out(functional.one_hot(ids, zoo.WORDS).float().mean(1))


class Hidden(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.e = nn.Embedding(9, 2)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.e.weight[int(row[0])] for row in ids])


@pytest.mark.parametrize(
    ("model", "says"), [(OneHot(), "one_hot|no embedding|embedding"), (Hidden(), "no embedding of the ids")]
)
def test_ids_that_by_pass_an_embedding_are_an_error(model: nn.Module, says: str) -> None:
    with pytest.raises(RelevanceError, match=says):
        lrp.attribute(model, torch.tensor([[1, 2], [3, 4]]))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"ids": [[1, 2]]}, "ids must be"),
        ({"module": "model"}, r"torch\.nn\.Module"),
        ({"lengths": torch.tensor([1, 2])}, "lengths must be"),
        ({"lengths": torch.tensor([1, 2, 3, 99])}, "between 0 and 9"),
        ({"gates": "al"}, "did you mean 'all'"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, object], says: str) -> None:
    ids, lengths = zoo.batch()
    given = {"module": zoo.build("dense mean"), "ids": ids, "lengths": lengths} | arguments
    with pytest.raises(InputError, match=says):
        lrp.attribute(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: lrp.Epsilon(-1.0), "epsilon must be"),
        (lambda: lrp.Epsilon("0.1"), "epsilon must be"),
        (lambda: lrp.Gamma(-0.1), "gamma must be"),
        (lambda: lrp.AlphaBeta(1.0, 1.0), "alpha − beta must be 1"),
        (lambda: lrp.ZBox(1.0, -1.0), "low must not be above high"),
        (lambda: lrp.Zero(bias="absrob"), "did you mean 'absorb'"),
        (lambda: lrp.Composite(lrp.Zero()), "default="),
        (lambda: lrp.Composite([lrp.Zero()]), "each entry"),
        (lambda: lrp.Composite(product="both"), "product must be"),
        (lambda: lrp.preset("gama"), "did you mean 'gamma'"),
    ],
)
def test_wrong_choices_are_named(make: Callable[[], object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        make()


@pytest.mark.parametrize("whole", [True, False])
def test_compiled_models_are_explained_as_they_were(whole: bool) -> None:
    module, ids_lengths = zoo.build("dense mean", torch.float32), zoo.batch()
    expected = lrp.attribute(module, *ids_lengths)
    if whole:
        module = torch.compile(module, backend="eager")
    else:
        module.head = torch.compile(module.head, backend="eager")
    torch.testing.assert_close(lrp.attribute(module, *ids_lengths).tokens, expected.tokens)


def test_an_empty_batch_is_explained() -> None:
    module = zoo.build("dense mean")
    a = lrp.attribute(module, torch.zeros(0, 5, dtype=torch.long), torch.zeros(0, dtype=torch.long), target=0)
    assert a.tokens.shape == (0, 5)
    assert a.score.shape == (0,)


@pytest.mark.parametrize("name", ["conv", "LSTM bi packed max", "GRU deep", "residual in place"])
@pytest.mark.parametrize("layers", [False, True])
def test_an_explanation_leaves_nothing_to_the_garbage_collector(name: str, layers: bool) -> None:
    module, ids_lengths = zoo.build(name), zoo.batch()
    gc.collect()
    gc.disable()
    try:
        lrp.attribute(module, *ids_lengths, target=0, layers=layers)
        left = [each for each in gc.get_objects() if issubclass(type(each), (Var, Node, Tape))]
    finally:
        gc.enable()
    assert not left
