"""Occlusion against its definition."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from textlrp import baselines


def literal(case: Any) -> torch.Tensor:
    """s(text) − s(text without word t), one text and one word at a time."""

    def score(words: list[int], weights: torch.Tensor) -> float:
        with torch.no_grad():
            return float(case.module(torch.tensor([words], dtype=torch.int64), torch.tensor([len(words)]))[0] @ weights)

    found = torch.zeros(case.ids.shape, dtype=torch.float64)
    for b, n in enumerate(case.lengths.tolist()):
        words = case.ids[b, :n].tolist()
        for t in range(n):
            found[b, t] = score(words, case.weights[b]) - score(words[:t] + words[t + 1 :], case.weights[b])
    return found


def test_it_is_what_the_score_loses_without_the_word(case: Any) -> None:
    torch.testing.assert_close(baselines.occlusion(*case), literal(case))


def test_a_long_text_is_taken_in_parts(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textlrp.baselines.omission.AT_ONCE", 2)
    monkeypatch.setattr("textlrp.baselines.scoring.MOST_TOKENS", 7)
    torch.testing.assert_close(baselines.occlusion(*case), literal(case))
