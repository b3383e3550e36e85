"""The README's tour is run as it stands: Python blocks in one session, `textlrp` lines in a folder of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SHELL = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
COMMANDS = [line[2:] for block in SHELL for line in block.splitlines() if line.startswith("$ textlrp ")]
OFFLINE = [line for line in COMMANDS if "imdb:" not in line and "--data imdb " not in line]


def test_the_readme_has_a_tour() -> None:
    assert len(PYTHON) >= 2
    assert len(OFFLINE) >= 4


def test_the_python_of_the_tour_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    session: dict[str, object] = {}
    for block in PYTHON:
        exec(compile(block, "README.md", "exec"), session)


def test_the_commands_of_the_tour_run(tmp_path: Path) -> None:
    (tmp_path / "review.txt").write_text("A fine cast, and not a dull minute.", "utf-8")
    rows = [f"The {a} was {b},{label}" for label, side in (("happy", ["warm", "quick"]), ("unhappy", ["cold", "slow"]))
            for a in ["service", "food", "room", "staff", "bed"] for b in side for _ in range(10)]  # fmt: skip
    (tmp_path / "reviews.csv").write_text("text,label\n" + "\n".join(rows) + "\n", "utf-8")
    more = "\n".join(
        f"The {a} was warm and the {b} was slow" for a in ["pool", "bar", "view"] for b in ["lift", "tram"] for _ in range(8)
    )
    (tmp_path / "more.csv").write_text(f"text\n{more}\n", "utf-8")
    bin_folder = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "PYTHONWARNINGS": "error"}
    for line in OFFLINE:
        done = subprocess.run(
            line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def test_every_file_that_the_readme_shows_is_there() -> None:
    local = [each for each in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in each]
    assert local
    assert not [each for each in local if not (ROOT / each).exists()]
