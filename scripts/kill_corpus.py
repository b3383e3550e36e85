"""Kill `textlrp explain-corpus` at random moments, run it again, and compare its bytes with those of an undisturbed run.

    python scripts/kill_corpus.py --kills 50 --seed 0

Each time one of three things is killed with SIGKILL, at a moment drawn by chance: the run (its workers must go with it), the
run and all its workers at once, or one worker alone (the run must survive that). A run that ends by itself is compared with the
undisturbed one, file by file and row by row, and the next one begins in a new folder. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from textlrp.corpus.shard import file_name

KINDS = ("the run", "the run and its workers", "one worker")


def main() -> None:
    """Read the command line, run, print the result; exit with 1 if anything differed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=50)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--model", default="imdb-dense")
    options.add_argument("--data", default="bundled")
    options.add_argument("--shard-size", type=int, default=16)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--seconds", type=float, default=float("inf"), help="kill no more after so long")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="kill-corpus-") as folder:
        found = prove(Path(folder), **vars(given))
    print(json.dumps(found))
    sys.exit(0 if found["identical"] == found["finished"] and not found["leftovers"] else 1)


def prove(
    folder: Path,
    *,
    kills: int,
    seed: int,
    model: str,
    data: str,
    shard_size: int,
    workers: int,
    seconds: float = float("inf"),
) -> dict[str, Any]:
    """Return how many runs were killed and resumed, and whether each that ended is identical to the undisturbed one."""
    draw = random.Random(seed)
    end = time.monotonic() + seconds
    command = [sys.executable, "-m", "textlrp", "explain-corpus", "--model", model, "--data", data]
    command += ["--shard-size", str(shard_size), "--workers", str(workers)]
    reference = folder / "undisturbed"
    starting, working = _undisturbed([*command, "--out", str(reference)], reference)
    found: dict[str, Any] = {"kills": 0, "finished": 0, "identical": 0, "leftovers": 0, "rows_lost": 0, "rows_twice": 0}
    found |= {"killed": dict.fromkeys(KINDS, 0), "killed_with_shards_done": 0, "rows": len(rows(reference))}
    number = 0
    while found["kills"] < kills or (folder / str(number)).exists():
        out = folder / str(number)
        kills = kills if time.monotonic() < end else 0
        process = _start([*command, "--out", str(out)])
        if found["kills"] < kills:
            early = draw.random() < 0.2
            if not early:
                _wait_for(out / "journal.jsonl", process)
            if amid := draw.random() < 0.6:  # at a shard that is drawn; workers take most of the time to start
                _wait_for(out / file_name(draw.randrange(len(files(reference)) - 2)), process)
            time.sleep(draw.random() * (starting if early else 0.1 if amid else working))
            kind = draw.choice(KINDS)
            shards = len(list(out.glob("part-*.parquet")))
            if process.poll() is None and _kill(process, kind, draw):
                found["kills"] += 1
                found["killed"][kind] += 1
                found["killed_with_shards_done"] += shards > 0
        said = process.communicate()[1].decode()
        if process.returncode > 0:
            raise SystemExit(f"the run failed: {said}")
        if process.returncode == 0:
            _compare(reference, out, found)
            shutil.rmtree(out)
            number += 1
    return found


def _undisturbed(command: list[str], out: Path) -> tuple[float, float]:
    """Run once; return how long it took to begin, and from there to the end."""
    began = time.monotonic()
    process = _start(command)
    _wait_for(out / "journal.jsonl", process)
    middle = time.monotonic()
    said = process.communicate()[1].decode()
    if process.returncode:
        raise SystemExit(f"the undisturbed run failed: {said}")
    return middle - began, time.monotonic() - middle


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def _wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    while not path.exists() and process.poll() is None:
        time.sleep(0.01)


def _kill(process: subprocess.Popen[bytes], kind: str, draw: random.Random) -> bool:
    """Kill; False where there was nothing to kill."""
    workers = children(process.pid)
    with contextlib.suppress(ProcessLookupError):
        if kind == "one worker":
            if not workers:
                return False
            os.kill(draw.choice(workers), signal.SIGKILL)
        elif kind == "the run":
            os.kill(process.pid, signal.SIGKILL)
        else:
            os.killpg(process.pid, signal.SIGKILL)
        return True
    return False


def children(pid: int) -> list[int]:
    """Return the child processes of a process (Linux)."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, path.read_text().split())
    return found


def _compare(reference: Path, out: Path, found: dict[str, Any]) -> None:
    found["finished"] += 1
    found["identical"] += files(reference) == files(out)
    found["leftovers"] += len(set(files(out)) - set(files(reference)))
    theirs, ours = rows(reference), rows(out)
    found["rows_lost"] += len(set(theirs) - set(ours))
    found["rows_twice"] += len(ours) - len(set(ours))


def files(folder: Path) -> dict[str, bytes]:
    """Return all files of a run by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def rows(folder: Path) -> list[int]:
    """Return the numbers of the rows that stand in the shards, or among the rejects."""
    from pyarrow import parquet

    found = [row for path in sorted(folder.glob("part-*.parquet")) for row in parquet.read_table(path)["row"].to_pylist()]
    rejects = (folder / "rejects.jsonl").read_text().splitlines()
    return found + [json.loads(line)["row"] for line in rejects]


if __name__ == "__main__":
    main()
