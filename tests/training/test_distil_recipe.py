"""The recipe of the bundled models runs from the archive to a checkpoint, on an archive as small as can be."""

from __future__ import annotations

import gzip
import io
import json
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from textlrp.models import checkpoint
from textlrp.models.batches import Encoded, predict_logits
from textlrp.models.build import build

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
GOOD, BAD = ["fine", "lovely", "great"], ["dull", "awful", "poor"]


def review(random: np.random.Generator, words: list[str]) -> str:
    return " ".join(random.choice([*words, "the", "film", "is", "a"], size=12))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    folder = tmp_path / "data"
    folder.mkdir()
    with tarfile.open(folder / "aclImdb_v1.tar.gz", "w:gz") as archive:

        def add(name: str, text: str) -> None:
            member = tarfile.TarInfo(f"aclImdb/train/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))

        for kind, words in (("pos", GOOD), ("neg", BAD), ("unsup", GOOD + BAD)):
            for number in range(40):
                add(f"{kind}/{number}_5.txt", review(random, words))
            if kind != "unsup":
                add(
                    f"urls_{kind}.txt",
                    "".join(f"http://www.imdb.com/title/tt{number // 4:07}/usercomments\n" for number in range(40)),
                )
    with gzip.open(folder / "glove.imdb.100d.txt.gz", "wt", encoding="utf-8") as lines:
        for word in [*GOOD, *BAD, "the", "film", "<unk>"]:
            lines.write(" ".join([word, *(f"{value:.3f}" for value in random.normal(size=100))]) + "\n")
    return folder


@pytest.fixture
def recipe(data: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import train_imdb
    import train_imdb_data

    threads = torch.get_num_threads()
    monkeypatch.setattr(train_imdb_data, "VALIDATION", 16)
    monkeypatch.setattr(train_imdb_data, "DATA", data)
    monkeypatch.setattr(train_imdb_data.prepare, "__kwdefaults__", {"data": data})
    monkeypatch.setattr(train_imdb_data.word_vectors, "__kwdefaults__", {"data": data, "seed": 0})
    monkeypatch.setitem(train_imdb.OPTIONS["dense"], "ngram_buckets", 64)

    def run(*arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["train_imdb.py", *arguments])
        train_imdb.main()

    yield run
    torch.set_num_threads(threads)


def test_teacher_students_and_checkpoint(recipe, data, tmp_path, monkeypatch, capsys):
    work = tmp_path / "work"
    recipe("teacher", "--work", str(work))
    recipe("lstm", "--work", str(work), "--epochs", "3", "--options", '{"units": 8}')
    recipe("dense", "--work", str(work), "--teachers", "linear", "lstm-0", "--epochs", "3", "--last")

    import train_imdb_data

    reviews = train_imdb_data.prepare(work)
    assert len(reviews) == 120
    assert reviews.held_out.sum() >= 16
    assert not reviews.held_out[reviews.labels < 0].any()
    assert (work / "lstm-0" / "logits.npy").exists()
    assert not (work / "dense-0" / "logits.npy").exists()
    history = json.loads((work / "dense-0" / "history.json").read_text())
    assert history["history"][-1]["validation_accuracy"] == 1.0
    assert history["teachers"] == ["linear", "lstm-0"]

    import report_models

    monkeypatch.setattr(report_models, "FIGURES", tmp_path / "figures.json")
    monkeypatch.setattr(report_models, "ROOT", tmp_path)
    report_models.export("dense", "imdb-dense", ["dense-0"], work)
    read = checkpoint.load(tmp_path / "data" / "models" / "imdb-dense")
    assert read.storage == "int8"
    assert read.module.ngrams["2"].keys.gt(-1).any()
    assert "train_imdb.py dense" in read.card


def test_a_killed_adversarial_run_goes_on_to_the_same_weights(recipe, tmp_path, monkeypatch, capsys):
    import train_imdb_student

    arguments = ["lstm", "--epochs", "8", "--checks", "4", "--moved", "2", "--options", '{"units": 8}', "--work"]
    for work in (tmp_path / "one", tmp_path / "other"):
        recipe("teacher", "--work", str(work))
    recipe(*arguments, str(tmp_path / "one"))
    checks = []

    def killed(path, record, write=train_imdb_student.write_json):
        write(path, record)
        checks.append(record)
        if len(checks) == 2:
            raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(train_imdb_student, "write_json", killed)
        with pytest.raises(SystemExit):
            recipe(*arguments, str(tmp_path / "other"))
    capsys.readouterr()
    recipe(*arguments, str(tmp_path / "other"))
    assert "resumed after 6 of 13 steps" in capsys.readouterr().out
    one, other = (load_file(tmp_path / name / "lstm-0" / "weights.safetensors") for name in ("one", "other"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    history = json.loads((tmp_path / "other" / "lstm-0" / "history.json").read_text())["history"]
    assert [each["step"] for each in history] == [3, 6, 9, 13]
    assert history[-1]["loss"][1] > history[-1]["loss"][0]  # moved towards the other class, a review is harder
    assert not (tmp_path / "other" / "lstm-0" / "state").exists()


def test_a_run_made_of_a_model_that_ships_has_its_weights_and_its_commands(recipe, tmp_path, monkeypatch):
    import report_models
    import train_imdb

    work = tmp_path / "work"
    recipe("teacher", "--work", str(work))
    recipe("lstm", "--work", str(work), "--epochs", "1", "--options", '{"units": 8}')
    monkeypatch.setattr(report_models, "FIGURES", tmp_path / "figures.json")
    monkeypatch.setattr(report_models, "ROOT", tmp_path)
    report_models.export("lstm", "mine", ["lstm-0"], work)
    monkeypatch.setattr(train_imdb, "MODELS", tmp_path / "data" / "models")
    recipe("lstm", "--work", str(work), "--shipped", "mine", "--name", "again")
    found, kept = load_file(work / "again" / "weights.safetensors"), checkpoint.load(tmp_path / "data" / "models" / "mine")
    assert all(torch.equal(weight, found[name]) for name, weight in kept.module.state_dict().items())
    assert np.abs(np.load(work / "again" / "logits.npy") - np.load(work / "lstm-0" / "logits.npy")).max() < 0.05
    report_models.export("lstm", "mine", ["again"], work)  # the options are those of the run before
    commands = checkpoint.load(tmp_path / "data" / "models" / "mine").metrics["commands"]
    assert "lstm --work" in commands[0]
    assert "--shipped mine" in commands[1]


def test_a_recurrent_network_is_joined_by_the_words_and_ngrams_of_a_dense_one(recipe, tmp_path, monkeypatch):
    import report_models
    import train_imdb
    import train_imdb_data
    import train_imdb_start

    for options in (train_imdb.OPTIONS["dense"], train_imdb.BESIDE):
        monkeypatch.setitem(options, "ngram_buckets", 512)
    work = tmp_path / "work"
    recipe("teacher", "--work", str(work))
    recipe("lstm", "--work", str(work), "--epochs", "1", "--options", '{"units": 8}')
    recipe("dense", "--work", str(work), "--epochs", "3")
    reviews = train_imdb_data.prepare(work)
    batch = Encoded.of(reviews[number] for number in reviews.validation)
    lstm, dense = (load_file(work / name / "weights.safetensors") for name in ("lstm-0", "dense-0"))

    def logits(config, weights):
        module = build(config).eval()
        module.load_state_dict(weights)
        return predict_logits(module, batch)

    config = train_imdb.configuration("lstm", reviews).replace(units=8)
    both = config.replace(**train_imdb.BESIDE)
    joined = logits(both, train_imdb_start.joined(lstm, dense, build(both)))
    without = dense | {"head.output.weight": dense["head.output.weight"].clone(), "head.output.bias": torch.zeros(2)}
    without["head.output.weight"][:, 101:202] = 0.0  # what the maximum finds
    linear = logits(train_imdb.configuration("dense", reviews), without)
    margins = [each[:, 1] - each[:, 0] for each in (joined, logits(config, lstm), linear)]
    np.testing.assert_allclose(margins[0], 0.6 * margins[1] + 0.4 * margins[2], atol=1e-4)
    assert np.abs(margins[2]).max() > 0.1

    start = ["--start", "lstm-0", "--beside", "dense-0", "--name", "both", "--options", '{"units": 8}']
    recipe("lstm", "--work", str(work), "--epochs", "1", "--moved", "3", *start)
    assert json.loads((work / "both" / "history.json").read_text())["beside"] == "dense-0"
    monkeypatch.setattr(report_models, "FIGURES", tmp_path / "figures.json")
    monkeypatch.setattr(report_models, "ROOT", tmp_path)
    report_models.export("lstm", "mine", ["both"], work)
    assert checkpoint.load(tmp_path / "data" / "models" / "mine").config.ngrams == (1, 2, 3)


def test_one_command_trains_a_model_from_nothing_and_leaves_out_what_is_done(recipe, tmp_path, monkeypatch, capsys):
    import train_imdb
    import train_imdb_all

    for options in (train_imdb.OPTIONS["dense"], train_imdb.BESIDE):
        monkeypatch.setitem(options, "ngram_buckets", 512)
    monkeypatch.setitem(train_imdb.OPTIONS["lstm"], "units", 8)
    work = tmp_path / "work"
    command = ["train_imdb_all.py", "imdb-lstm", "--work", str(work)]
    monkeypatch.setattr(sys, "argv", command)
    train_imdb_all.main()
    read = checkpoint.load(work / "lstm-0-beside" / "checkpoint")
    assert (read.config.arch, read.config.ngrams, read.config.units) == ("lstm", (1, 2, 3), 8)
    assert len(read.metrics["commands"]) == 3
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", [*command, "--dry"])
    train_imdb_all.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert all(line.startswith("done:") for line in lines)


def test_films_are_either_held_out_or_not(recipe, data, tmp_path):
    import train_imdb_data

    _, labels, films = train_imdb_data._read(data / "aclImdb_v1.tar.gz")
    held = train_imdb_data.prepare(tmp_path / "work").held_out
    names = np.array(films)
    assert not set(names[held]) & set(names[~held])
    assert np.array(labels)[held].min() >= 0
