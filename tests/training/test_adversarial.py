"""Adversarial losses: the step has the length asked for, goes where it hurts, and touches nothing of the module."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from textlrp.errors import InputError
from textlrp.models.build import build
from textlrp.models.config import make_config
from textlrp.training.adversarial import adversarial_loss, entropy, normalise_embedding, virtual_adversarial_loss

IDS = torch.tensor([[2, 3, 4, 5], [6, 7, 0, 0]])
LENGTHS = torch.tensor([4, 2])
TARGETS = torch.tensor([[0.0, 1.0], [1.0, 0.0]])


@pytest.fixture
def module() -> nn.Module:
    config = make_config("lstm", vocabulary_size=9, classes=["bad", "good"], embedding_dim=5, units=4, dropout=0.0)
    return build(config, seed=3).eval()


def test_the_adversarial_loss_is_the_loss_at_the_normalised_gradient_step(module):
    found = adversarial_loss(module, module.embedding, IDS, LENGTHS, TARGETS, size=0.7)
    words = module.embedding(IDS).detach().requires_grad_()
    handle = module.embedding.register_forward_hook(lambda *_: words)
    functional.cross_entropy(module(IDS, LENGTHS), TARGETS).backward()
    handle.remove()
    step = 0.7 * words.grad / words.grad.flatten(1).norm(dim=1)[:, None, None]
    handle = module.embedding.register_forward_hook(lambda *_: words.detach() + step)
    expected = functional.cross_entropy(module(IDS, LENGTHS), TARGETS)
    handle.remove()
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    assert found > functional.cross_entropy(module(IDS, LENGTHS), TARGETS)


def test_the_virtual_step_changes_the_prediction_more_than_a_random_one(module):
    generator = torch.Generator().manual_seed(0)
    found = virtual_adversarial_loss(module, module.embedding, IDS, LENGTHS, size=2.0, generator=generator)
    fixed = functional.softmax(module(IDS, LENGTHS), -1).detach()
    for seed in range(5):
        noise = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(seed))
        noise = 2.0 * noise / noise.flatten(1).norm(dim=1)[:, None, None]
        handle = module.embedding.register_forward_hook(lambda _m, _a, output, noise=noise: output + noise)
        moved = functional.log_softmax(module(IDS, LENGTHS), -1)
        handle.remove()
        assert found > functional.kl_div(moved, fixed, reduction="batchmean")


def test_both_train_the_embedding_and_leave_no_hook(module):
    for loss in (
        adversarial_loss(module, module.embedding, IDS, LENGTHS, TARGETS, size=0.5),
        virtual_adversarial_loss(module, module.embedding, IDS, LENGTHS, size=0.5),
    ):
        module.zero_grad()
        loss.backward()
        assert module.embedding.weight.grad.abs().sum() > 0
        assert module.lstm.weight_hh_l0.grad.abs().sum() > 0
    assert not module.embedding._forward_hooks


def test_an_exception_inside_leaves_no_hook(module):
    def broken(ids, lengths):
        module(ids, lengths)
        raise KeyError("inside")

    with pytest.raises(KeyError):
        virtual_adversarial_loss(broken, module.embedding, IDS, LENGTHS, size=1.0)
    with pytest.raises(KeyError):
        adversarial_loss(broken, module.embedding, IDS, LENGTHS, TARGETS, size=1.0)
    assert not module.embedding._forward_hooks


def test_normalised_vectors_have_mean_0_and_variance_1_over_running_text():
    embedding = nn.Embedding(6, 3)
    counts = torch.tensor([0, 5, 1, 2, 9, 3])
    normalise_embedding(embedding, counts)
    text = embedding.weight[torch.repeat_interleave(torch.arange(6), counts)]
    assert torch.allclose(text.mean(0), torch.zeros(3), atol=1e-6)
    assert torch.allclose(text.var(0, unbiased=False), torch.ones(3), atol=1e-5)
    assert not embedding.weight[0].any()
    with pytest.raises(InputError, match="one count for each of the 6 words"):
        normalise_embedding(embedding, torch.ones(5))


def test_entropy_is_lowest_where_the_model_is_sure():
    assert entropy(torch.tensor([[50.0, 0.0]])).item() == pytest.approx(0.0, abs=1e-6)
    assert entropy(torch.zeros(2, 4)).item() == pytest.approx(torch.log(torch.tensor(4.0)).item())
