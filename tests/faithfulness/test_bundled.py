"""The harness on the bundled models and reviews: command, record and plot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import textlrp
from textlrp import faithfulness
from textlrp.classifier import bundled_models
from textlrp.errors import DataError, InputError

SMALL = {"probes": 12, "stability": 6, "randomisation": 6, "costly": 2, "tokens": 40}
ON_DENSE = ("--model", "imdb-dense", "--data", "bundled")
COSTLY = {"LIME": {"samples": 30}, "SHAP": {"rounds": 1}, "integrated gradients": {"steps": 5}, "smoothgrad": {"samples": 3}}


@pytest.mark.parametrize("name", bundled_models())
def test_on_every_bundled_model_lrp_and_gradient_x_input_find_what_a_random_order_does_not(name: str) -> None:
    reviews = textlrp.load_reviews("bundled")
    found = faithfulness.evaluate(
        textlrp.load(name),
        reviews["text"][:],
        reviews["label"][:],
        methods=["epsilon", "baselines"],
        limit=24,
        limits=SMALL,
        options=COSTLY,
        lexicon={"good": "positive", "great": "positive", "bad": "negative", "worst": "negative"},
    )
    for method in ("LRP epsilon", "gradient × input"):
        for column in ("separation", "aopc", "zero_aopc", "sensitivity"):
            assert found.difference(method, "random", column).low > 0, (method, column)
    assert found.interval("random", "accuracy").mean > found.interval("LRP epsilon", "accuracy").mean
    assert found.facts["LRP epsilon"]["unaccounted"] < 1e-4
    test = found.randomisation("LRP epsilon")
    assert test is not None
    assert test.passed
    json.dumps(found.to_dict(), allow_nan=False)
    assert {"LIME", "SHAP", "occlusion"} <= set(found.groups()[-1].methods)


@pytest.fixture(scope="module")
def small() -> Any:
    reviews = textlrp.load_reviews("bundled")
    return faithfulness.evaluate(
        textlrp.load("imdb-dense"), reviews["text"][:], reviews["label"][:], methods=["lrp", "gradient"], limit=30, limits=SMALL
    )


def test_a_table_has_a_row_for_each_method_and_ends_with_the_control(small: Any) -> None:
    lines = small.to_markdown().splitlines()
    assert lines[0] == "30 texts, 24 of them rightly classified"
    assert len(lines) == 2 + 2 + len(small.methods)
    assert lines[-1].startswith("| random |")
    assert "[" in lines[-2]


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_curves_are_drawn(small: Any, suffix: str, tmp_path: Path) -> None:
    small.plot(tmp_path / f"curves.{suffix}")
    assert (tmp_path / f"curves.{suffix}").stat().st_size > 10_000
    with pytest.raises(InputError, match="svg"):
        small.plot(tmp_path / "curves.txt")


def test_the_shares_of_rounds_in_which_each_is_best_sum_to_one(small: Any) -> None:
    assert sum(small.best("separation").values()) == pytest.approx(1.0)


def test_rationales_and_lexicon_are_read_and_what_is_wrong_is_said(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    file.write_text('{"text": "a good film", "label": "positive", "spans": [[2, 6]]}\n', "utf-8")
    assert faithfulness.read_rationales(file)[0].spans == ((2, 6),)
    file.write_text('{"text": "a good film", "label": "positive", "spans": [[2, 60]]}\n', "utf-8")
    with pytest.raises(DataError, match=r"line 1.*\[2, 60\]"):
        faithfulness.read_rationales(file)
    table = tmp_path / "l.tsv"
    table.write_text("word\tclass\nGood\tpositive\n", "utf-8")
    assert faithfulness.read_lexicon(table) == {"good": "positive"}
    table.write_text("term\tclass\nGood\tpositive\n", "utf-8")
    with pytest.raises(DataError, match="'word' and 'class'"):
        faithfulness.read_lexicon(table)
    with pytest.raises(InputError, match="'happy'"):
        faithfulness.evaluate(
            textlrp.load("imdb-dense"), ["a good film"], lexicon={"good": "happy"}, methods=["epsilon"], limit=1
        )


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONWARNINGS": "error", "COLUMNS": "200", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "textlrp", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=300)


def test_the_command_gives_json_a_table_and_a_plot_and_resumes(tmp_path: Path) -> None:
    call = [
        "evaluate-explanations",
        "--model",
        "imdb-dense",
        "--data",
        "bundled",
        "--methods",
        "epsilon,gradient",
        "--limit",
        "20",
    ]
    call += ["--measures", "deletion", "--state", str(tmp_path / "state"), "--plot", str(tmp_path / "c.svg")]
    done = run(*call, "--json", "-")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["methods"]) == {"LRP epsilon", "gradient", "random"}
    assert (tmp_path / "c.svg").exists()
    again = run(*call)
    assert "AOPC" in again.stdout
    assert "LRP epsilon" in again.stdout


def test_the_command_recommend_names_a_rule() -> None:
    call = [
        "recommend",
        "--model",
        "imdb-dense",
        "--data",
        "bundled",
        "--budget",
        "20s",
        "--rules",
        "epsilon,z-plus",
        "--json",
        "-",
    ]
    done = run(*call)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rule"] == "epsilon"


def test_the_winner_lies_behind_itself_by_nothing() -> None:
    done = run("recommend", "--model", "imdb-dense", "--data", "bundled", "--budget", "1s", "--rules", "epsilon,z-plus")
    assert done.returncode == 0, done.stderr
    assert " 0.000 " in done.stdout
    assert "-0.000" not in done.stdout


def test_a_budget_that_is_no_time_is_refused() -> None:
    done = run("recommend", "--data", "bundled", "--budget", "soon")
    assert done.returncode == 2
    assert "60s" in done.stderr
