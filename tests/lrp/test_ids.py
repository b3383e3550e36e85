"""Where ids came from is worked out when it is asked for, and is what it was when they went there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from tests.lrp import zoo
from textlrp import lrp
from textlrp.lrp.ids import Moved
from textlrp.models.build import build
from textlrp.models.config import DenseConfig


def reorder_and_forget(ids: torch.Tensor) -> torch.Tensor:
    """Gather ids by an order that is overwritten afterwards."""
    order = torch.arange(ids.shape[1]).flip(0).expand(ids.shape).clone()
    found = ids.gather(1, order)
    order.zero_()
    return found


def copy_and_overwrite(ids: torch.Tensor) -> torch.Tensor:
    """Copy ids out of a tensor that is overwritten afterwards."""
    held = ids.clone()
    found = held.flip(1)
    held.fill_(1)
    return found


def cut_and_join(ids: torch.Tensor) -> torch.Tensor:
    """Cut ids in two and put the halves together the other way round."""
    first, second = ids.split([2, ids.shape[1] - 2], 1)
    return torch.cat([second, first], 1)


def shifted(ids: torch.Tensor) -> torch.Tensor:
    """Write ids into another tensor, one place to the right."""
    found = ids.new_zeros(ids.shape)
    found[:, 1:] = ids[:, :-1]
    found[:, 0] = ids[:, 2]
    return found


def copied_over(ids: torch.Tensor) -> torch.Tensor:
    """Copy turned ids over others."""
    return ids.clone().copy_(ids.flip(1))


class Reads(nn.Module):
    """Embeds what `change` makes of the ids, each place by a weight of its own."""

    def __init__(self, change: Callable[[torch.Tensor], torch.Tensor], width: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.change = change
        self.e, self.out = nn.Embedding(zoo.WORDS, 4), nn.Linear(4 * width, 2)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.out(self.e(self.change(ids)).flatten(1))


def transposed_by_attributes(ids: torch.Tensor) -> torch.Tensor:
    return torch.cat([ids.T[1:], ids.mT[:1]]).T.data


@pytest.mark.parametrize(
    "change",
    [
        reorder_and_forget,
        copy_and_overwrite,
        cut_and_join,
        torch.fliplr,
        torch.flipud,
        shifted,
        copied_over,
        transposed_by_attributes,
    ],
)
def test_relevance_goes_to_the_place_that_each_id_came_from(change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    ids, _ = zoo.batch()
    module = Reads(change, ids.shape[1]).double()
    a = lrp.attribute(module, ids, target=0, composite=lrp.Composite(default=lrp.Zero()))
    at = change(torch.arange(ids.numel()).view(ids.shape))  # where each place of the embedding's input came from
    parts = (module.e(ids.flatten()[at]) * module.out.weight[0].view(*ids.shape[1:], 4)).sum(-1).detach()
    expected = torch.zeros(ids.numel(), dtype=parts.dtype).index_add(0, at.flatten(), parts.flatten())
    torch.testing.assert_close(a.tokens, expected.view(ids.shape))


def remapped(ids: torch.Tensor) -> torch.Tensor:
    """Look every id up in a table of ids that is as long as the vocabulary."""
    return torch.arange(zoo.WORDS).flip(0)[ids]


STAYING: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "remainder": lambda ids: (ids * 7 + 3) % zoo.WORDS,
    "bits": lambda ids: ((ids ^ 1) & 15) | (ids >> 2),
    "division": lambda ids: 29 - ids // 2,
    "clamp": lambda ids: ids.clamp(2, 12),
    "where": lambda ids: torch.where(ids > 20, 1, ids),
    "masked_fill": lambda ids: ids.masked_fill(ids > 20, 1).long(),
    "index_fill": lambda ids: ids.index_fill(1, torch.tensor([0, 3]), 5),
    "tril": lambda ids: ids.tril(),
    "bucketize": lambda ids: torch.bucketize(ids, torch.arange(0, 30, 3)),
    "a table": remapped,
    "take": lambda ids: torch.arange(zoo.WORDS).flip(0).take(ids),
    "gather": lambda ids: torch.arange(zoo.WORDS).flip(0).expand(len(ids), -1).gather(1, ids),
}


@pytest.mark.parametrize("name", STAYING)
def test_an_index_that_is_computed_from_an_id_gives_its_relevance_to_that_id(name: str) -> None:
    ids, _ = zoo.batch()
    module = Reads(STAYING[name], ids.shape[1]).double()
    a = lrp.attribute(module, ids, target=0, composite=lrp.Composite(default=lrp.Zero()))
    parts = module.e(STAYING[name](ids)) * module.out.weight[0].view(*ids.shape[1:], 4)
    torch.testing.assert_close(a.tokens, parts.sum(-1).detach())


def through_a_view(ids: torch.Tensor) -> torch.Tensor:
    found = ids.new_zeros(ids.shape)
    found[:, 1:].copy_(ids[:, :-1])
    return found


def behind_a_view(ids: torch.Tensor) -> torch.Tensor:
    held = ids.clone()
    view = held[:, 1:]
    held[:, 1:] = ids[:, :-1]
    return view


UNKNOWN: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "sort": lambda ids: ids.sort(1)[0],
    "sort over texts": lambda ids: ids.sort(0)[0],
    "msort": torch.msort,
    "rot90": lambda ids: ids[:, :4].rot90(),
    "take": lambda ids: ids.take(torch.arange(ids.numel()).flip(0).view(ids.shape)),
    "cummax": lambda ids: ids.cummax(1)[0],
    "cumsum": lambda ids: ids.cumsum(1) % zoo.WORDS,
    "topk": lambda ids: ids.topk(ids.shape[1])[0],
    "written through a view": through_a_view,
    "a view of what was written": behind_a_view,
    "added where it is": lambda ids: ids.index_put((torch.tensor([0]),), torch.tensor([1]), accumulate=True),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_ids_that_went_nobody_knows_where_need_a_way_back(name: str) -> None:
    ids, _ = zoo.batch()
    with pytest.raises(lrp.RelevanceError, match=r"'e'.*share_relevance"):
        lrp.attribute(Reads(UNKNOWN[name], UNKNOWN[name](ids).shape[1]), ids, target=0)


def written(ids: torch.Tensor) -> torch.Tensor:
    found = ids.clone()
    found[:, 0] = 5
    return found


PUT: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "scatter": lambda ids: ids.scatter(1, torch.zeros(len(ids), 1, dtype=torch.long), 5),
    "index_put": lambda ids: ids.index_put((torch.arange(len(ids)), torch.zeros(len(ids)).long()), torch.tensor(5)),
    "select_scatter": lambda ids: ids.select_scatter(torch.full((len(ids),), 5), 1, 0),
    "written": written,
    "slice_scatter": lambda ids: torch.full_like(ids, 5).slice_scatter(ids[:, 1:], 1, 1),
}


@pytest.mark.parametrize("name", PUT)
def test_a_constant_that_is_put_among_the_ids_is_a_bias(name: str) -> None:
    ids, _ = zoo.batch()
    module = Reads(PUT[name], ids.shape[1]).double()
    a = lrp.attribute(module, ids, target=0, composite=lrp.Composite(default=lrp.Zero()))
    parts = (module.e(PUT[name](ids)) * module.out.weight[0].view(*ids.shape[1:], 4)).sum(-1).detach()
    torch.testing.assert_close(a.tokens[:, 1:], parts[:, 1:])
    torch.testing.assert_close(a.ledger["bias"], parts[:, 0] + module.out.bias.detach()[0])


def test_positions_are_not_worked_out_for_n_grams_that_share_their_relevance(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Moved) -> list[torch.Tensor | None]:
        raise AssertionError("nobody needs these positions")

    monkeypatch.setattr(Moved, "_copied", fail)
    monkeypatch.setattr(Moved, "_unmoved", fail)
    module = build(DenseConfig(classes=("a", "b"), vocabulary_size=30, embedding_dim=4, ngrams=(1, 2, 3), once=True)).eval()
    ids, lengths = torch.randint(2, 30, (3, 6)), torch.tensor([6, 4, 5])
    a = lrp.attribute(module, ids, lengths)
    assert bool((a.residual.abs() < 1e-4).all())


def test_a_constant_word_beside_the_ids_is_a_bias() -> None:
    def begin(ids: torch.Tensor) -> torch.Tensor:
        return torch.cat([ids.new_full((len(ids), 1), 5), ids], 1)

    ids, _ = zoo.batch()
    module = Reads(begin, ids.shape[1] + 1).double()
    a = lrp.attribute(module, ids, target=0, composite=lrp.Composite(default=lrp.Zero()))
    parts = (module.e(begin(ids)) * module.out.weight[0].view(-1, 4)).sum(-1).detach()
    torch.testing.assert_close(a.tokens, parts[:, 1:])
    torch.testing.assert_close(a.ledger["bias"], parts[:, 0] + module.out.bias.detach()[0])


def test_ids_may_be_written_over_after_they_were_looked_up() -> None:
    class Counts(Reads):
        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            vectors = self.e(ids)
            ids += 1
            return self.out(vectors.flatten(1))

    ids, _ = zoo.batch()
    models = [kind(lambda ids: ids, ids.shape[1]).double() for kind in (Counts, Reads)]
    found, expected = (lrp.attribute(model, ids, target=0) for model in models)
    torch.testing.assert_close(found.tokens, expected.tokens)
