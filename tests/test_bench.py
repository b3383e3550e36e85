"""The bench runs and says what it should; no time is asserted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SECTIONS = ("networks", "sizes", "texts", "ledger", "memory", "rules", "gpu")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    path = tmp_path_factory.mktemp("bench") / "speed.md"
    command = [sys.executable, "scripts/bench.py", "--quick", "--threads", "1", "--sections", *SECTIONS, "--write", str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return path, run.stdout


def test_every_section_is_printed_and_written(written: tuple[Path, str]) -> None:
    path, out = written
    kept = json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert set(kept) == set(SECTIONS)
    for section in SECTIONS:
        assert f"## {section}" in out


def test_a_row_has_a_median_between_its_quartiles(written: tuple[Path, str]) -> None:
    kept = json.loads(written[0].with_suffix(".json").read_text("utf-8"))
    rows = [row for section in kept.values() for row in section["rows"]]
    assert len(rows) > 20
    assert all(0 < row["low"] <= row["value"] <= row["high"] for row in rows)


def test_the_report_names_its_command_the_machine_and_the_targets(written: tuple[Path, str]) -> None:
    text = written[0].read_text("utf-8")
    assert "python scripts/bench.py" in text
    assert "1 threads" in text
    assert "≤ 2.7" in text
    assert "reached" in text


def test_cost_against_size_is_drawn(written: tuple[Path, str]) -> None:
    for suffix in (".png", ".svg"):
        assert written[0].with_suffix(suffix).stat().st_size > 5_000
