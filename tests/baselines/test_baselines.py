"""What holds of every baseline, whatever it computes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from textlrp import baselines
from textlrp.baselines.scoring import predicting, scores
from textlrp.errors import RelevanceError

EVERY = {**baselines.METHODS, **baselines.LIMITED}
FITTED = [name for name in EVERY if name not in ("gradient", "class activation", "LIME")]
SMALL = {"LIME": {"samples": 40}, "SHAP": {"rounds": 1}, "integrated gradients": {"steps": 5}, "smoothgrad": {"samples": 3}}


def run(name: str, case: Any, **changes: Any) -> torch.Tensor:
    given = case._replace(**changes)
    method: Any = EVERY[name]
    return method(given.module, given.ids, given.lengths, given.weights, **SMALL.get(name, {}))


@pytest.mark.parametrize("name", FITTED)
def test_on_a_linear_network_the_method_finds_what_each_word_brings(name: str, linear: Any) -> None:
    exact = (linear.module.embedding(linear.ids) @ linear.module.head.weight.T * linear.weights[:, None]).sum(-1)
    exact = exact * (torch.arange(6) < linear.lengths[:, None])
    torch.testing.assert_close(run(name, linear), exact.detach())


@pytest.mark.parametrize("name", EVERY)
def test_padding_has_no_relevance_and_no_influence(name: str, case: Any) -> None:
    try:
        whole = run(name, case)
    except RelevanceError:
        assert name == "class activation"
        return
    assert whole.shape == case.ids.shape
    assert not whole[torch.arange(6) >= case.lengths[:, None]].any()
    alone = run(name, case, ids=case.ids[1:2, :3], lengths=case.lengths[1:2], weights=case.weights[1:2])
    torch.testing.assert_close(whole[1:2, :3], alone)


@pytest.mark.parametrize("name", EVERY)
def test_a_batch_of_empty_texts_is_no_error(name: str, case: Any) -> None:
    empty = {"ids": torch.zeros(2, 0, dtype=torch.int64), "lengths": torch.zeros(2, dtype=torch.int64)}
    try:
        assert run(name, case, **empty, weights=case.weights[:2]).shape == (2, 0)
    except RelevanceError:
        assert name == "class activation"


@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_left_on_the_module(name: str, case: Any) -> None:
    case.module.train()
    case.module.head[0].eval()  # a part that its owner has frozen
    modes = [each.training for each in case.module.modules()]
    before = {key: value.clone() for key, value in case.module.state_dict().items()}
    try:
        run(name, case)
    except RelevanceError:
        assert name == "class activation"
    assert [each.training for each in case.module.modules()] == modes
    assert all(torch.equal(before[key], value) for key, value in case.module.state_dict().items())
    assert all(each.grad is None for each in case.module.parameters())
    assert not any(each._forward_hooks for each in case.module.modules())


@pytest.mark.parametrize("name", EVERY)
def test_it_works_where_gradients_are_off(name: str, case: Any) -> None:
    try:
        expected = run(name, case)
    except RelevanceError:
        return
    with torch.no_grad():
        torch.testing.assert_close(run(name, case), expected)


@pytest.mark.parametrize("name", ["smoothgrad", "LIME", "SHAP"])
def test_what_is_drawn_at_random_comes_from_the_seed(name: str, case: Any) -> None:
    method: Any = EVERY[name]
    given = (case.module, case.ids[:1], case.lengths[:1], case.weights[:1])
    first, again, other = (method(*given, seed=seed, **SMALL[name]) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other) or name == "SHAP"  # SHAP may be exact


def test_scores_of_masks_are_those_of_the_words_that_stay(case: Any) -> None:
    masks = (torch.rand(30, 6, generator=torch.Generator().manual_seed(0)) < 0.5).numpy()
    masks[0] = False
    found = scores(case.module, case.ids[0], case.weights[0], masks)
    for mask, score in zip(masks, found, strict=True):
        left = case.ids[0][torch.from_numpy(mask)][None]
        with torch.no_grad():
            expected = case.module(left, torch.tensor([left.shape[1]]))[0] @ case.weights[0]
        assert score == pytest.approx(float(expected), abs=1e-12)


def test_predicting_puts_every_part_back_even_after_an_error() -> None:
    module = nn.Sequential(nn.Dropout(), nn.Linear(1, 1))
    module[0].eval()
    with pytest.raises(ZeroDivisionError), predicting(module):
        1 / (1 if module.training or module[1].training else 0)
    assert [module.training, module[0].training, module[1].training] == [True, False, True]
