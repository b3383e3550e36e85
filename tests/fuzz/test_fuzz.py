"""Each target of the fuzzer for a short while, always with the same inputs; and the fuzzer itself finds faults."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import fuzz
import pytest
from fuzz_loop import Finding, Fuzzer, Target, outcome
from fuzz_mutate import LONGEST, mutate
from fuzz_targets import TARGETS
from hypothesis import strategies as st

from textlrp.errors import DataError
from textlrp.text.tokens import tokenise

#: How many inputs are tried of each target; the long runs are `python scripts/fuzz.py TARGET --minutes 10`.
SHORT = {
    "tokeniser": 300,
    "vocabulary": 500,
    "loaders": 120,
    "vectors": 500,
    "checkpoint": 45,
    "explanation-json": 500,
    "highlight": 50,
    "server": 30,
}


def test_every_target_has_a_short_run() -> None:
    assert set(SHORT) == set(TARGETS)


@pytest.mark.parametrize("name", SHORT)
def test_a_short_run_finds_nothing(name: str) -> None:
    fuzzer = Fuzzer(TARGETS[name], seed=7)
    fuzzer.run(executions=SHORT[name])
    assert fuzzer.executions >= SHORT[name]
    assert {kind: finding.data for kind, finding in fuzzer.findings.items()} == {}


@pytest.mark.parametrize("name", SHORT)
def test_every_seed_is_a_sound_input(name: str) -> None:
    """Seeds that were refused would be a poor place to start from: most are read, none is a fault."""
    seeds = TARGETS[name].seeds()
    assert [outcome(TARGETS[name], data)[0] for data in seeds[:30]] == [""] * len(seeds[:30])


def fuzzed(check: object, executions: int = 300) -> Fuzzer:
    target = Target("a test", "", check, lambda: [b"seed 0"], lambda: st.binary(max_size=5))  # type: ignore[arg-type]
    fuzzer = Fuzzer(target, seed=1)
    fuzzer.run(executions=executions)
    return fuzzer


def test_an_exception_is_found_and_its_input_made_small() -> None:
    def check(data: bytes) -> None:
        if b"<" in data:
            raise KeyError(data)

    (finding,) = fuzzed(check).findings.values()
    assert finding.kind.startswith("KeyError at test_fuzz.py:check")
    assert finding.data == b"<"


def test_a_hang_is_found() -> None:
    def check(data: bytes) -> None:
        while True:
            tokenise("a")

    target = Target("a test", "", check, lambda: [b""], lambda: st.binary())
    assert outcome(target, b"", seconds=0.2)[0].startswith("a hang at ")


@pytest.mark.parametrize("message", ["no", "a message with \ud800 in it", "x" * 30_000])
def test_a_poor_message_is_found(message: str) -> None:
    class RawError(DataError):
        def __str__(self) -> str:
            return message

    def check(data: bytes) -> None:
        raise RawError

    assert "a poor message of RawError" in next(iter(fuzzed(check, 3).findings))


def test_an_error_of_ours_with_a_message_is_no_finding() -> None:
    def check(data: bytes) -> None:
        raise DataError("the file is not a table; give another")

    assert not fuzzed(check, 50).findings


def test_inputs_that_reach_new_lines_are_kept() -> None:
    def check(data: bytes) -> None:
        tokenise(data.decode("latin-1"))

    assert len(fuzzed(check, 200).corpus) > 1


def test_the_same_seed_tries_the_same_inputs() -> None:
    runs = []
    for _ in range(2):
        tried: list[bytes] = []
        fuzzed(tried.append, 300)
        runs.append(tried)
    assert runs[0] == runs[1]


def test_changed_inputs_differ_and_stay_below_the_limit() -> None:
    random_ = random.Random(0)
    data = json.dumps({"a": [1, 2.5, "x"], "b": {}}).encode() * 10
    found = {mutate(data, random_, [data], [b"word"], as_json=bool(i % 2)) for i in range(300)}
    assert len(found) > 250
    assert max(map(len, found)) <= LONGEST


def test_a_run_is_resumed_and_its_figures_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "limit_memory", lambda: None)  # this process has tests to run after this one
    folder = tmp_path / "vocabulary"
    (folder / "inputs").mkdir(parents=True)
    last = tmp_path / "last"
    last.write_bytes(bytes(fuzz.LAST))
    fuzz.work("vocabulary", folder, 0, 0.1, last)
    first = fuzz.state_of(folder)
    fuzz.work("vocabulary", folder, 0, 0.1, last)
    second = fuzz.state_of(folder)
    assert second["executions"] > first["executions"] > 0
    assert second["seconds"] > first["seconds"] > 0
    assert second["rounds"] == 2


def test_the_death_of_the_process_is_found(tmp_path: Path) -> None:
    last = tmp_path / "last"
    last.write_bytes(bytes(fuzz.LAST))
    worker = subprocess.Popen([sys.executable, "-c", "import os; os.abort()"], stderr=subprocess.DEVNULL)
    assert fuzz.watch(worker, last).startswith("the process died")


def test_a_process_that_nothing_interrupts_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "STUCK", 0.1)
    last = tmp_path / "last"
    last.write_bytes(bytes(fuzz.LAST))
    worker = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    assert fuzz.watch(worker, last) == "a hang that nothing could interrupt"
    assert worker.returncode is not None


def test_the_table_counts_what_was_found_and_what_still_fails(tmp_path: Path) -> None:
    folder = tmp_path / "vocabulary"
    (folder / "inputs").mkdir(parents=True)
    (folder / "findings").mkdir()
    (folder / "state.json").write_text('{"seconds": 60.0, "processor_seconds": 30.0, "executions": 900}')
    fuzz.keep(folder, Finding("vocabulary", "mended at last", b"{}", "trace"))
    fuzz.keep(folder, Finding("vocabulary", "the process died (-6)", b"{}", "trace"))
    assert "| 1.0 | 0.5 | 900 | 30 | 0 | 2 | 1 |" in fuzz.table([fuzz.figures_of("vocabulary", folder)])
