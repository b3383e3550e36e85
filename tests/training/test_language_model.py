"""Language-model pre-training: it learns the order of words in both directions, and the classifier keeps what was learnt."""

from __future__ import annotations

import pytest
import torch

from textlrp.errors import InputError
from textlrp.models.build import build
from textlrp.models.config import make_config
from textlrp.training.language_model import LanguageModel


def classifier(arch: str = "lstm", **options):
    sizes = {"embedding_dim": 12, "units": 16, "dropout": 0.0} | options
    return build(make_config(arch, vocabulary_size=12, classes=["bad", "good"], **sizes), seed=0)


@pytest.mark.parametrize(("arch", "bidirectional"), [("lstm", True), ("lstm", False), ("gru", True)])
def test_a_cycle_of_words_is_learnt(arch, bidirectional):
    torch.manual_seed(0)
    model = LanguageModel(classifier(arch, bidirectional=bidirectional), torch.ones(12), negatives=32)
    before = model.classifier.embedding.weight.detach().clone()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(60):
        start = torch.randint(0, 10, (16, 1), generator=generator)
        ids = (start + torch.arange(8)) % 10 + 2  # after 2 comes 3, …, after 11 comes 2
        loss = model(ids, torch.full((16,), 8), generator=generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] > 1.5
    assert losses[-1] < 0.3
    assert not torch.equal(model.classifier.embedding.weight, before)


def test_padding_is_neither_read_nor_named():
    model = LanguageModel(classifier(), torch.ones(12)).eval()
    short = model(torch.tensor([[2, 3, 4]]), torch.tensor([3]), generator=torch.Generator().manual_seed(0))
    padded = model(torch.tensor([[2, 3, 4, 0, 0]]), torch.tensor([3]), generator=torch.Generator().manual_seed(0))
    assert padded.item() == pytest.approx(short.item(), rel=1e-5)


def test_a_batch_of_single_words_has_nothing_to_name():
    loss = LanguageModel(classifier(), torch.ones(12))(torch.tensor([[2], [3]]), torch.tensor([1, 1]))
    assert loss.item() == 0.0
    loss.backward()


def test_several_layers_and_foreign_counts_are_refused():
    with pytest.raises(InputError, match="one recurrent layer"):
        LanguageModel(classifier(layers=2), torch.ones(12))
    with pytest.raises(InputError, match="one number for each of the 12 words"):
        LanguageModel(classifier(), torch.ones(11))
