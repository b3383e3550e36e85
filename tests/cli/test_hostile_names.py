"""Names and texts from foreign files reach the terminal as text: nothing steers it, nothing is taken for markup."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from textlrp.cli import _textlrp
from textlrp.errors import TextLRPError
from textlrp.models import checkpoint
from textlrp.models.build import build
from textlrp.models.config import make_config
from textlrp.text.vocabulary import Vocabulary

CLASSES = ("\x1b[31mred", "[/x]")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A checkpoint whose classes and words are hostile, and a table with such labels and texts."""
    folder = tmp_path_factory.mktemp("hostile")
    config = make_config("dense", vocabulary_size=5, classes=CLASSES, embedding_dim=4)
    checkpoint.save(folder / "m", build(config), config, Vocabulary(["film", "\x1b[1m", "good"]))
    table = "".join(f"a good [/y] \x1b[5m film {i},{CLASSES[i % 2]}\n" for i in range(8))
    (folder / "r.csv").write_text("text,label\n" + table)
    return str(folder / "m"), str(folder / "r.csv")


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


@pytest.mark.parametrize("target", ["²", "--5", "-", "9" * 5_000, "\x1b[31mredd"])
def test_a_target_that_is_no_class_is_a_clear_error(target: str, files: tuple[str, str]) -> None:
    done = CliRunner().invoke(_textlrp, ["explain", "film", "--model", files[0], "--target", target])
    assert isinstance(done.exception, TextLRPError)
    assert "\x1b" not in str(done.exception)


def test_a_class_may_be_named_by_its_number(files: tuple[str, str]) -> None:
    done = CliRunner().invoke(_textlrp, ["explain", "film", "--model", files[0], "--target", "1", "--json", "-"])
    assert json.loads(done.output)["target"] == CLASSES[1]
