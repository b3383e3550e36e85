"""LIME and SHAP: what holds of their values, and what is said where their packages are absent."""

from __future__ import annotations

import itertools
import math
import sys
from typing import Any

import numpy as np
import pytest
import torch

from textlrp import baselines
from textlrp.errors import InputError, MissingPackageError


def score(case: Any, kept: tuple[int, ...]) -> float:
    with torch.no_grad():
        words = case.ids[0][list(kept)][None]
        return float(case.module(words, torch.tensor([len(kept)]))[0] @ case.weights[0])


def first(case: Any) -> tuple[Any, ...]:
    return case.module, case.ids[:1], case.lengths[:1], case.weights[:1]


def test_lime_recovers_the_weights_of_a_linear_model(linear: Any) -> None:
    exact = (linear.module.embedding(linear.ids[0]) @ linear.module.head.weight.T @ linear.weights[0]).detach()
    found = baselines.lime(*first(linear))[0]
    torch.testing.assert_close(found, exact, atol=0, rtol=0.02)  # the package's ridge regression shrinks them by 1 %


def test_lime_sees_places_not_words(linear: Any) -> None:
    """The word that stands twice has one coefficient at each of its places."""
    found = baselines.lime(*first(linear))[0]
    assert linear.ids[0, 1] == linear.ids[0, 3]
    assert found[1] == pytest.approx(float(found[3]), abs=1e-3)


def test_shap_values_sum_to_the_score_less_that_of_the_empty_text(case: Any) -> None:
    found = baselines.shap(*case)
    with torch.no_grad():
        nothing = (case.module(case.ids[:, :0], torch.zeros_like(case.lengths)) * case.weights).sum(-1)
    torch.testing.assert_close(found.sum(-1), case.score() - nothing)


def test_shap_values_approach_those_of_the_definition(case: Any) -> None:
    """Shapley's formula over all 2⁶ subsets of the first text's words."""
    n = int(case.lengths[0])
    exact = np.zeros(n)
    for t in range(n):
        others = [i for i in range(n) if i != t]
        for size in range(n):
            weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
            for kept in itertools.combinations(others, size):
                exact[t] += weight * (score(case, tuple(sorted((*kept, t)))) - score(case, kept))
    few, many = (np.abs(baselines.shap(*first(case), rounds=rounds)[0].numpy() - exact).max() for rounds in (2, 500))
    assert many < 0.2 * np.abs(exact).max()
    assert many < few or few < 1e-6


@pytest.mark.parametrize(("name", "package"), [("LIME", "lime"), ("SHAP", "shap")])
def test_a_missing_package_is_named_with_how_to_install_it(
    name: str, package: str, linear: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [each for each in sys.modules if each.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError, match=rf"{name} needs the package '{package}'.*pip install 'textlrp\[compare\]'"):
        baselines.LIMITED[name](*first(linear))
    with pytest.raises(MissingPackageError):
        baselines.ready(name)


def test_ready_asks_nothing_of_the_other_methods() -> None:
    for name in baselines.METHODS:
        baselines.ready(name)


def test_numbers_of_samples_that_make_no_sense_are_refused(linear: Any) -> None:
    with pytest.raises(InputError, match="at least 2 samples, not 1"):
        baselines.lime(*first(linear), samples=1)
    with pytest.raises(InputError, match="at least 1 round, not 0"):
        baselines.shap(*first(linear), rounds=0)
