"""Try to break what reads foreign input: bytes are generated and changed, and each gives a right answer or a clear error.

    python scripts/fuzz.py tokeniser --minutes 10 --seed 0            # one target; `list` names them all
    python scripts/fuzz.py vectors --minutes 10 --slice 2 --corpus build/fuzz    # 2 of the 10 minutes now; the rest later

Anything but a right result or a TextLRPError with a message is a finding: another exception, a wrong property, more than five
seconds for an input of at most 100,000 bytes, more than 1 GiB of memory, or the death of the process. A finding is made small
and kept in the corpus folder. Exits with 1 where there are findings that still fail.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from fuzz_loop import Finding, Fuzzer, digest, limit_memory, outcome
from fuzz_mutate import LONGEST
from fuzz_targets import TARGETS

LAST = 16 + LONGEST  # the file that holds the input that is being tried: its count, its length, its bytes
STUCK = 60  # seconds of the processor without a new input after which the process is ended


def main() -> int:
    """Read the command line and fuzz."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "target", choices=[*TARGETS, "list", "table"], help="what to fuzz; or a list of it, or a table of all runs"
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="minutes of all runs with this corpus together")
    parser.add_argument("--slice", type=float, default=None, help="minutes of this run at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", type=Path, default=Path("build/fuzz"), help="the folder that keeps inputs and counts")
    parser.add_argument("--json", type=Path, default=None, help="write the figures to this file too")
    parser.add_argument("--input", type=Path, default=None, help="try one input, such as a finding that was kept, and stop")
    parser.add_argument("--worker", type=Path, default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.target == "list":
        for target in TARGETS.values():
            print(f"{target.name:18}{target.about}")
        return 0
    if given.target == "table":
        rows = [figures_of(name, given.corpus / name) for name in TARGETS if (given.corpus / name / "state.json").exists()]
        print(table(rows))
        if given.json is not None:
            sums = {"inputs": sum(row["executions"] for row in rows), "open": sum(row["open"] for row in rows), "targets": rows}
            given.json.write_text(json.dumps(sums, indent=2) + "\n")
        return 0
    if given.input is not None:
        kind, trace = outcome(TARGETS[given.target], given.input.read_bytes())
        print(trace or "all is well", kind)
        return int(bool(kind))
    folder = given.corpus / given.target
    (folder / "inputs").mkdir(parents=True, exist_ok=True)
    (folder / "findings").mkdir(exist_ok=True)
    if given.worker is not None:
        work(given.target, folder, given.seed, given.slice * 60, given.worker)
        return 0
    return supervise(given, folder)


def state_of(folder: Path) -> dict[str, Any]:
    """The figures of the runs so far."""
    path = folder / "state.json"
    start = {"seconds": 0.0, "processor_seconds": 0.0, "executions": 0, "rounds": 0, "lines": 0, "seed": 0}
    return {**start, **json.loads(path.read_text())} if path.exists() else start


def supervise(given: argparse.Namespace, folder: Path) -> int:
    """Run workers until the time is over; a worker that dies or hangs is a finding too."""
    while True:
        left = given.minutes * 60 - state_of(folder)["seconds"]
        left = min(left, given.slice * 60) if given.slice is not None else left
        if left < 1:
            break
        with tempfile.NamedTemporaryFile() as last:
            last.write(bytes(LAST))
            last.flush()
            command = [sys.executable, __file__, given.target, "--seed", str(given.seed), "--corpus", str(given.corpus)]
            worker = subprocess.Popen([*command, "--slice", str(left / 60), "--worker", last.name])
            died = watch(worker, Path(last.name))
            if died:
                count, size = struct.unpack("<QQ", Path(last.name).read_bytes()[:16])
                keep(
                    folder, Finding(given.target, died, Path(last.name).read_bytes()[16 : 16 + size], f"input {count}: {died}")
                )
                break
        if given.slice is not None:
            break
    return report(given, folder)


def watch(worker: subprocess.Popen[bytes], last: Path) -> str:
    """Wait for the worker; return how it died, "" where it came to its end."""
    count, since, clock = -1, 0.0, time.monotonic()
    while worker.poll() is None:
        time.sleep(0.5)
        now = struct.unpack("<Q", last.read_bytes()[:8])[0]
        spent = processor_seconds(worker.pid)
        if now != count:
            count, since, clock = now, spent, time.monotonic()
        elif spent - since > STUCK or time.monotonic() - clock > 20 * STUCK:  # it computes, or it waits for ever
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            return "a hang that nothing could interrupt"
    return "" if worker.returncode == 0 else f"the process died ({worker.returncode})"


def processor_seconds(process: int) -> float:
    """The processor time that a process has taken: a busy machine makes nothing hang."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def work(name: str, folder: Path, seed: int, seconds: float, last: Path) -> None:
    """Fuzz for so many seconds, and add the figures to those of earlier runs."""
    state = state_of(folder)
    corpus = [path.read_bytes() for path in sorted((folder / "inputs").iterdir())]
    with open(last, "r+b") as handle, mmap.mmap(handle.fileno(), LAST) as memory:
        count = 0

        def before(data: bytes) -> None:
            nonlocal count
            count += 1
            memory[: 16 + len(data)] = struct.pack("<QQ", count, len(data)) + data

        fuzzer = Fuzzer(TARGETS[name], seed, before=before)
        fuzzer.corpus = [*(each[:LONGEST] for each in TARGETS[name].seeds()), *corpus]
        for data in fuzzer.corpus[:3]:  # loads what is loaded when it is first used, before memory is limited
            outcome(TARGETS[name], data, seconds=60)
        limit_memory()
        processor = time.process_time()
        spent = fuzzer.run(seconds=seconds, round_=state["rounds"])
    for data in fuzzer.corpus:
        (folder / "inputs" / digest(data)).write_bytes(data)
    for finding in fuzzer.findings.values():
        keep(folder, finding)
    state["seconds"] += spent
    state["processor_seconds"] += time.process_time() - processor
    state["executions"] += fuzzer.executions
    state["rounds"] += 1
    state["lines"] = max(state["lines"], len(fuzzer.lines.seen))
    state["seed"] = seed
    temporary = folder / f"state.{os.getpid()}"
    temporary.write_text(json.dumps(state))
    temporary.replace(folder / "state.json")


def keep(folder: Path, finding: Finding) -> None:
    """Write a finding: the input, and what it does."""
    stem = folder / "findings" / digest(finding.kind.encode())
    stem.with_suffix(".bin").write_bytes(finding.data)
    stem.with_suffix(".txt").write_text(f"{finding.kind}\n\n{finding.trace}", "utf-8", "replace")


def still_open(name: str, folder: Path) -> list[str]:
    """The findings that were kept and still fail."""
    found = []
    for path in sorted((folder / "findings").glob("*.bin")):
        kind = path.with_suffix(".txt").read_text("utf-8").partition("\n")[0]
        if kind.startswith(("the process died", "a hang that")) or outcome(TARGETS[name], path.read_bytes())[0]:
            found.append(f"{kind}: {path}")
    return found


def figures_of(name: str, folder: Path) -> dict[str, Any]:
    """What the runs of a target came to."""
    state = state_of(folder)
    return {
        "target": name,
        "about": TARGETS[name].about,
        "minutes": round(state["seconds"] / 60, 2),
        "processor_minutes": round(state["processor_seconds"] / 60, 2),
        "executions": state["executions"],
        "executions_per_processor_second": round(state["executions"] / max(state["processor_seconds"], 1e-9), 1),
        "lines": state["lines"],
        "inputs_kept": len(list((folder / "inputs").iterdir())),
        "found": len(list((folder / "findings").glob("*.bin"))),
        "open": len(still_open(name, folder)),
        "seed": state["seed"],
    }


def table(found: list[dict[str, Any]]) -> str:
    """The figures of all targets as Markdown."""
    rows = ["| target | what | minutes | of the processor | inputs | inputs a second | lines reached | found | open |"]
    rows.append("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for each in found:
        figures = (
            *(f"{each['minutes']:.1f}", f"{each['processor_minutes']:.1f}", f"{each['executions']:,}"),
            *(f"{each['executions_per_processor_second']:,.0f}", f"{each['lines']:,}", each["found"], each["open"]),
        )
        rows.append(f"| {each['target']} | {each['about']} | {' | '.join(map(str, figures))} |")
    return "\n".join(rows)


def report(given: argparse.Namespace, folder: Path) -> int:
    """Print the figures; return 1 where an input that was kept still fails."""
    for finding in still_open(given.target, folder):
        print(f"FINDING {finding}")
    figures = figures_of(given.target, folder)
    for name, value in figures.items():
        print(f"{name:34}{value:,}" if isinstance(value, int | float) else f"{name:34}{value}")
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")
    return int(bool(figures["open"]))


if __name__ == "__main__":
    sys.exit(main())
