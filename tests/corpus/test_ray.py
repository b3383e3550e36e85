"""The same job on a local Ray of two workers, one of which is killed; in a process of its own, so that nothing is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("ray")
ROOT = Path(__file__).resolve().parents[2]

RUN = """
import json, os, signal, sys, threading, time
from pathlib import Path
from textlrp.corpus import explain_corpus

few, out, kill = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]), sys.argv[3] == "kill"
killed = []

def killer():
    while not list(out.glob("part-*.parquet")):
        time.sleep(0.005)
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"ray::MapWorker"):
                os.kill(int(path.parent.name), signal.SIGKILL)
                killed.append(path.parent.name)
                return
        except OSError:
            continue

if kill:
    threading.Thread(target=killer, daemon=True).start()
done = explain_corpus(sys.argv[4], few, out, shard_size=10, workers=2, engine="ray")
print(json.dumps({"texts": done.texts, "killed": len(killed), "usage": os.environ["RAY_USAGE_STATS_ENABLED"]}))
"""


def run(model: str, few: list[str], tmp_path: Path, kill: str) -> dict[str, object]:
    (tmp_path / "few.json").write_text(json.dumps(few))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", RUN, str(tmp_path / "few.json"), str(tmp_path / "out"), kill, model]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_ray_writes_the_bytes_of_this_process_though_a_worker_is_killed(
    few: list[str], tiny: str, whole_tiny: Path, tmp_path: Path, contents: Callable[[Path], dict[str, bytes]]
) -> None:
    found = run(tiny, few, tmp_path, "kill")
    assert found == {"texts": 60, "killed": 1, "usage": "0"}
    assert contents(tmp_path / "out") == contents(whole_tiny)
