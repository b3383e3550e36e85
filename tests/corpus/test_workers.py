"""Worker processes: the same bytes whatever their number, and what happens when they, or the run, are killed."""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from textlrp.corpus import CorpusError, explain_corpus, pool, run

ROOT = Path(__file__).resolve().parents[2]
Contents = Callable[[Path], dict[str, bytes]]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("kill_corpus", ROOT / "scripts" / "kill_corpus.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def command(model: str, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "textlrp", "explain-corpus", "--model", model, "--out", str(out), *more]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def test_two_workers_write_the_bytes_of_this_process(
    few: list[str], tiny: str, whole_tiny: Path, tmp_path: Path, contents: Contents
) -> None:
    explain_corpus(tiny, few, tmp_path, shard_size=10, workers=2)
    assert contents(tmp_path) == contents(whole_tiny)


def test_a_worker_that_dies_is_replaced_and_its_shard_done_again(
    few: list[str], tiny: str, whole_tiny: Path, tmp_path: Path, contents: Contents, script: ModuleType
) -> None:
    killed = []

    def texts():
        for i, text in enumerate(few):
            if i in (25, 45):
                while not (workers := script.children(os.getpid())):
                    time.sleep(0.01)
                os.kill(workers[0], signal.SIGKILL)
                killed.append(workers[0])
            yield text

    explain_corpus(tiny, texts(), tmp_path, shard_size=10, workers=1)
    assert len(killed) == 2
    assert contents(tmp_path) == contents(whole_tiny)


def test_a_shard_that_kills_every_worker_ends_the_run_with_a_message(
    few: list[str], tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os; os._exit(7)")
    monkeypatch.setattr(pool, "_environment", lambda: {**os.environ, "PYTHONPATH": str(tmp_path)})
    with pytest.raises(CorpusError, match=r"rows 0 to 9: the worker process died 3 times \(exit status 7"):
        explain_corpus(tiny, few, tmp_path / "out", shard_size=10, workers=1)


def test_what_a_worker_cannot_do_is_told(few: list[str], tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "fingerprint", lambda classifier: "1" * 64)
    with pytest.raises(CorpusError, match=r"a worker cannot start: the model .* has changed since the run began"):
        explain_corpus(tiny, few, tmp_path / "out", workers=1)


def test_killed_at_random_moments_it_ends_with_the_bytes_of_an_undisturbed_run(
    script: ModuleType, tiny: str, tmp_path: Path
) -> None:
    found = script.prove(tmp_path, kills=3, seed=0, model=tiny, data="bundled", shard_size=16, workers=1)
    assert found["kills"] == 3
    assert found["finished"] >= 1
    assert found["identical"] == found["finished"]
    assert (found["rows_lost"], found["rows_twice"], found["leftovers"]) == (0, 0, 0)


def test_a_disk_without_room_is_told_and_the_run_goes_on_later(
    few: list[str], tiny: str, whole_tiny: Path, tmp_path: Path, contents: Contents
) -> None:
    source = tmp_path / "few.jsonl"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in few))
    start = [*command(tiny, tmp_path / "out", "--data", str(source)), "--shard-size", "10", "--workers", "1"]

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))  # files may not grow beyond it, as on a full disk

    stopped = subprocess.run(start, preexec_fn=no_room, env=environment(), capture_output=True, text=True)
    assert stopped.returncode == 1
    assert "File too large; make room there and run the same command again" in stopped.stderr
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert not list((tmp_path / "out").glob(".*.part"))
    subprocess.run(start, env=environment(), check=True, capture_output=True)
    parts = {name: data for name, data in contents(tmp_path / "out").items() if name.endswith(".parquet")}
    assert parts == {name: data for name, data in contents(whole_tiny).items() if name.endswith(".parquet")}


def test_standard_input_streams_and_resumes(
    few: list[str], tiny: str, whole_tiny: Path, tmp_path: Path, contents: Contents
) -> None:
    lines = "".join(json.dumps({"text": text}) + "\n" for text in few).encode()
    start = [*command(tiny, tmp_path, "--data", "-"), "--shard-size", "10", "--workers", "1"]
    broken = subprocess.run(start, input=lines[:-10] + b"\n", env=environment(), capture_output=True, text=False)
    assert broken.returncode == 0
    assert b"rejected: 1 of 60 rows" in broken.stderr
    kept = [json.loads(line) for line in contents(tmp_path)["rejects.jsonl"].splitlines()]
    assert [each["row"] for each in kept] == [59]
    assert contents(tmp_path)["part-0000003.parquet"] == contents(whole_tiny)["part-0000003.parquet"]


def test_workers_are_renewed_and_nothing_changes(
    few: list[str], tiny: str, whole_tiny: Path, tmp_path: Path, contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    monkeypatch.setattr(pool, "RENEWED", 3)
    environment = pool._environment
    monkeypatch.setattr(pool, "_environment", lambda: started.append(1) or environment())
    explain_corpus(tiny, few, tmp_path, shard_size=10, workers=1)
    assert len(started) == 2
    assert contents(tmp_path) == contents(whole_tiny)
