"""`textlrp train`: what is refused before a long training begins, and how it stops."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from textlrp.cli import _textlrp
from textlrp.errors import TextLRPError
from textlrp.locks import give_back, take

_INTERRUPTED = """
import os, signal, sys
from textlrp.cli import main, train
signal.signal(signal.SIGINT, signal.default_int_handler)
train._say_epoch = lambda epoch: os.kill(os.getpid(), signal.SIGINT)
main(sys.argv[1:])
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table that is learnt in no time."""
    sides = {"good": "fine warm sharp", "bad": "dull flat weak"}
    rows = [f"a {a} and {b} film,{label}" for label, words in sides.items() for a in words.split() for b in words.split()]
    path = tmp_path / "mine.csv"
    path.write_text("body,verdict\n" + "\n".join(rows * 2) + "\n", "utf-8")
    return path


def arguments(table: Path, *more: str) -> list[str]:
    columns = ["--text-column", "body", "--label-column", "verdict"]
    out = [] if "--out" in more else ["--out", str(table.parent / "model")]
    return ["train", "--data", str(table), *columns, "--epochs", "2", *out, *more]


def test_a_training_stopped_by_ctrl_c_exits_1(table: Path) -> None:
    command = [sys.executable, "-c", _INTERRUPTED, *arguments(table)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1
    assert "run the same command again" in done.stderr


def test_texts_without_labels_need_no_column_of_labels(table: Path) -> None:
    more = table.with_name("more.csv")
    more.write_text("body,mood,stars\na fine film,x,1\na dull film,y,2\n", "utf-8")
    CliRunner().invoke(_textlrp, arguments(table, "--unlabelled", str(more)), catch_exceptions=False)
    assert (table.parent / "model").is_dir()


@pytest.mark.parametrize(("option", "value"), [("--seed", "-1"), ("--seed", str(2**32)), ("--threads", "99999999999")])
def test_numbers_that_no_training_takes_are_a_wrong_call(option: str, value: str, table: Path) -> None:
    assert CliRunner().invoke(_textlrp, arguments(table, option, value)).exit_code == 2


def refused(table: Path, *more: str) -> str:
    """Call `train`, and return the error that it ends with before anything is trained."""
    done = CliRunner().invoke(_textlrp, arguments(table, *more))
    assert isinstance(done.exception, TextLRPError), done.exception
    assert "epoch" not in done.output
    return str(done.exception)


def test_data_to_measure_on_that_are_not_there_are_told_before_the_training(table: Path) -> None:
    assert "no file or folder 'nosuch.csv'" in refused(table, "--test", "nosuch.csv")


def test_data_to_measure_on_with_another_label_are_told_before_the_training(table: Path) -> None:
    test = table.with_name("test.csv")
    test.write_text("body,verdict\na fine film,good\na dull film,boring\n", "utf-8")
    assert "unknown label 'boring'" in refused(table, "--test", str(test))


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_a_folder_that_is_no_checkpoint_is_refused_before_the_training(force: list[str], table: Path) -> None:
    assert "exists and is not a checkpoint" in refused(table, "--out", str(table.parent), *force)


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_a_file_in_place_of_the_folder_is_refused_before_the_training(force: list[str], table: Path) -> None:
    assert "it is a file" in refused(table, "--out", str(table), *force)


def test_a_training_that_is_refused_leaves_nothing_behind(table: Path) -> None:
    refused(table, "--test", "nosuch.csv")
    assert list(table.parent.iterdir()) == [table]


def test_a_second_training_into_one_folder_is_refused(table: Path) -> None:
    state = table.with_name("model.training")
    lock = take(state)
    assert lock is not None
    assert "another training is writing to" in refused(table)
    give_back(lock, state)


def test_the_lock_of_a_training_that_was_killed_is_taken_over(table: Path) -> None:
    table.with_name("model.training").mkdir()
    table.with_name("model.training").joinpath(".lock").touch()
    CliRunner().invoke(_textlrp, arguments(table), catch_exceptions=False)
    assert sorted(each.name for each in table.parent.iterdir()) == ["mine.csv", "model"]


def test_the_folder_that_one_is_in_may_be_the_one_to_write(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = table.with_name("here")
    here.mkdir()
    monkeypatch.chdir(here)
    CliRunner().invoke(_textlrp, arguments(table, "--out", "."), catch_exceptions=False)
    assert (here / "config.json").is_file()
