"""The report on speed: tables beside targets, the machine, the plot."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_timing import Row

from textlrp.palette import mark

__all__ = ["machine", "page", "plot", "table"]

_NOTES = Path(__file__).with_name("bench_notes.md")


def machine(threads: int) -> str:
    """Name the processor, the threads and the versions."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():  # of virtual machines, names often do not tell which processor it is
        known = dict(map(str.strip, line.split(":", 1)) for line in info.read_text().splitlines() if ":" in line)
        parts = [f"{key.removeprefix('cpu ')} {known[key]}" for key in ("cpu family", "model") if key in known]
        name = known.get("model name", name) + (f" ({', '.join(parts)})" if parts else "")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU at hand"
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}"
    kind = torch.backends.cpu.get_cpu_capability()
    return f"{name}, {threads} threads, {kind}; {device}; {versions}; {datetime.date.today()}"


def _row(each: Row) -> str:
    digits = 2 if each.unit in ("×", "s") else 1
    goal, verdict = "", ""
    if each.target is not None:
        goal = f"{'≥' if each.least else '≤'} {each.target:g}"
        verdict = "reached" if each.reached else "**not reached**"
    time = "" if each.milliseconds is None else f"{each.milliseconds:.2f}"
    middle, low, high = (f"{number:.{digits}f}" for number in (each.value, each.low, each.high))
    return f"| {each.name} | {middle} {each.unit} | {low} to {high} | {time} | {goal} | {verdict} |"


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    if not rows:
        return "Not measured: nothing of the kind was at hand."
    head = "| what | median | quartiles | ms | target | |\n| --- | --- | --- | --- | --- | --- |"
    return "\n".join([head, *map(_row, rows)])


def page(kept: Mapping[str, Any], titles: Mapping[str, str], *, name: str) -> str:
    """Return the whole report."""
    parts = [
        "# What an explanation costs",
        f"Command: `python scripts/bench.py --write reports/{name}.md`, with the options that each section names. "
        "Ratios are taken turn by turn within one run; the "
        "table gives their median and quartiles, the time of the first of the two in milliseconds, and the target that was set "
        "before. What misses its target says so.",
        f"![Cost against size]({name}.svg)",
    ]
    targets = [
        Row(**each) for key, section in kept.items() if key != "note" for each in section["rows"] if each["target"] is not None
    ]
    parts.append(f"Of {len(targets)} targets, {sum(bool(each.reached) for each in targets)} are reached.")
    if "note" in kept:  # what is true of these measurements alone
        parts.append(kept["note"].strip())
    if _NOTES.is_file():
        parts.append(_NOTES.read_text("utf-8").strip())
    for section, title in titles.items():
        if section not in kept:
            continue
        found = kept[section]
        parts += [f"## {title.strip().rstrip('.')}", f"`--sections {section} {found['options']}`: {found['machine']}."]
        parts.append(table([Row(**each) for each in found["rows"]]))
    return "\n\n".join(parts) + "\n"


def plot(kept: Mapping[str, Any], path: Path) -> None:
    """Draw cost against size, as PNG and SVG beside the report."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = [Row(**each) for section in ("sizes", "texts") if section in kept for each in kept[section]["rows"]]
    lines: dict[str, list[tuple[float, Row]]] = {}
    for each in rows:
        for axis, size in each.size.items():
            lines.setdefault(axis, []).append((size, each))
    if not lines:
        return
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for number, (axis, points) in enumerate(lines.items()):
        style: dict[str, Any] = {"label": axis, **mark(number)}
        places = [size for size, _ in points]
        left.plot(places, [each.milliseconds for _, each in points], **style)
        middle = [each.value for _, each in points]
        errors = [[each.value - each.low for _, each in points], [each.high - each.value for _, each in points]]
        right.errorbar(places, middle, yerr=errors, capsize=3, **style)
    left.set(xscale="log", yscale="log", xlabel="size", ylabel="milliseconds", title="time of the explanation")
    right.set(xscale="log", xlabel="size", ylabel="ratio", title="over the network alone (T, B, H) or predict_proba (texts)")
    right.set_ylim(bottom=0)
    left.legend()
    right.legend()
    for suffix in (".png", ".svg"):
        figure.savefig(path.with_suffix(suffix), dpi=130, metadata={"Date": None} if suffix == ".svg" else None)
    plt.close(figure)
