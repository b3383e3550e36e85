"""The same answer everywhere: the tolerances that reports/reliability.md states, on the bundled reviews."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "reliability_agreement.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reliability_agreement", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault("reliability_agreement", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("model", ["imdb-dense", "imdb-lstm"])
def test_threads_batches_padding_and_number_formats_agree(model: str, script: ModuleType, few: list[str]) -> None:
    threads = torch.get_num_threads()
    texts = few[:12]
    try:
        torch.set_num_threads(1)
        reference = script.VARIATIONS["the same again"](model, texts)
        for variation, run in script.VARIATIONS.items():
            found = script.difference(reference, run(model, texts))
            torch.set_num_threads(1)
            assert found["relevance"] <= script.TOLERANCES.get(variation, 1e-4), variation
            if variation == "the same again":
                assert found["relevance"] == 0 == found["score"]
            if variation != "bfloat16":
                assert found["predictions"] == 0
    finally:
        torch.set_num_threads(threads)


def test_one_seed_gives_one_training(script: ModuleType) -> None:
    assert script.trained("dense") == {"arch": "dense", "same_seed_same_weights": True, "other_seed_same_weights": False}
