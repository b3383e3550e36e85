"""`textlrp compare`, as it is called."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from textlrp.cli.compare import compare
from textlrp.compare import known_methods

TEXT = "A warm, funny film with a dull ending."


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "90"}).invoke(compare, [*arguments, "--model", "imdb-dense"])


def test_it_prints_strips_figures_and_correlations() -> None:
    out = run(TEXT).stdout
    for said in ("LRP zero", "class activation", "carry", "accounted", "rank correlation", "not used: LIME"):
        assert said in out
    assert max(map(len, out.splitlines())) <= 90


def test_methods_are_chosen_by_name() -> None:
    found = json.loads(run(TEXT, "--methods", "epsilon, gradient-x-input", "--json", "-").stdout)
    assert [each["method"] for each in found["methods"]] == ["LRP epsilon", "gradient × input"]


def test_all_uses_lime_and_shap_too() -> None:
    found = json.loads(run(TEXT, "--all", "--json", "-").stdout)
    assert {"LIME", "SHAP"} <= {each["method"] for each in found["methods"]}
    assert found["skipped"] == []


def test_the_page_goes_to_a_file_or_to_standard_output_alone(tmp_path: Path) -> None:
    done = run(TEXT, "--methods", "epsilon", "--html", str(tmp_path / "page.html"), "--json", str(tmp_path / "f.json"))
    assert "LRP epsilon" in done.stdout
    assert (tmp_path / "page.html").read_text("utf-8").startswith("<!doctype html>")
    assert json.loads((tmp_path / "f.json").read_text("utf-8"))["text"] == TEXT
    page = run(TEXT, "--methods", "epsilon", "--html", "-").stdout
    assert page.startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")


def test_list_names_every_method_and_needs_no_text() -> None:
    out = CliRunner().invoke(compare, ["--list"]).stdout
    assert all(f" {name}: " in out for name in known_methods())


def test_calls_that_contradict_themselves_are_refused() -> None:
    assert "not both" in run(TEXT, "--all", "--methods", "epsilon").stderr
    assert "standard output" in run(TEXT, "--html", "-", "--json", "-").stderr
    assert "give one text" in run().stderr
