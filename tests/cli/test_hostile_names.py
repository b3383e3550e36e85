"""Names and texts from foreign files reach the terminal as text: nothing steers it, nothing is taken for markup."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from click.testing import CliRunner

from textlrp.classifier import TextClassifier
from textlrp.cli import _textlrp
from textlrp.errors import TextLRPError
from textlrp.models import checkpoint
from textlrp.models.build import build
from textlrp.models.config import make_config
from textlrp.text.vocabulary import Vocabulary

CLASSES = ("\x1b[31mred", "[/x]")
THREE = ("\x1b[31mEVIL\x07\x9b31m", "[/x]", "\x1b[31m\u202eplain")
STEERS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A checkpoint whose classes and words are hostile, and a table with such labels and texts."""
    folder = tmp_path_factory.mktemp("hostile")
    config = make_config("dense", vocabulary_size=5, classes=CLASSES, embedding_dim=4)
    checkpoint.save(folder / "m", build(config), config, Vocabulary(["film", "\x1b[1m", "good"]))
    table = "".join(f"a good [/y] \x1b[5m film {i},{CLASSES[i % 2]}\n" for i in range(8))
    (folder / "r.csv").write_text("text,label\n" + table)
    return str(folder / "m"), str(folder / "r.csv")


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """A model of three hostile classes, held-out texts, and its training texts, half of which hold a word that is no reason."""
    folder = tmp_path_factory.mktemp("taught")
    words = ("warm \x1b[1m fine", "dull flat grim", "plain even \x1b[2m")
    held_out = [f"{words[i % 3]} film {i}" for i in range(120)]
    training = ["copyright dull flat grim" if i % 6 == 0 else text for i, text in enumerate(held_out)]
    labels = [THREE[i % 3] for i in range(120)]
    options = {"ngrams": (), "embedding_dim": 4}
    classifier = TextClassifier("dense", epochs=30, learning_rate=0.05, model_options=options)
    classifier.fit(training, labels).save(folder / "m")
    for name, texts in (("r", held_out), ("t", training)):
        rows = [f"{text},{label}" for text, label in zip(texts, labels, strict=True)]
        (folder / f"{name}.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    return str(folder / "m"), str(folder / "r.csv"), str(folder / "t.csv")


@pytest.mark.parametrize("command", ["explain", "explain-json", "compare", "rank", "rank-csv", "data", "evaluate"])
def test_no_command_lets_a_name_steer_the_terminal(command: str, files: tuple[str, str]) -> None:
    model, table = files
    arguments = {
        "explain": ["explain", "a \x1b[31m film [/z]", "--model", model],
        "explain-json": ["explain", "a \x1b[31m film [/z]", "--model", model, "--json", "-"],
        "compare": ["compare", "a \x1b[31m film [/z]", "--model", model],
        "rank": ["rank", "--model", model, "--data", table, "--target", "[/x]"],
        "rank-csv": ["rank", "--model", model, "--data", table, "--target", "margin", "--format", "csv"],
        "data": ["data", table],
        "evaluate": ["evaluate", "--model", model, "--data", table, "--json"],
    }[command]
    done = CliRunner().invoke(_textlrp, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert "\x1b" not in done.output
    assert "film" in done.output or command == "evaluate"


@pytest.mark.parametrize("command", ["evaluate", "audit", "topics", "report", "train"])
def test_no_table_lets_a_class_steer_the_terminal(command: str, taught: tuple[str, str, str], tmp_path: Path) -> None:
    model, table, training = taught
    given = ["--model", model, "--data", table]
    little = ["--out", str(tmp_path / "r.html"), "--compare", "0", "--examples", "0"]
    arguments = {
        "audit": [*given, "--training", training],
        "report": [*given, "--training", training, *little],
        "train": ["--data", table, "--out", str(tmp_path / "m"), "--epochs", "1"],
    }.get(command, given)
    done = CliRunner().invoke(_textlrp, [command, *arguments], catch_exceptions=False, env={"COLUMNS": "200"})
    assert done.exit_code == 0
    assert not STEERS.findall(done.output)
    assert "␛[31mEVIL␇" in done.output


def test_the_call_to_name_a_class_lets_none_steer_the_terminal(taught: tuple[str, str, str]) -> None:
    done = CliRunner().invoke(_textlrp, ["rank", "--model", taught[0], "--data", taught[1]])
    assert done.exit_code == 2
    assert "␛[31mEVIL␇" in done.output
    assert not STEERS.findall(done.output)


def test_every_svg_of_a_class_with_a_hostile_name_is_xml(taught: tuple[str, str, str], tmp_path: Path) -> None:
    model, table, _ = taught
    words, flow, points = (str(tmp_path / f"{name}.svg") for name in ("words", "flow", "points"))
    explain = ["explain", "a warm film", "--model", model, "--target", THREE[0], "--svg", words, "--flow", flow]
    for arguments in (explain, ["topics", "--model", model, "--data", table, "--plot", points]):
        assert CliRunner().invoke(_textlrp, arguments, catch_exceptions=False).exit_code == 0
    for path in (words, flow, points):
        ElementTree.parse(path)


@pytest.mark.parametrize("target", ["²", "--5", "-", "9" * 5_000, "\x1b[31mredd"])
def test_a_target_that_is_no_class_is_a_clear_error(target: str, files: tuple[str, str]) -> None:
    done = CliRunner().invoke(_textlrp, ["explain", "film", "--model", files[0], "--target", target])
    assert isinstance(done.exception, TextLRPError)
    assert "\x1b" not in str(done.exception)


def test_a_class_may_be_named_by_its_number(files: tuple[str, str]) -> None:
    done = CliRunner().invoke(_textlrp, ["explain", "film", "--model", files[0], "--target", "1", "--json", "-"])
    assert json.loads(done.output)["target"] == CLASSES[1]
