"""The average of weights is what its equation says."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from textlrp.errors import InputError
from textlrp.training.averaging import WeightAverage


def test_the_average_follows_its_recurrence():
    module = nn.Linear(2, 1)
    average = WeightAverage(module, decay=0.3)
    expected = module.weight.detach().clone()
    for step in range(1, 6):
        with torch.no_grad():
            module.weight.fill_(float(step))
        average.update(module)
        decay = min(0.3, step / (step + 10))
        expected = decay * expected + (1 - decay) * module.weight.detach()
    assert torch.allclose(average.module.weight, expected)


def test_the_average_is_a_module_of_its_own_in_evaluation_mode():
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)).train()
    average = WeightAverage(module)
    assert not average.module.training
    assert module.training
    assert not any(each.requires_grad for each in average.module.parameters())
    assert module[0].weight.requires_grad
    assert average.module[0].weight is not module[0].weight


def test_buffers_are_copied():
    module = nn.BatchNorm1d(2)
    average = WeightAverage(module)
    module.running_mean.fill_(7.0)
    average.update(module)
    assert average.module.running_mean.tolist() == [7.0, 7.0]


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_an_impossible_decay_is_refused(decay):
    with pytest.raises(InputError, match="decay must be at least 0 and below 1"):
        WeightAverage(nn.Linear(1, 1), decay=decay)
