"""The command line, called as a person calls it: in a process of its own."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

COMMANDS = ["explain", "rank", "compare", "evaluate", "report", "audit", "train", "models", "data", "demo"]
REVIEW = "Not a bad film at all: the cast is wonderful, but the plot is dull and boring."


def run(*arguments: str, text: str | bytes | None = None) -> subprocess.CompletedProcess[str]:
    given = text.encode() if isinstance(text, str) else text
    environment = {**os.environ, "PYTHONWARNINGS": "error", "COLUMNS": "120", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "textlrp", *arguments],
        input=given,
        capture_output=True,
        env=environment,
        check=False,
        timeout=300,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def ok(*arguments: str, text: str | bytes | None = None) -> str:
    done = run(*arguments, text=text)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_lists_every_command() -> None:
    listed = ok("--help")
    assert all(f"\n  {name} " in listed for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example_in_its_help(name: str) -> None:
    assert f"  textlrp {name} " in ok(name, "--help")


@pytest.mark.parametrize("name", COMMANDS)
def test_no_example_names_a_part_of_a_table_that_tables_do_not_have(name: str) -> None:
    assert set(re.findall(r"\.(?:csv|tsv|jsonl|parquet):(\w+)", ok(name, "--help"))) <= {"train", "validation"}


def test_help_imports_nothing_heavy() -> None:
    heavy = "('torch', 'numpy', 'rich', 'datasets', 'sklearn')"
    code = f"import sys, textlrp.cli, textlrp; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"[]"


def test_explaining_an_argument_prints_the_strongest_words_of_both_sides() -> None:
    shown = ok("explain", REVIEW, "--model", "imdb-dense", "--target", "positive")
    assert "wonderful" in shown
    assert "boring" in shown


def test_a_text_from_a_file_from_standard_input_and_as_an_argument_has_one_explanation(tmp_path: Path) -> None:
    file = tmp_path / "review.txt"
    file.write_text(REVIEW + "\n", "utf-8")
    options = ("--model", "imdb-dense", "--json", "-")
    found = [
        json.loads(ok("explain", REVIEW, *options)),
        json.loads(ok("explain", "--file", str(file), *options)),
        json.loads(ok("explain", "-", *options, text=REVIEW + "\n")),
    ]
    assert found[0] == found[1] == found[2]


def test_html_goes_to_standard_output_alone() -> None:
    page = ok("explain", "<b>fine</b>", "--model", "imdb-dense", "--html", "-")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "<b>fine" not in page


def test_evaluate_prints_one_json_object_and_nothing_else() -> None:
    result = json.loads(ok("evaluate", "--model", "imdb-dense", "--data", "bundled", "--json"))
    assert {"accuracy", "f1", "n", "confusion"} <= set(result)
    assert result["n"] >= 200


def test_rank_lists_words_of_both_sides_as_csv() -> None:
    lines = ok("rank", "--model", "imdb-dense", "--data", "bundled", "--top", "3", "--format", "csv").splitlines()
    assert len(lines) == 1 + 3 + 3


def test_models_lists_the_bundled_ones() -> None:
    found = {row["name"]: row for row in json.loads(ok("models", "--json"))}
    assert {"imdb-dense", "imdb-lstm"} <= set(found)
    assert [found[f"imdb-{arch}"]["n-grams"] for arch in ("dense", "lstm", "gru")] == ["2, 3", "1, 2, 3", "none"]


def test_train_evaluate_explain_on_a_persons_own_table(tmp_path: Path) -> None:
    rows = [f"a {a} and {b} film,{label}" for label, aa in (("good", "fine warm sharp"), ("bad", "dull flat weak"))
            for a in aa.split() for b in aa.split() for _ in range(6)]  # fmt: skip
    table = tmp_path / "mine.csv"
    table.write_text("review,verdict\n" + "\n".join(rows) + "\n", "utf-8")
    out = tmp_path / "model"
    data = ("--data", str(table), "--text-column", "review", "--label-column", "verdict")
    ok("train", *data, "--arch", "dense", "--epochs", "30", "--threads", "1", "--out", str(out))
    assert json.loads(ok("evaluate", "--model", str(out), *data, "--json"))["accuracy"] > 0.95
    e = json.loads(ok("explain", "a warm film", "--model", str(out), "--json", "-"))
    assert e["prediction"] == "good"


def test_the_command_that_a_report_tells_writes_the_same_report_again(tmp_path: Path) -> None:
    table, page = tmp_path / "my films.csv", tmp_path / "a report.html"
    table.write_text("id,body,verdict\n1,a fine film,positive\n2,a dull film,negative\n")
    columns = ("--text-column", "body", "--label-column", "verdict")
    little = ("--no-audit", "--compare", "0", "--examples", "0")
    data = ("--model", "imdb-dense", "--data", str(table), *columns, "--rule", "gamma")
    ok("report", *data, *little, "--out", str(page))
    first = page.read_text()
    told = re.search("made by textlrp ([^<]*)", first)
    assert told is not None
    page.unlink()
    ok(*shlex.split(unescape(told[1])))
    assert page.read_text() == first


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("explain", "x", "--model", "imdb-dence"), "did you mean 'imdb-dense'"),
        (("explain", "x", "--model", "imdb-dense", "--rule", "epsilom"), "did you mean 'epsilon'"),
        (("explain", "x", "--model", "imdb-dense", "--target", "postive"), "did you mean 'positive'"),
        (("explain", "x", "--model", "imdb-dense", "--gates", "al"), "did you mean 'all'"),
        (("explain", "--file", "no-such-file.txt"), "no-such-file.txt"),
        (("evaluate", "--model", "imdb-dense", "--data", "no-such-file.csv"), "no-such-file.csv"),
        (("explain", "x", "--model", "imdb-dense", "--html", "no/such/folder/a.html"), "no/such/folder"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_and_exits_1(arguments: tuple[str, ...], told: str) -> None:
    done = run(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("explian", "x"),
        ("explain",),
        ("explain", "x", "--top", "-1"),
        ("evaluate",),
        ("topics", "--data", "bundled", "--seed", "-1"),
        ("topics", "--data", "bundled", "--seed", str(2**32)),
    ],
)
def test_a_wrong_call_exits_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).returncode == 2


def test_bytes_that_are_not_utf8_are_refused_with_their_place() -> None:
    done = run("explain", "-", "--model", "imdb-dense", text=b"caf\xe9")
    assert done.returncode == 1
    assert "not UTF-8 at byte 3" in done.stderr


def test_an_empty_text_is_explained_by_its_bias_alone() -> None:
    e = json.loads(ok("explain", "", "--model", "imdb-dense", "--json", "-"))
    assert e["tokens"] == []
    assert e["ledger"]["words"] == 0
    assert e["ledger"]["bias"] + e["ledger"]["stabiliser"] == pytest.approx(e["score"])


def test_demo_writes_its_page(tmp_path: Path) -> None:
    page = tmp_path / "demo.html"
    shown = ok("demo", "--html", str(page))
    assert "accuracy" in shown
    assert page.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("command", "encoding"),
    [
        ("explain", "latin-1"),
        ("explain", "ascii:surrogateescape"),  # what a C locale asks for
        ("rank", "ascii"),
        ("models", "latin-1"),
        ("help", "latin-1"),
    ],
)
def test_an_output_that_lacks_letters_gets_question_marks(command: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    arguments = {
        "explain": ["explain", "a naïve – “fine” film", "--model", "imdb-dense"],
        "rank": ["rank", "--model", "imdb-dense", "--data", "bundled", "--top", "3"],
        "models": ["models", "--rules"],
        "help": ["explain", "--help"],
    }[command]
    done = subprocess.run([sys.executable, "-m", "textlrp", *arguments], capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
