"""`rank` and `report` read the shards, and say what they say of the texts themselves."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import textlrp
from textlrp.cli import _textlrp
from textlrp.cli.report import report
from textlrp.corpus import explain_corpus
from textlrp.progress import meter, shown

LITTLE = ["--no-audit", *(["--compare", "0"] if any(each.name == "compare" for each in report.params) else [])]
pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("explained") / "out"
    with pytest.MonkeyPatch.context() as patch:
        from tests.corpus.conftest import engine

        patch.setattr("textlrp.corpus.run._engine", engine)
        explain_corpus("imdb-dense", "bundled", out)
    return out


def call(*arguments: str) -> str:
    found = CliRunner().invoke(_textlrp, arguments, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


def forbidden(*_: object, **__: object) -> None:
    pytest.fail("a text was explained again")


@pytest.mark.parametrize("more", [(), ("--limit", "100"), ("--by", "total", "--min-texts", "5")])
def test_rank_of_shards_is_rank_of_texts(more: tuple[str, ...], explained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    direct = call("rank", "--model", "imdb-dense", "--data", "bundled", "--format", "json", *more)
    monkeypatch.setattr(textlrp.TextClassifier, "explain_stream", forbidden)
    shards = call("rank", "--explained", str(explained), "--format", "json", *more)
    assert len(json.loads(direct)["words"]) == 20
    if "--limit" not in more:  # a limit batches the texts otherwise when they are explained
        assert shards == direct
    else:
        words = [[each["word"] for each in json.loads(found)["words"]] for found in (direct, shards)]
        assert words[0] == words[1]


def test_report_of_shards_is_report_of_texts(explained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("--out", str(tmp_path / "report.html"), *LITTLE)
    call("report", "--model", "imdb-dense", "--data", "bundled", *options)
    direct = (tmp_path / "report.html").read_text()
    monkeypatch.setattr(textlrp.TextClassifier, "explain_stream", forbidden)
    call("report", "--explained", str(explained), *options)
    shards = (tmp_path / "report.html").read_text()
    made = re.compile(r"made by textlrp [^<]*")
    assert made.sub("", shards) == made.sub("", direct)


def refused(*arguments: str) -> str:
    found = CliRunner().invoke(_textlrp, arguments)
    assert found.exit_code != 0
    return found.output + str(found.exception)


@pytest.mark.parametrize("command", ["rank", "report"])
def test_what_the_shards_settle_cannot_be_given_beside_them(command: str, explained: Path) -> None:
    assert "--rule is settled by --explained" in refused(command, "--explained", str(explained), "--rule", "gamma")
    assert "--data is settled by --explained" in refused(command, "--explained", str(explained), "--data", "bundled")
    assert "give the texts with --data" in refused(command)


def test_how_the_texts_were_read_is_settled_too_unless_training_texts_are_read(explained: Path, tmp_path: Path) -> None:
    columns = ("--text-column", "body", "--label-column", "verdict")
    given = ("report", "--explained", str(explained), "--out", str(tmp_path / "r.html"), "--compare", "0", "--examples", "0")
    assert "column is settled by --explained" in refused(*given, *columns)
    (tmp_path / "t.csv").write_text("id,body,verdict\n1,a fine film,positive\n2,a dull film,negative\n")
    call(*given, "--training", str(tmp_path / "t.csv"), *columns)
    assert "against 2 training texts" in (tmp_path / "r.html").read_text()


def test_corpora_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    explain_corpus("imdb-dense", ["a fine film"], tmp_path / "a", target="predicted")
    explain_corpus("imdb-dense", ["a fine film"], tmp_path / "b")
    assert "explain the corpus with --target margin" in refused("rank", "--explained", str(tmp_path / "a"))
    assert "explained with --target margin" in refused("report", "--explained", str(tmp_path / "a"))
    assert "have no labels" in refused("report", "--explained", str(tmp_path / "b"))


def test_texts_without_labels_are_left_out_of_a_report(tmp_path: Path) -> None:
    rows = [
        {"text": "a fine film", "label": "positive"},
        {"text": "dull", "label": "negative"},
        {"text": "unlabelled", "label": None},
    ] * 3
    explain_corpus("imdb-dense", rows, tmp_path / "out")
    found = CliRunner().invoke(
        _textlrp,
        ["report", "--explained", str(tmp_path / "out"), "--out", str(tmp_path / "r.html"), *LITTLE],
        catch_exceptions=False,
    )
    assert "3 texts have no label of the model's classes" in found.output
    assert "unlabelled" not in (tmp_path / "r.html").read_text().replace("unlabelled texts", "")


def test_the_command_says_what_was_written_and_rejected(tmp_path: Path) -> None:
    source = tmp_path / "a.jsonl"
    source.write_text('{"text": "a fine film"}\n{"text": 7}\n')
    found = CliRunner().invoke(
        _textlrp,
        ["explain-corpus", "--model", "imdb-dense", "--data", str(source), "--out", str(tmp_path / "out")],
        catch_exceptions=False,
    )
    assert "(1 texts, 3 tokens, 1 shards)" in found.output
    assert "rejected: 1 of 2 rows" in found.output
    assert (tmp_path / "out" / "rejects.jsonl").read_text() == (
        '{"row": 1, "id": "2", "reason": "line 2: not text: a int in \'text\'"}\n'
    )


def test_the_bar_shows_count_rate_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    with shown(), meter("explaining", total=None, done=100) as advance:
        advance(50, 300)
        time.sleep(0.02)
        advance(150)
    said = capsys.readouterr().err
    assert re.search(r"explaining .*300/300 +[\d,]+/s .*left", said)
    with meter("explaining", total=3) as advance:
        advance(3)
    assert capsys.readouterr().err == ""


def test_python_ends_well_in_the_midst_of_reading(whole: Path) -> None:
    code = f"from textlrp.corpus import read\nfor e in read({str(whole)!r}): break"
    ends = [subprocess.run([sys.executable, "-c", code], check=False).returncode for _ in range(6)]
    assert ends == [0] * 6
