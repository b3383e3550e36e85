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


@pytest.mark.parametrize("change", [reorder_and_forget, copy_and_overwrite, cut_and_join, transposed_by_attributes])
def test_relevance_goes_to_the_place_that_each_id_came_from(change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    ids, _ = zoo.batch()
    module = Reads(change, ids.shape[1]).double()
    a = lrp.attribute(module, ids, target=0, composite=lrp.Composite(default=lrp.Zero()))
    at = change(torch.arange(ids.numel()).view(ids.shape))  # where each place of the embedding's input came from
    parts = (module.e(ids.flatten()[at]) * module.out.weight[0].view(*ids.shape[1:], 4)).sum(-1).detach()
    expected = torch.zeros(ids.numel(), dtype=parts.dtype).index_add(0, at.flatten(), parts.flatten())
    torch.testing.assert_close(a.tokens, expected.view(ids.shape))


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
