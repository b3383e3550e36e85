"""Texts without labels: what is learnt from them, that it is said, and that a stopped training goes on where it was."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from textlrp.errors import InputError, TrainingError
from textlrp.models.batches import Encoded
from textlrp.models.build import build
from textlrp.models.config import make_config
from textlrp.training import Trained, TrainingInterrupted, train
from textlrp.training.pretraining import Pretraining, choose_pretraining, pretrain
from textlrp.training.trainer import Epoch

CLASSES = ["bad", "good"]
TEXTS = ["a good film", "a bad film", "truly good it was", "truly bad it was"] * 15
LABELS = [1, 0, 1, 0] * 15
MORE = ["one two three four five six seven eight", "a superb film , a splendid plot"] * 40


def trained(arch: str = "lstm", **more: Any) -> Trained:
    options = {"units": 8, "embedding_dim": 8} if arch in ("lstm", "gru") else {"embedding_dim": 8}
    given = {"unlabelled": MORE, "options": options, "recipe": {"epochs": 2, "patience": 0}} | more
    return train(TEXTS, LABELS, classes=CLASSES, arch=arch, **given)


def language_model(arch: str = "lstm", **more: Any) -> Trained:
    return trained(arch, pretraining="language-model", **more)


def same(one: Trained, other: Trained) -> bool:
    first, second = one.module.state_dict(), other.module.state_dict()
    return one.vocabulary == other.vocabulary and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture
def _heard() -> Iterator[None]:
    """Ctrl-C is heard, even where the tests run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("arch", ["lstm", "gru"])
def test_a_recurrent_network_learns_the_order_of_words_first(arch: str) -> None:
    heard: list[str] = []
    language_model(arch, notice=heard.append, options={"units": 48, "embedding_dim": 48})
    losses = [float(line.split(": ")[1].split()[0]) for line in heard if line.startswith("pre-training, epoch")]
    assert len(losses) == 10
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("arch", ["dense", "cnn", "gru"])
def test_networks_begin_with_vectors_of_words_seen_together(arch: str) -> None:
    heard: list[str] = []
    found = trained(arch, notice=heard.append, options={"embedding_dim": 8})
    assert any(line.startswith("trains word vectors (word2vec") for line in heard)
    assert "superb" in found.vocabulary  # which no text with a label has
    assert not same(found, trained(arch, unlabelled=()))


def test_what_is_done_with_them_stands_on_the_card() -> None:
    found = language_model()
    assert "pre-trains as a language model" in found.card()
    assert found.metrics["training"]["unlabelled"] == len(MORE)


def test_validation_texts_are_not_learnt_from() -> None:
    heard: list[str] = []
    found = language_model(validation=(["good zzz zzz zzz", "bad zzz zzz"], [1, 0]), notice=heard.append)
    assert "zzz" not in found.vocabulary
    assert any(f"({len(TEXTS) + len(MORE)} texts" in line for line in heard)


def test_given_word_vectors_are_kept_and_it_is_said() -> None:
    from textlrp.text.vectors_train import train_vectors

    heard: list[str] = []
    vectors = train_vectors(TEXTS, dimension=8, min_count=1, epochs=1)
    trained("dense", vectors=vectors, options={}, notice=heard.append)
    assert any("word vectors are given" in line for line in heard)
    with pytest.raises(InputError, match="word vectors are given"):
        trained("dense", vectors=vectors, options={}, pretraining="vectors")
    heard.clear()
    trained("gru", vectors=vectors, options={"units": 4}, pretraining="language-model", notice=heard.append)
    assert any(line.startswith("pre-trains as a language model") for line in heard)


@pytest.mark.parametrize(
    ("arch", "options", "pretraining", "words"),
    [
        ("dense", {}, "language-model", "an LSTM or GRU of one layer"),
        ("lstm", {"layers": 2}, "language-model", "an LSTM or GRU of one layer"),
        ("dense", {}, "vector", "did you mean 'vectors'"),
    ],
)
def test_what_cannot_be_done_is_refused(arch: str, options: dict[str, Any], pretraining: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        trained(arch, options=options, pretraining=pretraining)


@pytest.mark.usefixtures("_heard")
def test_an_interrupted_pre_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    def press(line: str) -> None:
        if line.startswith("pre-training, epoch 4"):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(TrainingInterrupted, match="run the same command again"):
        language_model(state=tmp_path / "state", notice=press)
    heard: list[str] = []
    resumed = language_model(state=tmp_path / "state", notice=heard.append)
    assert any(line.startswith("pre-training resumed after 4 epochs") for line in heard)
    assert same(resumed, language_model())


@pytest.mark.usefixtures("_heard")
@pytest.mark.parametrize(
    ("arch", "pretraining", "words"),
    [("lstm", "language-model", "pre-training is done"), ("dense", "auto", "word vectors are trained already")],
)
def test_a_training_stopped_later_does_not_learn_them_again(arch: str, pretraining: str, words: str, tmp_path: Path) -> None:
    def press(epoch: Epoch) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(TrainingInterrupted):
        trained(arch, pretraining=pretraining, state=tmp_path / "state", on_epoch=press)
    heard: list[str] = []
    resumed = trained(arch, pretraining=pretraining, state=tmp_path / "state", notice=heard.append)
    assert any(words in line for line in heard)
    assert any("resumed after 1 epochs" in line for line in heard)
    assert same(resumed, trained(arch, pretraining=pretraining))
    resumed.save(tmp_path / "model")
    assert not (tmp_path / "state").exists()


def test_the_state_of_other_unlabelled_texts_is_refused(tmp_path: Path) -> None:
    language_model("gru", state=tmp_path / "state")
    with pytest.raises(TrainingError, match="state of another training"):
        language_model("gru", state=tmp_path / "state", unlabelled=MORE[::-1])


@pytest.mark.parametrize(("unlabelled", "words"), [("one text", "not one string"), (["fine", None], "unlabelled text 1 is a")])
def test_what_is_no_text_is_refused(unlabelled: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        trained(unlabelled=unlabelled)


def test_the_command_line_takes_a_table_of_unlabelled_texts(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from textlrp.cli.train import train as command

    (tmp_path / "mine.csv").write_text(
        "text,label\n" + "".join(f'"{text}",{label}\n' for text, label in zip(TEXTS, LABELS, strict=True)), "utf-8"
    )
    (tmp_path / "more.csv").write_text("text\n" + "".join(f'"{text}"\n' for text in MORE), "utf-8")
    given = ["--data", str(tmp_path / "mine.csv"), "--unlabelled", str(tmp_path / "more.csv"), "--out", str(tmp_path / "m")]
    options = ["--option", "units=8", "--option", "embedding_dim=8", "--arch", "lstm", "--epochs", "1", "--threads", "1"]
    options += ["--pretraining", "language-model"]
    done = CliRunner().invoke(command, given + options, catch_exceptions=False)
    assert done.exit_code == 0
    assert f"({len(MORE) + 54} texts, " in done.stderr  # a tenth of the labelled ones is set aside
    assert "superb" in (tmp_path / "m" / "vocabulary.json").read_text("utf-8")


def test_the_estimator_takes_them_too() -> None:
    from textlrp.classifier import TextClassifier

    classifier = TextClassifier("dense", epochs=1, model_options={"embedding_dim": 8})
    classifier.fit(TEXTS, LABELS, unlabelled=MORE)
    assert any(line.startswith("trains word vectors") for line in classifier.chosen_)


def test_of_very_many_texts_a_share_is_read() -> None:
    plan = choose_pretraining(np.full(500_000, 260), tokens=200)
    assert plan.epochs == 1
    assert plan.share * 500_000 * 200 == pytest.approx(40_000_000)
    assert choose_pretraining(np.full(500_000, 260), tokens=200, cuda=True).share == 1.0


def test_the_share_is_of_the_batches_and_drawn_anew_each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config("lstm", vocabulary_size=100, classes=CLASSES, units=4, embedding_dim=4)
    texts = Encoded.of([[2 + number, 3 + number] for number in range(80)])
    taken: list[list[int]] = []
    pad = Encoded.pad
    monkeypatch.setattr(
        Encoded, "pad", lambda self, indices, **more: (taken.append(indices.tolist()), pad(self, indices, **more))[1]
    )
    plan = Pretraining(epochs=2, batch_size=8, negatives=8, share=0.3)
    pretrain(build(config, seed=0), texts, plan=plan)
    assert [len(taken), sorted(map(len, taken))] == [6, [8] * 6]
    assert {text for batch in taken[:3] for text in batch} != {text for batch in taken[3:] for text in batch}
