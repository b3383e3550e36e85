"""Training: the defaults learn, runs repeat themselves, and a killed run ends where an undisturbed one does."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch

from textlrp.errors import InputError, TextLRPError, TrainingError, UnknownNameError
from textlrp.models import checkpoint
from textlrp.models.batches import Encoded
from textlrp.models.build import build
from textlrp.models.config import ARCHITECTURES, make_config
from textlrp.training import Trained, TrainingInterrupted, train
from textlrp.training.recipe import Recipe
from textlrp.training.trainer import Epoch, Labelled, fit, training_batches

CLASSES = ["bad", "good"]
SUBJECTS = ["film", "plot", "cast", "score", "ending", "dialogue"]
PRAISE = ["superb", "moving", "brilliant", "lovely"]
BLAME = ["dreadful", "boring", "clumsy", "awful"]


def reviews(count: int, *, seed: int = 0) -> tuple[list[str], list[int]]:
    """Made-up reviews of one to four sentences, all of one opinion."""
    random = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(count):
        label = int(random.integers(2))
        words = PRAISE if label else BLAME
        sentences = [
            f"the {random.choice(SUBJECTS)} of this {random.choice(SUBJECTS)} was {random.choice(words)} ."
            for _ in range(random.integers(1, 5))
        ]
        texts.append(" ".join(sentences))
        labels.append(label)
    return texts, labels


def weights(trained: Trained) -> dict[str, torch.Tensor]:
    return trained.module.state_dict()


def same(first: Trained, second: Trained) -> bool:
    return all(torch.equal(weights(first)[name], weight) for name, weight in weights(second).items())


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_default_recipe_learns_an_easy_task(arch: str) -> None:
    texts, labels = reviews(300)
    others = reviews(100, seed=1)
    trained = train(texts, labels, classes=CLASSES, arch=arch, validation=others)
    assert trained.metrics["validation"]["accuracy"] > 0.95
    assert trained.metrics["validation"]["n"] == 100


def test_three_classes_are_learnt() -> None:
    texts = [f"{word} {other}" for word in ("red", "green", "blue") for other in SUBJECTS for _ in range(8)]
    labels = [number for number in range(3) for _ in range(8 * len(SUBJECTS))]
    trained = train(texts, labels, classes=["r", "g", "b"], recipe={"epochs": 15})
    assert trained.metrics["validation"]["accuracy"] > 0.95
    assert np.shape(trained.metrics["validation"]["confusion"]) == (3, 3)


@pytest.mark.parametrize("arch", ["dense", "gru"])
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(arch: str) -> None:
    texts, labels = reviews(60)
    first, second, other = (
        train(texts, labels, classes=CLASSES, arch=arch, seed=seed, recipe={"epochs": 2}) for seed in (1, 1, 2)
    )
    assert same(first, second)
    assert not same(first, other)


def test_training_leaves_the_random_state_of_others_alone() -> None:
    before = torch.get_rng_state()
    train(*reviews(40), classes=CLASSES, recipe={"epochs": 1})
    assert torch.equal(before, torch.get_rng_state())


def test_the_best_epoch_is_kept_and_patience_ends_the_training() -> None:
    texts, labels = reviews(80)
    trained = train(texts, labels, classes=CLASSES, recipe={"epochs": 50, "patience": 2, "learning_rate": 0.01})
    assert len(trained.history) < 50
    assert trained.metrics["validation"]["accuracy"] == max(each.accuracy for each in trained.history)


def test_every_text_is_taken_once_an_epoch_and_each_epoch_in_another_order() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 1_000)
    first, second = (np.concatenate(training_batches(lengths, 16, seed=0, epoch=epoch)) for epoch in (1, 2))
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(1_000))
    assert first.tolist() != second.tolist()


def test_a_batch_holds_texts_of_similar_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 1_000, 2_000)
    batches = training_batches(lengths, 16, seed=0, epoch=1)
    padding = sum(int(lengths[batch].max()) * len(batch) for batch in batches) / lengths.sum()
    assert padding < 1.1


@pytest.fixture
def _heard() -> Iterator[None]:
    """Ctrl-C is heard, even where the tests run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_heard")
def test_an_interrupted_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    texts, labels = reviews(80)
    options: dict[str, Any] = {"classes": CLASSES, "arch": "lstm", "recipe": {"epochs": 3, "patience": 0}}
    undisturbed = train(texts, labels, **options)

    def press(epoch: Epoch) -> None:
        if epoch.number == 1:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(TrainingInterrupted, match="run the same command again"):
        train(texts, labels, **options, state=tmp_path / "state", on_epoch=press)
    heard: list[str] = []
    resumed = train(texts, labels, **options, state=tmp_path / "state", notice=heard.append)
    assert same(undisturbed, resumed)
    assert any("resumed after 1 epochs" in line for line in heard)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


SCRIPT = """
import json, sys
import torch
torch.set_num_threads(1)
import textlrp.training.trainer as trainer
from textlrp.training import train
trainer._SAVE_SECONDS = 0.0  # write the state after every batch
texts, labels = json.load(open(sys.argv[1]))
trained = train(texts, labels, classes=["bad", "good"], arch="lstm", state=sys.argv[2], recipe={"epochs": 6, "patience": 0})
trained.save(sys.argv[3])
"""


def test_a_training_that_is_killed_again_and_again_ends_with_the_same_weights(tmp_path: Path) -> None:
    texts, labels = reviews(120)
    (tmp_path / "data.json").write_text(json.dumps([texts, labels]))
    (tmp_path / "script.py").write_text(SCRIPT)
    state, out = tmp_path / "state", tmp_path / "model"
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "data.json"), str(state), str(out)]
    kills, seen = 0, 0
    while kills < 3:
        process = subprocess.Popen(command)
        while process.poll() is None:
            written = (state / "state.safetensors").stat().st_mtime_ns if (state / "state.safetensors").exists() else 0
            if written > seen:  # some batches further than at the last kill
                time.sleep(0.02 * (kills + 1))
                process.kill()
                break
            time.sleep(0.005)
        assert process.wait() == -signal.SIGKILL
        seen = (state / "state.safetensors").stat().st_mtime_ns
        kills += 1
    assert subprocess.run(command, check=False).returncode == 0
    assert not state.exists()
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        undisturbed = train(texts, labels, classes=CLASSES, arch="lstm", recipe={"epochs": 6, "patience": 0})
    finally:
        torch.set_num_threads(threads)
    found = checkpoint.load(out).module.state_dict()
    assert all(torch.equal(found[name], weight) for name, weight in weights(undisturbed).items())


def test_no_file_is_written_under_a_name_that_the_next_start_would_refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def beside(*_: Any) -> None:  # it writes `.tmp` and six letters beside its file, and a kill leaves that there
        pytest.fail("safetensors wrote a file by itself")

    monkeypatch.setattr(safetensors, "serialize_file", beside)
    monkeypatch.setattr(safetensors.torch, "serialize_file", beside)
    train(*reviews(40), classes=CLASSES, recipe={"epochs": 1}, state=tmp_path / "state").save(tmp_path / "model")


def test_the_state_of_another_training_is_refused(tmp_path: Path) -> None:
    texts, labels = reviews(40)
    train(texts, labels, classes=CLASSES, recipe={"epochs": 1}, state=tmp_path / "state")
    with pytest.raises(TrainingError, match="state of another training"):
        train(texts, labels, classes=CLASSES, recipe={"epochs": 2}, state=tmp_path / "state")


def test_a_damaged_state_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "state.safetensors").write_bytes(b"\x80\x04")
    with pytest.raises(TrainingError, match=r"state\.safetensors.*delete the folder"):
        train(*reviews(40), classes=CLASSES, recipe={"epochs": 1}, state=tmp_path / "state")


def test_a_full_disk_leaves_the_older_state_and_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, labels = reviews(40)
    options: dict[str, Any] = {"classes": CLASSES, "recipe": {"epochs": 3, "patience": 0}}
    state = tmp_path / "state"

    def fill(epoch: Epoch) -> None:
        def full(path: Path, content: bytes) -> None:
            with path.open("wb") as file:
                file.write(content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full)

    with pytest.raises(TrainingError, match=r"No space left.*make room there, and run the same command again"):
        train(texts, labels, **options, state=state, on_epoch=fill)
    monkeypatch.undo()
    assert [each.name for each in state.iterdir()] == ["state.safetensors"]
    assert same(train(texts, labels, **options, state=state), train(texts, labels, **options))


def test_a_folder_of_other_things_is_no_state(tmp_path: Path) -> None:
    (tmp_path / "love.txt").write_text("dear")
    with pytest.raises(InputError, match="holds something else"):
        train(*reviews(40), classes=CLASSES, recipe={"epochs": 1}, state=tmp_path)


def test_a_diverging_training_says_so() -> None:
    config = make_config("dense", vocabulary_size=5, classes=CLASSES)
    module = build(config)
    with torch.no_grad():
        next(module.parameters()).fill_(float("nan"))
    data = Labelled(Encoded.of([[2, 3], [3, 4]]), np.array([0, 1]))
    with pytest.raises(TrainingError, match=r"epoch 1: the training diverged.*; use a lower learning rate"):
        fit(module, data, data, recipe=Recipe())


def test_a_text_whose_numbers_overflow_in_training_is_named() -> None:
    module = build(make_config("dense", vocabulary_size=5, classes=CLASSES))
    with torch.no_grad():
        next(module.parameters())[4] = float("inf")
    data = Labelled(Encoded.of([[2, 3], [2, 2], [3, 4], [3, 3]]), np.array([0, 1, 0, 1]))
    with pytest.raises(TrainingError, match=r"diverged \(at text 2 and 0 more of the 4 of this step\)"):
        fit(module, data, data, recipe=Recipe())


@pytest.mark.parametrize(
    ("texts", "labels", "more", "words"),
    [
        (["a b", "a b"], [1, 1], {}, "one class only"),
        ([], [], {}, "one class only"),
        (["a", "b"], [0, 2], {}, "text 1 has the label 2"),
        (["a", "b"], [0, -1], {}, "leave out texts without a label"),
        (["a"], [0, 1], {}, "two lists of the same length"),
        (["a", None], [0, 1], {}, "text 1 is a NoneType"),
        (["a b"] * 4, [0, 1] * 2, {"arch": "lstn"}, "did you mean 'lstm'"),
        (["a b"] * 4, [0, 1] * 2, {"options": {"unit": 1}}, "unknown option"),
        (["a b"] * 4, [0, 1] * 2, {"recipe": {"epoch": 1}}, "did you mean 'epochs'"),
        (["a b"] * 4, [0, 1] * 2, {"recipe": {"epochs": 0}}, "epochs must be a whole number"),
        (["a b"] * 4, [0, 1] * 2, {"recipe": {"min_count": 99}}, "no word occurs 99 times"),
        (["a b"] * 4, [0, 1] * 2, {"validation": 2.0}, "validation share"),
        (["", ""], [0, 1], {}, "no word occurs"),
    ],
)
def test_bad_input_is_refused_by_name(texts: Any, labels: Any, more: dict[str, Any], words: str) -> None:
    with pytest.raises(TextLRPError, match=words):
        train(texts, labels, classes=CLASSES, **more)


def test_a_class_without_texts_is_named() -> None:
    with pytest.raises(TrainingError, match="no training text has the class 'mixed'"):
        train(["a", "b"], [0, 1], classes=["bad", "good", "mixed"])


def test_two_texts_are_enough_to_train() -> None:
    trained = train(["good film", "bad film"], [1, 0], classes=CLASSES)
    assert trained.metrics["validation"]["n"] == 2


def test_an_unknown_name_is_an_input_error() -> None:
    assert issubclass(UnknownNameError, InputError)
