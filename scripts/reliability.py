"""Measure what `textlrp explain-corpus` withstands and costs; the page reports/reliability.md is made of the numbers.

    python scripts/reliability.py corpus --model imdb-dense   # all 100,000 reviews of aclImdb: time, rate, memory
    python scripts/reliability.py memory                      # 10,000 to 1,000,000 texts by repeating the corpus
    python scripts/reliability.py kills --model small         # killed 50 times, compared with an undisturbed run
    python scripts/reliability.py room                        # a disk that fills up
    python scripts/reliability.py agreement                   # threads, batches, padding, number formats, seeds
    python scripts/reliability.py page                        # reports/reliability.md and its figure

IMDB is looked for in TEXTLRP_DATA. Each part can be run alone; it replaces its own numbers only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import kill_corpus
import reliability_agreement
import reliability_page

STORE = Path(__file__).resolve().parent.parent / "reports" / "reliability.json"
SPLITS = ("imdb:train", "imdb:test", "imdb:unsup")


def main() -> None:
    """Run one part and keep its numbers."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("part", choices=[*PARTS, "page"])
    options.add_argument("--model", default="imdb-dense")
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--every", type=int, default=1, help="take one text in so many (for a quick look)")
    options.add_argument("--kills", type=int, default=50)
    options.add_argument("--seconds", type=float, default=float("inf"), help="kill no more after so long")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--characters", type=int, default=300, help="of each text, where memory is measured")
    options.add_argument("--table", type=Path, help="of scripts/fuzz.py table --json")
    options.add_argument("--section", type=Path, help="what scripts/fuzz.py table printed")
    options.add_argument("--sizes", type=int, nargs="+", default=[10_000, 30_000, 100_000, 300_000, 1_000_000])
    given = options.parse_args()
    if given.part == "page":
        reliability_page.write(json.loads(STORE.read_text()), STORE.parent)
        return
    with tempfile.TemporaryDirectory(prefix="reliability-") as folder:
        found = PARTS[given.part](Path(folder), given)
    command = "python scripts/reliability.py " + " ".join(sys.argv[1:])
    kept = json.loads(STORE.read_text()) if STORE.exists() else {}
    name = f"{given.part} {given.model}" if given.part == "corpus" else given.part
    kept[name] = {**found, "command": command, "machine": machine()}
    STORE.write_text(json.dumps(kept, indent=1) + "\n")
    print(json.dumps(kept[name]))


def corpus(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Explain all reviews, then predict a fifth of them plainly with as many processes."""
    source = folder / "all.jsonl"
    count = 0
    with source.open("w", encoding="utf-8") as handle:
        for row in reviews(given.every):
            handle.write(json.dumps(row) + "\n")
            count += 1
    out = folder / "out"
    command = ["explain-corpus", "--model", given.model, "--data", str(source), "--out", str(out)]
    found = measured([sys.executable, "-m", "textlrp", *command, "--workers", str(given.workers)])
    manifest = json.loads((out / "manifest.json").read_text())
    found |= {"texts": manifest["counts"]["texts"], "rejects": manifest["counts"]["rejects"], "workers": given.workers}
    found |= {"tokens": manifest["counts"]["tokens"], "shards": len(manifest["shards"])}
    found |= {"bytes": sum(each["bytes"] for each in manifest["shards"]), "model": given.model, "rows": count}
    found["rate"] = found["texts"] / found["seconds"]
    return found | predicted(source, given.model, given.workers)


def predicted(source: Path, model: str, workers: int) -> dict[str, float]:
    """Measure plain prediction: a fifth of the texts, in `workers` processes of one thread at once, once they are loaded."""
    code = (
        "import json, sys, time, torch; torch.set_num_threads(1); import textlrp\n"
        "texts = [json.loads(line)['text'] for i, line in enumerate(open(sys.argv[1], encoding='utf-8')) if i % 5 == 0]\n"
        "texts = texts[int(sys.argv[3])::int(sys.argv[4])]\n"
        "model = textlrp.load(sys.argv[2]); model.predict_proba(texts[:64]); print('ready', flush=True); input()\n"
        "began, used = time.monotonic(), time.process_time()\n"
        "for i in range(0, len(texts), 2048): model.predict_proba(texts[i:i + 2048])\n"
        "print(len(texts), time.monotonic() - began, time.process_time() - used)\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(source), model, str(k), str(workers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for k in range(workers)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    ends = [process.communicate()[0].split() for process in processes]
    texts = sum(int(end[0]) for end in ends)
    seconds, used = max(float(end[1]) for end in ends), sum(float(end[2]) for end in ends)
    return {"predict_texts": texts, "predict_rate": texts / seconds, "predict_processor_rate": texts / used}


def memory(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Stream the corpus again and again through standard input; what is measured is memory, so texts are cut short."""
    lines = [json.dumps(row["text"][: given.characters]).encode() for row in reviews(10)]
    found = []
    for size in given.sizes:
        out = folder / str(size)
        command = ["explain-corpus", "--model", given.model, "--data", "-", "--out", str(out), "--without-text"]
        measures = measured(
            [sys.executable, "-m", "textlrp", *command, "--workers", str(given.workers)],
            feed=(b'{"text": ' + lines[i % len(lines)] + b"}\n" for i in range(size)),
        )
        manifest = json.loads((out / "manifest.json").read_text())
        found.append({"texts": manifest["counts"]["texts"], **measures})
        print(found[-1], flush=True)
    return {"runs": found, "model": given.model, "characters": given.characters}


def kills(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Kill runs at random moments."""
    model = given.model
    if model == "small":
        import textlrp

        reviews = textlrp.load_reviews("bundled")
        textlrp.TextClassifier("dense", epochs=1).fit(list(reviews["text"]), list(reviews["label"])).save(folder / "model")
        model = str(folder / "model")
    began = time.monotonic()
    (folder / "runs").mkdir()
    options: dict[str, Any] = {
        "model": model,
        "data": "bundled",
        "shard_size": 8,
        "workers": given.workers,
        "seconds": given.seconds,
    }
    found = kill_corpus.prove(folder / "runs", kills=given.kills, seed=given.seed, **options)
    return {**found, "seconds": time.monotonic() - began}


def room(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Fill a file system of 400 kB, make room, go on, and compare with a run that had room."""
    disk, whole = folder / "disk", folder / "whole"
    disk.mkdir()
    subprocess.run([tool("mount"), "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)], check=True)
    try:
        (disk / "ballast").write_bytes(bytes(200_000))
        command = [sys.executable, "-m", "textlrp", "explain-corpus", "--model", given.model, "--data", "bundled"]
        command += ["--shard-size", "8", "--workers", str(given.workers), "--without-text"]
        stopped = subprocess.run([*command, "--out", str(disk / "out")], capture_output=True, text=True)
        kept = len(list((disk / "out").glob("part-*.parquet")))
        (disk / "ballast").unlink()
        subprocess.run([tool("mount"), "-o", "remount,size=40m", str(disk)], check=True)
        again = subprocess.run([*command, "--out", str(disk / "out")], capture_output=True, text=True)
        subprocess.run([*command, "--out", str(whole)], check=True, capture_output=True)
        same = kill_corpus.files(disk / "out") == kill_corpus.files(whole)
    finally:
        subprocess.run([tool("umount"), str(disk)], check=True)
    said = stopped.stderr.strip().splitlines()[-1].replace(str(disk), "DISK")
    return {"status": stopped.returncode, "said": said, "kept": kept, "again": again.returncode, "identical": same}


def agreement(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Compare explanations across threads, batches, padding and number formats, and trainings with one seed."""
    texts = [row["text"] for row in reviews(1, splits=SPLITS[:1])][:: 25_000 // 200]
    return reliability_agreement.compare(texts)


def fuzz(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Take over what scripts/fuzz.py found."""
    return {**json.loads(given.table.read_text()), "section": given.section.read_text()}


def tool(name: str) -> str:
    """Return where a program of the system lies."""
    found = shutil.which(name)
    if found is None:
        raise SystemExit(f"this part needs the program {name}, and the right to use it")
    return found


def reviews(every: int, splits: tuple[str, ...] = SPLITS) -> Iterator[dict[str, Any]]:
    """Yield one review of `every` of IMDB's, with its id and its label if it has one."""
    from textlrp import load_reviews

    for split in splits:
        dataset = load_reviews(split, labelled=False)
        names = dataset.features["label"].names
        for i in range(0, len(dataset), every):
            row = dataset[i]
            yield {"id": row["id"], "text": row["text"], "label": names[row["label"]] if row["label"] >= 0 else None}


def measured(command: list[str], feed: Iterator[bytes] | None = None) -> dict[str, Any]:
    """Run a command; return its seconds, its processor seconds and its largest memory, all its processes together."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.PIPE if feed else subprocess.DEVNULL)
    peaks: dict[str, list[float]] = {"anonymous": [], "resident": [], "processes": []}
    watcher = threading.Thread(target=_watch, args=(process, peaks), daemon=True)
    watcher.start()
    if feed is not None:
        assert process.stdin is not None
        for line in feed:
            process.stdin.write(line)
        process.stdin.close()
    if process.wait():
        raise SystemExit(f"failed: {' '.join(command)}")
    seconds = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    late = peaks["anonymous"][len(peaks["anonymous"]) // 2 :]
    return {
        "seconds": seconds,
        "processor_seconds": used,
        "peak_mb": max(peaks["anonymous"], default=0.0) / 1e6,
        "peak_with_files_mb": max(peaks["resident"], default=0.0) / 1e6,
        "late_mean_mb": sum(late) / max(1, len(late)) / 1e6,
    }


def _watch(process: subprocess.Popen[bytes], peaks: dict[str, list[float]]) -> None:
    while process.poll() is None:
        pids, anonymous, shared = [process.pid], 0.0, 0.0
        for pid in pids:  # grows while it is walked
            pids += kill_corpus.children(pid)
            try:
                parts = Path(f"/proc/{pid}/smaps_rollup").read_text().split()
            except OSError:
                continue
            anonymous += 1024.0 * int(parts[parts.index("Anonymous:") + 1])
            shared += 1024.0 * int(parts[parts.index("Pss:") + 1])
        peaks["anonymous"].append(anonymous)
        peaks["resident"].append(shared)
        time.sleep(0.5)


def machine() -> str:
    """Say what the numbers were measured on."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores ({platform.machine()}), torch {torch.__version__}, Python {platform.python_version()}"


PARTS: dict[str, Callable[[Path, argparse.Namespace], dict[str, Any]]] = {
    "corpus": corpus,
    "memory": memory,
    "kills": kills,
    "room": room,
    "agreement": agreement,
    "fuzz": fuzz,
}


if __name__ == "__main__":
    main()
