"""Numbers on the command line are finite: what compares with no bound passes none."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from textlrp.cli import _textlrp

OPTIONS = [
    ("audit", "--level", ["--data", "bundled"]),
    ("serve", "--rate", []),
    ("serve", "--seconds", []),
    ("train", "--learning-rate", ["--data", "bundled", "--out", "m"]),
    ("train", "--validation", ["--data", "bundled", "--out", "m"]),
]


@pytest.mark.parametrize("value", ["nan", "inf", "1e999"])
@pytest.mark.parametrize(("command", "option", "more"), OPTIONS)
def test_an_option_that_is_no_finite_number_is_a_wrong_call(command: str, option: str, more: list[str], value: str) -> None:
    done = CliRunner().invoke(_textlrp, [command, option, value, *more], catch_exceptions=False)
    assert done.exit_code == 2
    assert f"Invalid value for '{option}'" in done.output


def test_more_requests_a_second_than_can_be_counted_are_a_wrong_call() -> None:
    assert CliRunner().invoke(_textlrp, ["serve", "--rate", "1e308"], catch_exceptions=False).exit_code == 2


@pytest.mark.parametrize("budget", ["9" * 400, "9" * 308 + "h"])
def test_a_budget_beyond_all_numbers_is_a_wrong_call(budget: str) -> None:
    done = CliRunner().invoke(_textlrp, ["recommend", "--data", "bundled", "--budget", budget], catch_exceptions=False)
    assert done.exit_code == 2
    assert "is no time" in done.output
