"""Adversarial losses: the step has the length asked for, goes where it hurts, and touches nothing of the module."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from textlrp.errors import InputError
from textlrp.models.build import build
from textlrp.models.config import make_config
from textlrp.training.adversarial import (
    adversarial_loss,
    entropy,
    nearest_step,
    normalise_embedding,
    virtual_adversarial_loss,
    word_scales,
)

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


def moved_logits(module, words):
    handle = module.embedding.register_forward_hook(lambda *_: words)
    logits = module(IDS, LENGTHS)
    handle.remove()
    return logits


def step_of(module, labels, targets, *, size, scales):
    words = module.embedding(IDS).detach().requires_grad_()
    logits = moved_logits(module, words)
    functional.cross_entropy(logits, targets).backward()
    return words.detach(), nearest_step(words.grad, logits.detach(), targets, labels, size=size, scales=scales)


def margin_gradient(module):
    words = module.embedding(IDS).detach().requires_grad_()
    logits = moved_logits(module, words)
    (logits[:, 1] - logits[:, 0]).sum().backward()
    return words.grad


def test_the_nearest_step_goes_down_the_margin_of_the_label_whatever_the_target(module):
    gradient = margin_gradient(module)
    for share in (0.01, 0.5, 0.99):  # below and above the prediction
        targets = torch.tensor([[1 - share, share], [1 - share, share]])
        _, step = step_of(module, torch.tensor([1, 0]), targets, size=0.7, scales=torch.ones(5))
        expected = gradient * torch.tensor([-1.0, 1.0])[:, None, None]
        expected = 0.7 * expected / expected.flatten(1).norm(dim=1)[:, None, None]
        torch.testing.assert_close(step, expected, rtol=1e-3, atol=1e-5)


def test_a_text_without_a_label_is_moved_away_from_its_prediction(module):
    words, step = step_of(
        module, torch.tensor([-1, -1]), torch.tensor([[0.9, 0.1], [0.2, 0.8]]), size=0.3, scales=torch.ones(5)
    )
    before, after = (logits[:, 1] - logits[:, 0] for logits in (module(IDS, LENGTHS), moved_logits(module, words + step)))
    assert (after * before.sign() < before.abs()).all()


def test_the_nearest_step_diverges_as_far_as_the_power_iteration_finds(module):
    size = 0.05  # where the second order rules
    found = virtual_adversarial_loss(
        module, module.embedding, IDS, LENGTHS, size=size, probe=1e-2, generator=torch.Generator().manual_seed(0)
    )
    words, step = step_of(module, torch.tensor([-1, -1]), TARGETS, size=size, scales=torch.ones(5))
    fixed = functional.softmax(module(IDS, LENGTHS), -1).detach()
    there = functional.kl_div(functional.log_softmax(moved_logits(module, words + step), -1), fixed, reduction="batchmean")
    assert there.item() == pytest.approx(found.item(), rel=0.1)


def test_the_step_in_units_of_the_scales_is_the_step_on_normalised_vectors(module):
    counts = torch.arange(9)
    scales = word_scales(module.embedding, counts)
    _, step = step_of(module, torch.tensor([1, 0]), TARGETS, size=0.7, scales=scales)
    torch.testing.assert_close((step / scales).flatten(1).norm(dim=1), torch.full((2,), 0.7))
    before = module.embedding.weight.detach().clone()
    normalise_embedding(module.embedding, counts)
    torch.testing.assert_close(word_scales(module.embedding, counts), torch.ones(5))
    torch.testing.assert_close((module.embedding.weight[2:] - module.embedding.weight[3]) * scales, before[2:] - before[3])
    gradient = margin_gradient_of_normalised(module, before, scales)
    expected = 0.7 * gradient / gradient.flatten(1).norm(dim=1)[:, None, None]
    torch.testing.assert_close(step / scales, expected * torch.tensor([-1.0, 1.0])[:, None, None], rtol=1e-3, atol=1e-5)


def margin_gradient_of_normalised(module, weights, scales):
    """The margin's gradient by normalised vectors n, which the model reads as n · scales + mean."""
    mean = weights[3] - module.embedding.weight.detach()[3] * scales
    normalised = ((weights[IDS] - mean) / scales).requires_grad_()
    logits = moved_logits(module, normalised * scales + mean)
    (logits[:, 1] - logits[:, 0]).sum().backward()
    return normalised.grad
