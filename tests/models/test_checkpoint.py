"""Checkpoints: they come back to the bit, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from textlrp.errors import CheckpointError, InputError
from textlrp.models import checkpoint
from textlrp.models.build import build
from textlrp.models.config import ARCHITECTURES, ModelConfig, make_config
from textlrp.models.storage import STORAGES, from_stored, round_to_storage, to_stored
from textlrp.text.vocabulary import Vocabulary

VOCABULARY = Vocabulary([f"w{number}" for number in range(30)])


def small(arch: str) -> tuple[nn.Module, ModelConfig]:
    options = {"ngrams": [2], "ngram_buckets": 50} if arch == "dense" else {}
    config = make_config(arch, vocabulary_size=len(VOCABULARY), classes=["bad", "good"], **options)
    return build(config, seed=5).eval(), config


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_what_was_rounded_and_saved_comes_back_to_the_bit(arch: str, storage: str, tmp_path: Path) -> None:
    module, config = small(arch)
    round_to_storage(module, storage)
    checkpoint.save(tmp_path / "m", module, config, VOCABULARY, metrics={"n": 3}, card="# Card", storage=storage)
    found = checkpoint.load(tmp_path / "m")
    assert (found.config, found.vocabulary, found.metrics, found.card, found.storage) == (
        config,
        VOCABULARY,
        {"n": 3},
        "# Card",
        storage,
    )
    for name, weight in module.state_dict().items():
        assert torch.equal(found.module.state_dict()[name], weight)
    ids, lengths = torch.tensor([[2, 3, 4], [5, 0, 0]]), torch.tensor([3, 1])
    assert torch.equal(found.module(ids, lengths), module(ids, lengths))


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1.0, 300.0])
def test_storing_twice_is_storing_once(scale: float) -> None:
    module, _ = small("dense")
    with torch.no_grad():
        for weight in module.parameters():
            weight.mul_(scale)
    round_to_storage(module, "int8")
    once = {name: weight.clone() for name, weight in module.state_dict().items()}
    round_to_storage(module, "int8")
    assert all(torch.equal(once[name], weight) for name, weight in module.state_dict().items())


def test_eight_bits_miss_a_weight_by_half_a_step_at_most() -> None:
    module, _ = small("dense")
    table = module.embedding
    assert isinstance(table, nn.Embedding)
    rounded = from_stored(to_stored(module, "int8"))["embedding.weight"]
    step = table.weight.abs().amax(1, keepdim=True) / 127
    assert bool(((rounded - table.weight).abs() <= 0.501 * step + 1e-12).all())


def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    module, config = small("gru")
    with torch.no_grad():
        next(module.parameters())[2, 0] = float("nan")
    with pytest.raises(CheckpointError, match=r"embedding\.weight.*NaN"):
        checkpoint.save(tmp_path / "m", module, config, VOCABULARY)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_no_checkpoint_is_not_overwritten(tmp_path: Path) -> None:
    module, config = small("dense")
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "love.txt").write_text("dear")
    with pytest.raises(InputError, match="is not a checkpoint"):
        checkpoint.save(tmp_path / "letters", module, config, VOCABULARY)
    assert (tmp_path / "letters" / "love.txt").read_text() == "dear"


def test_an_older_checkpoint_is_replaced(tmp_path: Path) -> None:
    module, config = small("dense")
    checkpoint.save(tmp_path / "m", module, config, VOCABULARY, card="old", extra={"old.txt": b"x"})
    checkpoint.save(tmp_path / "m", module, config, VOCABULARY, card="new")
    assert checkpoint.load(tmp_path / "m").card == "new"
    assert {each.name for each in tmp_path.iterdir()} == {"m"}
    assert not (tmp_path / "m" / "old.txt").exists()


def test_a_full_disk_leaves_the_older_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, config = small("dense")
    checkpoint.save(tmp_path / "m", module, config, VOCABULARY, card="old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Vocabulary, "save", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(tmp_path / "m", module, config, VOCABULARY, card="new")
    assert checkpoint.load(tmp_path / "m").card == "old"
    assert {each.name for each in tmp_path.iterdir()} == {"m"}


def test_a_vocabulary_of_another_size_is_not_saved(tmp_path: Path) -> None:
    module, config = small("dense")
    with pytest.raises(InputError, match="the vocabulary has 3 words, the model 32"):
        checkpoint.save(tmp_path / "m", module, config, Vocabulary(["one"]))


def test_all_files_have_the_usual_permissions(tmp_path: Path) -> None:
    module, config = small("dense")
    checkpoint.save(tmp_path / "m", module, config, VOCABULARY)
    (tmp_path / "usual").touch()
    assert {each.stat().st_mode for each in (tmp_path / "m").iterdir()} == {(tmp_path / "usual").stat().st_mode}
