"""The tables of operations: every name in them is a function of torch, stands in one table, and does what its table says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from tests.lrp import zoo
from textlrp import lrp
from textlrp.lrp import tables
from textlrp.lrp.mode import OPERATIONS

PLACES = (torch.nn.functional, torch, torch.Tensor, torch._C._nn, torch._VF)


def function(name: str) -> Callable[..., torch.Tensor]:
    for place in PLACES:
        found = getattr(place, name, None)
        if found is not None:
            return found
    raise AssertionError(f"torch has no function {name!r}")


EVERY = sorted(
    tables.COPIES | tables.SUMS | tables.SELECTIONS | tables.POINTWISE | tables.IDENTITIES | tables.CONSTANTS | tables.WRITES
)
ONLY_HERE = {"rdiv", "rsub"}


@pytest.mark.parametrize(
    "name", sorted({*EVERY, *OPERATIONS, *tables.RANDOM, *tables.ELEMENTWISE, *tables.FACTORIES, *tables.LIKE, *tables.LOOKUPS})
)
def test_every_name_is_a_function_of_torch(name: str) -> None:
    if name not in {"alias", "rms_norm", "new_tensor", *ONLY_HERE}:
        function(name)


def test_no_operation_stands_in_two_tables() -> None:
    groups = [tables.COPIES, tables.SELECTIONS, tables.POINTWISE, tables.IDENTITIES, tables.CONSTANTS, tables.WRITES]
    for i, one in enumerate(groups):
        for two in groups[i + 1 :]:
            assert not one & two
    assert not tables.COPIES & tables.SUMS
    assert {"add", "sub", "rsub"} == tables.SUMS & set(OPERATIONS)


def test_aliases_lead_to_names_that_are_known() -> None:
    known = set(EVERY) | set(OPERATIONS) | tables.SUMS | {name for name in dir(torch.Tensor) if name.endswith("_")} | ONLY_HERE
    assert set(tables.ALIASES.values()) <= known


class Applies(nn.Module):
    def __init__(self, apply: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.apply_it = apply

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.apply_it(x)
        if y.dim() == 1:
            y = y.unsqueeze(-1)
        return y.flatten(1)


def explain(apply: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> lrp.Attribution:
    return lrp.attribute(
        Applies(apply),
        x,
        target=lambda logits: torch.linspace(0.5, 1.5, logits[0].numel(), dtype=logits.dtype).expand(logits.shape),
    )


ARGUMENTS = {
    "threshold": (0.1, 0.0),
    "prelu": (torch.tensor(0.2, dtype=torch.float64),),
    "pow": (3,),
    "clamp": (-0.5, 0.8),
    "clamp_min": (-0.5,),
    "clamp_max": (0.5,),
}


@pytest.mark.parametrize("name", sorted(tables.POINTWISE))
def test_relevance_passes_pointwise_functions_but_for_their_value_at_0(name: str) -> None:
    x = torch.linspace(-0.9, 0.9, 12, dtype=torch.float64).reshape(3, 4)
    if name in ("sqrt", "pow"):
        x = x.abs()
    arguments = ARGUMENTS.get(name, ())
    apply = function(name)
    a = explain(lambda v: apply(v, *arguments), x)
    weights = torch.linspace(0.5, 1.5, 4, dtype=torch.float64)
    at_0 = apply(torch.zeros(1, dtype=torch.float64), *arguments)
    if name == "rrelu":
        apply = lambda v: torch.nn.functional.rrelu(v, training=False)  # noqa: E731
    torch.testing.assert_close(a.tokens, (apply(x, *arguments) - at_0) * weights)
    torch.testing.assert_close(a.ledger["bias"], (at_0 * weights).sum().expand(3))


@pytest.mark.parametrize("name", sorted(tables.POINTWISE - {"sqrt", "pow", "abs", "square"}))
def test_at_0_the_quotient_is_the_slope(name: str) -> None:
    """So that the carry of x = 0 still reaches what cancelled to 0."""
    module = nn.Sequential(nn.Linear(2, 1, bias=False)).double()
    module[0].weight.data = torch.tensor([[1.0, -1.0]], dtype=torch.float64)
    x = torch.tensor([[0.3, 0.3]], dtype=torch.float64)
    apply, arguments = function(name), ARGUMENTS.get(name, ())

    class After(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, v: torch.Tensor) -> torch.Tensor:
            return apply(self.inner(v), *arguments)

    a = lrp.attribute(After(), x, target=0, composite=lrp.Composite(default=lrp.Zero()))
    zero = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(apply(zero, *arguments).sum(), zero)
    if name not in ("relu", "rrelu"):  # a ReLU's slope at 0 is 0, as torch has it; rrelu's is random
        torch.testing.assert_close(a.tokens, torch.tensor([[0.3, -0.3]], dtype=torch.float64) * slope)


MOVES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "slice": lambda x: x[:, 1:, ::2],
    "select": lambda x: x[:, -1],
    "none": lambda x: x[:, None],
    "boolean": lambda x: x[:, torch.tensor([True, False, True])],
    "fancy": lambda x: x[:, torch.tensor([0, 0, 2])],
    "permute": lambda x: x.permute(0, 2, 1),
    "T": lambda x: x[:, 0].T.T,
    "mT": lambda x: x.mT,
    "transpose": lambda x: x.transpose(-1, 1),
    "reshape": lambda x: x.reshape(len(x), -1),
    "view": lambda x: x.contiguous().view(len(x), 12),
    "flatten": lambda x: torch.flatten(x, 1),
    "unflatten": lambda x: x.unflatten(2, (2, 2)),
    "squeeze": lambda x: x.unsqueeze(1).squeeze(1),
    "expand": lambda x: x.unsqueeze(1).expand(-1, 3, -1, -1),
    "repeat": lambda x: x.repeat(1, 2, 1),
    "cat": lambda x: torch.cat([x, 2 * x, x[:, :1]], 1),
    "cat constant": lambda x: torch.cat([x, torch.ones_like(x)], 2),
    "stack": lambda x: torch.stack([x, x * 3], 1),
    "split": lambda x: x.split(2, 2)[1] + x.split(2, 2)[0],
    "chunk": lambda x: x.chunk(2, -1)[0],
    "unbind": lambda x: x.unbind(1)[2],
    "flip": lambda x: x.flip(1),
    "fliplr": lambda x: x.fliplr(),
    "roll": lambda x: x.roll(1, 2),
    "pad": lambda x: torch.nn.functional.pad(x, (1, 2)),
    "pad with 3": lambda x: torch.nn.functional.pad(x, (1, 2), value=3.0),
    "gather": lambda x: x.gather(2, torch.zeros(3, 3, 2, dtype=torch.long)),
    "index_select": lambda x: x.index_select(1, torch.tensor([2, 0])),
    "where": lambda x: torch.where(x > 0, x, 0.5),
    "where two": lambda x: torch.where(x > 0, x, 2 * x),
    "masked_fill": lambda x: x.masked_fill(x < 0, 0.25),
    "sum": lambda x: x.sum(1),
    "sum all but texts": lambda x: x.sum((1, 2)),
    "mean": lambda x: x.mean(dim=-1, keepdim=True),
    "cumsum": lambda x: x.cumsum(1),
    "amax": lambda x: x.amax(1),
    "max": lambda x: x.max(2).values,
    "max tuple": lambda x: x.max(dim=1)[0],
    "min": lambda x: x.min(1).values,
    "topk": lambda x: x.topk(2, -1).values,
    "sort": lambda x: x.sort(1).values,
    "maximum": lambda x: torch.maximum(x, -x),
    "max_pool1d": lambda x: torch.nn.functional.max_pool1d(x, 2, 1),
    "adaptive_max_pool1d": lambda x: torch.nn.functional.adaptive_max_pool1d(x, 2),
    "avg_pool1d": lambda x: torch.nn.functional.avg_pool1d(x, 2),
    "adaptive_avg_pool1d": lambda x: torch.nn.functional.adaptive_avg_pool1d(x, 2),
    "add": lambda x: x + 2 * x[:, :1],
    "add constant": lambda x: x + 1.5,
    "add scaled": lambda x: torch.add(x, x.flip(1), alpha=3),
    "subtract": lambda x: 1 - x,
    "negative": lambda x: -x,
    "multiply": lambda x: 3 * x * torch.arange(4.0),
    "divide": lambda x: x / 7,
    "divide by norm": lambda x: x / x.norm(dim=-1, keepdim=True),
    "einsum of one": lambda x: torch.einsum("btc->bc", x),
    "matmul with a constant": lambda x: torch.ones(2, 3, dtype=x.dtype) @ x,
    "index_add": lambda x: torch.zeros(len(x), 2, 4, dtype=x.dtype).index_add(1, torch.tensor([0, 1, 1]), x),
    "to and back": lambda x: x.to(torch.float64).double(),
    "detach": lambda x: x.detach(),
    "lerp": lambda x: x * 0.3 + x.roll(1, 1) * 0.7,
}


@pytest.mark.parametrize("name", MOVES)
def test_structural_operations_carry_as_the_gradient_and_book_constants(name: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 3, 4, dtype=torch.float64)
    if name == "divide by norm":
        a = explain(MOVES[name], x)
        torch.testing.assert_close(a.ledger["words"], a.score)
        return
    a = explain(MOVES[name], x)
    weights = torch.linspace(0.5, 1.5, a.output[0].numel(), dtype=torch.float64)
    given = x.clone().requires_grad_()
    score = (Applies(MOVES[name])(given) * weights).sum()
    if name == "detach":
        torch.testing.assert_close(a.ledger["words"], a.score)
        return
    (gradient,) = torch.autograd.grad(score, given)
    torch.testing.assert_close(a.tokens, (gradient * x))
    torch.testing.assert_close(a.residual, torch.zeros(3, dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(a.ledger["bias"], a.score - (gradient * x).flatten(1).sum(1))


def test_relevance_that_is_no_multiple_of_the_activation_moves_along() -> None:
    """Under flat, an input of exactly 0 takes its part, through views, padding and ReLU."""
    torch.manual_seed(0)
    linear = nn.Linear(8, 1, bias=False).double()

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = linear

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(torch.cat([x.relu().flip(1), torch.ones_like(x)], 1))

    x = torch.tensor([[0.0, -1.0, 2.0, 3.0]], dtype=torch.float64)
    a = lrp.attribute(Model(), x, target=0, composite=lrp.Composite(default=lrp.Flat()))
    torch.testing.assert_close(a.tokens, (a.score / 8).expand(1, 4))
    torch.testing.assert_close(a.ledger["bias"], a.score / 2)


@pytest.mark.parametrize("empty", [[0], [3, 0, 2], [0, 0]])
@pytest.mark.parametrize("name", ["dense max of none", "dense mean of none"])
def test_an_empty_text_is_explained_by_biases_alone(name: str, empty: list[int]) -> None:
    def pool(m: nn.Module, x: torch.Tensor, k: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
        if "max" in name:
            return m.head(x.masked_fill(~k[..., None], float("-inf")).amax(1).masked_fill((n == 0)[:, None], 0.0))
        return m.head((x * k[..., None]).sum(1) / n.clamp(min=1)[:, None])

    module = zoo.build("dense mean")
    module.body = pool
    lengths = torch.tensor(empty)
    ids = torch.ones(len(empty), 3, dtype=torch.long)
    a = lrp.attribute(module, ids, lengths)
    assert (a.tokens[lengths == 0] == 0).all()
    assert (a.residual.abs() < 1e-10).all()
    torch.testing.assert_close((a.ledger["bias"] + a.ledger["stabiliser"])[lengths == 0], a.score[lengths == 0])
