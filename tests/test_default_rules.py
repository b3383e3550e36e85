"""The default rule of each architecture is the one that the study's validation texts chose."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from textlrp.classifier import bundled_models, load
from textlrp.explaining import DEFAULT_RULES

FIGURES = Path(__file__).parents[1] / "reports" / "faithfulness.json"


@pytest.mark.parametrize("name", bundled_models())
def test_the_default_rule_is_the_one_that_validation_texts_chose(name: str) -> None:
    chosen = json.loads(FIGURES.read_text("utf-8"))["chosen"][name]
    assert DEFAULT_RULES[load(name).config_.arch] == chosen


@pytest.mark.parametrize("name", bundled_models())
def test_an_explanation_tells_which_rule_the_default_was(name: str) -> None:
    classifier = load(name)
    explanation = classifier.explain("A warm, funny film.")
    assert explanation.rule == DEFAULT_RULES[classifier.config_.arch]
    named = classifier.explain("A warm, funny film.", rule=explanation.rule)
    assert named.relevance.tolist() == explanation.relevance.tolist()
