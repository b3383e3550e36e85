"""Writes in place: what is explained is the function of the model, whatever shares memory with what was written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from textlrp import lrp
from textlrp.errors import RelevanceError

LINEAR = lrp.Composite(default=lrp.Zero())  # under which the relevance of a linear model is gradient × input
Body = Callable[[nn.Module, torch.Tensor], torch.Tensor]


class Model(nn.Module):
    """Vectors of ids, and what a test makes of them: [B, T, 6] → [B, 3]."""

    def __init__(self, body: Body, **state: Any) -> None:
        super().__init__()
        self.embedding, self.again, self.head, self.body = nn.Embedding(20, 6), nn.Linear(6, 6), nn.Linear(6, 3), body
        for name, value in state.items():
            self.register_buffer(name, value)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(self, self.embedding(ids)))


def check(body: Body) -> None:
    """Compare the relevance of each word with what a linear score loses without the word's vector."""
    torch.manual_seed(0)
    model, ids = Model(body).double(), torch.randint(1, 20, (3, 7))
    found = lrp.attribute(model, ids, target=0, composite=LINEAR)
    torch.testing.assert_close(found.tokens, torch.stack([without(model, ids) - without(model, ids, t) for t in range(7)], 1))
    assert (found.residual.abs() < 1e-12).all()


def without(model: nn.Module, ids: torch.Tensor, step: int | None = None) -> torch.Tensor:
    """Run a model with zeros in the place of one step's vectors."""

    def blank(_: nn.Module, given: Any, vectors: torch.Tensor) -> None:
        if step is not None:
            vectors[:, step] = 0.0

    with torch.no_grad(), model.embedding.register_forward_hook(blank):
        return model(ids)[:, 0]


def by_steps(change: Callable[[torch.Tensor, int], None]) -> Body:
    """Change vectors step by step from the second on, and sum them."""

    def body(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        for t in range(1, x.shape[1]):
            change(x, t)
        return x.sum(1)

    return body


def at_once(change: Callable[[torch.Tensor], Any]) -> Body:
    """Change vectors, and sum them with unequal weights."""

    def body(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        change(x)
        return (x * torch.arange(1.0, 8.0, dtype=x.dtype)[:, None]).sum(1)

    return body


def swapped(x: torch.Tensor) -> None:
    x[:, 0], x[:, 1] = x[:, 1].clone(), x[:, 0].clone()


def swapped_through_views(x: torch.Tensor) -> None:
    x[:, 0], x[:, 1] = x[:, 1], x[:, 0]  # in torch, both are then the second


def doubled(x: torch.Tensor) -> None:
    x[:, 0] *= 2


def raised(x: torch.Tensor) -> None:
    x[:, 0] += 1


def moved(x: torch.Tensor) -> None:
    x[:, 1:] += x[:, :-1].clone()


def held(x: torch.Tensor) -> None:
    first, second = x[:, 0], x[:, 1]
    first += second
    second -= x[:, 2]
    x[:, 2] = first


def summed_up(x: torch.Tensor, t: int) -> None:
    x[:, t] += x[:, t - 1]


OF_ITSELF: dict[str, Body] = {
    "one step into another": at_once(lambda x: x.__setitem__((slice(None), 0), x[:, 1])),
    "copy_": at_once(lambda x: x[:, 0].copy_(x[:, 1])),
    "add_ with alpha": at_once(lambda x: x[:, 0].add_(other=x[:, 1], alpha=3)),
    "index_add_": at_once(lambda x: x.index_add_(1, torch.tensor([4]), source=x[:, 2:3])),
    "to itself": at_once(lambda x: x.add_(x)),
    "doubled": at_once(doubled),
    "raised": at_once(raised),
    "moved": at_once(moved),
    "swapped": at_once(swapped),
    "swapped through views": at_once(swapped_through_views),
    "views that are held": at_once(held),
    "running sums": by_steps(summed_up),
    "running sums from the right": by_steps(lambda x, t: x[:, -t - 1].add_(x[:, -t])),
}


WRITTEN: dict[str, Body] = {
    "a number": at_once(lambda x: x.__setitem__((slice(None), 0), 1.5)),
    "a constant": at_once(lambda x: x[:, 0].copy_(torch.ones(6))),
    "fill_": at_once(lambda x: x[:, 2].fill_(0.5)),
    "index_fill_": at_once(lambda x: x.index_fill_(1, torch.tensor([1]), 2.0)),
    "masked_fill_": at_once(lambda x: x.masked_fill_((torch.arange(7) < torch.tensor([[2], [7], [0]]))[..., None], 0.5)),
    "across texts": at_once(lambda x: x.transpose(0, 1)[:3].fill_(2.0)),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_constant_that_is_written_belongs_to_the_text_whose_place_it_takes(name: str) -> None:
    check(WRITTEN[name])


@pytest.mark.parametrize("name", OF_ITSELF)
def test_a_tensor_may_be_written_with_parts_of_itself(name: str) -> None:
    check(OF_ITSELF[name])


def test_a_value_that_is_read_on_the_way_back_is_kept_though_another_name_of_its_tensor_is_written() -> None:
    def body(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        rectified = x.relu()
        same = x.contiguous()  # the tensor itself
        same *= -1.0
        return (rectified + same).sum(1)

    check(body)


def scaled_by_what_fades(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    fading, total = x.new_ones(6), torch.zeros_like(x[:, 0])
    for t in range(x.shape[1]):
        total = total + fading * x[:, t]
        fading *= 0.5
    return total


def divided_by_what_grows(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    count, total = x.new_ones(1), torch.zeros_like(x[:, 0])
    for t in range(x.shape[1]):
        total = total + x[:, t] / count
        count.fill_(t + 2.0)
    return total


def steps_while_on(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    state, on = torch.zeros_like(x[:, 0]), torch.ones(len(x), dtype=torch.bool)
    for t in range(x.shape[1]):
        state = torch.where(on[:, None], state + x[:, t], state)
        on &= torch.tensor([t < 2, t < 4, True])
    return state


def at_a_pointer(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    rows, pointer, total = torch.arange(len(x)), torch.zeros(len(x), dtype=torch.long), torch.zeros_like(x[:, 0])
    for _step in range(3):
        total = 2 * total + x[rows, pointer]
        pointer += 2
    return total


def from_a_pointer_on(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    start = torch.tensor(1)
    total = x[:, start:].sum(1)
    start += 3
    return total + x[:, start:].sum(1)


def gathered(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    index = torch.zeros(len(x), 1, 6, dtype=torch.long)
    first = x.gather(1, index)
    index[:2].add_(3)
    return (first + 2 * x.gather(1, index)).squeeze(1)


def masked(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    mask = torch.arange(7) < torch.tensor([[2], [3], [4]])
    kept = x.masked_fill(mask[..., None], 0.0)
    mask.logical_not_()
    return (kept + 3 * x.masked_fill(mask[..., None], 0.0)).sum(1)


def through_a_matrix(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    matrix = torch.arange(36.0, dtype=x.dtype).view(6, 6)
    total = x.sum(1) @ matrix
    matrix.t()[0] = 0.0
    return total + x[:, 0] @ matrix


def through_its_base(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    factors = torch.ones(2, 6, dtype=x.dtype)
    total = x.sum(1) * factors[0]
    factors.zero_()
    return total


def into_out(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    factor = torch.ones(6, dtype=x.dtype)
    total = x.sum(1) * factor
    torch.mul(factor, 3, out=factor)
    return total + x[:, 0] * factor


def rectified_in_place(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    factor = -torch.ones(6, dtype=x.dtype)
    total = x.sum(1) * factor
    nn.functional.relu(factor, inplace=True)
    return total + x[:, 0] * factor


def of_an_activation(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    other = x[:, 0].clone()
    addend = torch.ones(3, 6, dtype=x.dtype)
    total = torch.where(torch.tensor(True), x.sum(1), addend)
    addend[:, :3] = other[:, :3]
    return total + addend


CHANGING = [
    scaled_by_what_fades,
    divided_by_what_grows,
    steps_while_on,
    at_a_pointer,
    from_a_pointer_on,
    gathered,
    masked,
    through_a_matrix,
    through_its_base,
    into_out,
    rectified_in_place,
    of_an_activation,
]


@pytest.mark.parametrize("body", CHANGING, ids=lambda body: body.__name__)
def test_a_constant_counts_as_it_was_when_it_was_used(body: Body) -> None:
    check(body)


def test_the_result_of_a_function_may_be_put_into_out() -> None:
    def body(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        total = torch.empty(0, dtype=x.dtype)
        torch.add(x[:, 0], x[:, 1], alpha=2, out=total)
        return total

    check(body)


def test_a_power_may_be_taken_in_place() -> None:
    def body(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        squares = x * 1.0
        squares **= 2
        return squares.sum(1)

    check(body)


def a_view_from_before(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    out = torch.zeros_like(x)
    flat = out.view(len(x), -1)
    for t in range(x.shape[1]):
        out[:, t] = (t + 1) * x[:, t]
    return flat[:, :6] + 2 * flat[:, -6:]


def a_weighted_view_from_before(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    out = torch.zeros_like(x[:, 0])
    same = out.view(-1, 6)
    out.copy_(x[:, 1])
    return model.again(same)


def slices_from_before(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    out = torch.zeros_like(x)
    steps = out.unbind(1)
    for t in range(x.shape[1]):
        out[:, t] = (t + 1) * x[:, t]
    return sum(steps)  # type: ignore[return-value]


def slices_of_activations(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    steps = x.unbind(1)
    for t in range(1, x.shape[1]):
        x[:, t] = x[:, t - 1] + 2 * x[:, t]
    return sum(steps)  # type: ignore[return-value]


def two_parts(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    memory = torch.zeros(len(x), 12, dtype=x.dtype)
    left, right, middle = memory.detach()[:, :6], memory.detach()[:, 6:], memory.detach()[:, 3:9]
    left.copy_(x[:, 0])
    right.copy_(x[:, 1])
    return middle * 1.0


def written_through_data(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    out = torch.zeros_like(x)
    out.data[:, 1:3] = x[:, 1:3]
    return out.sum(1)


def read_through_data(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return x.data[:, 0] + x.detach()[:, 1]


def written_after_a_view_was_read(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    out = torch.zeros_like(x)
    flat = out.view(len(x), -1)
    out[:, 0] = x[:, 0]
    total = flat[:, :6] * 3
    out[:, 0] = x[:, 1]
    return total + flat[:, :6]


SHARING = [
    a_view_from_before,
    a_weighted_view_from_before,
    slices_from_before,
    slices_of_activations,
    two_parts,
    written_through_data,
    read_through_data,
    written_after_a_view_was_read,
]


@pytest.mark.parametrize("body", SHARING, ids=lambda body: body.__name__)
def test_what_shares_memory_with_activations_is_no_constant(body: Body) -> None:
    check(body)


def test_a_model_may_return_a_view_from_before_a_write() -> None:
    class Returns(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(20, 3)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            out = torch.zeros(len(ids), 1, 3)
            scores = out.squeeze(1)
            out[:, 0] = self.embedding(ids).sum(1)
            return scores

    model, ids = Returns(), torch.randint(1, 20, (3, 7))
    found = lrp.attribute(model, ids, target=0)
    torch.testing.assert_close(found.tokens, model.embedding(ids)[..., 0].detach())


@pytest.mark.parametrize("doubled", [torch.vmap(lambda row: 2 * row), torch.vmap(torch.vmap(lambda row: 2 * row))])
def test_activations_inside_vmap_are_an_error(doubled: Callable[[torch.Tensor], torch.Tensor]) -> None:
    model = Model(lambda _, x: doubled(x).sum(1) + x[:, 0])
    with pytest.raises(RelevanceError, match=r"torch\.vmap.*write it as an operation on the whole batch"):
        lrp.attribute(model, torch.randint(1, 20, (3, 7)), target=0)


def test_an_activation_that_a_function_inside_vmap_closes_over_is_an_error() -> None:
    model = Model(lambda _, x: torch.vmap(lambda factor: x.sum(1) * factor)(torch.ones(2, dtype=x.dtype)).sum(0))
    with pytest.raises(RelevanceError, match=r"torch\.vmap"):
        lrp.attribute(model, torch.randint(1, 20, (3, 7)), target=0)


def test_a_mask_may_be_made_inside_vmap() -> None:
    def body(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        x[:, 0] = x[:, 1]
        early = torch.vmap(lambda t: (1.0 * t).add_(1.0) < 4)(torch.arange(7))
        return (x * early[:, None]).sum(1)

    check(body)


@pytest.mark.parametrize("turn", [lambda x: x.transpose_(1, 2), lambda x: x.unsqueeze_(1).transpose_(2, 3).squeeze_(1)])
def test_a_shape_may_be_changed_in_place(turn: Callable[[torch.Tensor], torch.Tensor]) -> None:
    def body(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        first = x[:, 0]
        turned = turn(x)
        turned[:, :, 3:5] *= 3.0
        return turned.sum(2) + first

    check(body)
