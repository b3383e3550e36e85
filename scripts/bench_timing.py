"""Timing in turns: every function once a turn, so that what slows the machine down slows all of them; ratios turn by turn."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from textlrp.memory import give_back

__all__ = ["CLOCKS", "Row", "Turns", "choose_clock", "peak_bytes", "row", "shell_seconds", "spread", "turns"]


#: "wall" is what a person waits; "cpu" is what the process itself worked: for one thread on a machine that others use too.
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}
_clock = "wall"


def choose_clock(name: str) -> None:
    """Measure by this clock from now on."""
    global _clock
    _clock = name


@dataclass(frozen=True)
class Row:
    """One measured number: a ratio (or a time), its quartiles, the time in milliseconds, and the target, if there is one.

    The target is an upper bound, or a lower one if `least`; `size` is what the plot draws the row against.
    """

    name: str
    value: float
    low: float
    high: float
    milliseconds: float | None = None
    target: float | None = None
    least: bool = False
    unit: str = "×"
    size: dict[str, float] = field(default_factory=dict)

    @property
    def reached(self) -> bool | None:
        """Whether the median keeps to the target."""
        if self.target is None:
            return None
        return self.value >= self.target if self.least else self.value <= self.target

    def to_dict(self) -> dict[str, Any]:
        """Return the row for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Turns:
    """The times in seconds of each function, turn by turn."""

    seconds: Mapping[str, list[float]]

    def ratio(self, one: str, other: str) -> tuple[float, float, float]:
        """Return median and quartiles of one / other."""
        return spread([a / b for a, b in zip(self.seconds[one], self.seconds[other], strict=True)])

    def milliseconds(self, name: str) -> tuple[float, float, float]:
        """Return median and quartiles of the time."""
        return spread([1000 * each for each in self.seconds[name]])


def spread(values: list[float]) -> tuple[float, float, float]:
    """Return median, lower and upper quartile."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high


def turns(functions: Mapping[str, Callable[[], object]], repeats: int, *, warm: int = 1, block: int = 1) -> Turns:
    """Run every function `repeats` times, in turns, after `warm` turns that do not count.

    A turn is `block` calls in a row, as timeit has them, of which the mean counts: a function that takes less than a
    millisecond, called but once, finds the processor's caches full of another package.
    """
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    now = CLOCKS[_clock]
    for turn in range(-warm, repeats):
        for name, function in functions.items():
            began = now()
            for _ in range(block):
                function()
            if turn >= 0:
                seconds[name].append((now() - began) / block)
    return Turns(seconds)


def row(name: str, found: Turns, one: str, other: str, **options: Any) -> Row:
    """Return the row of one / other."""
    value, low, high = found.ratio(one, other)
    return Row(name, value, low, high, milliseconds=found.milliseconds(one)[0], **options)


def shell_seconds(command: list[str]) -> float:
    """Return what a command takes by the chosen clock, from start to end."""

    def now() -> float:
        times = os.times()
        return time.perf_counter() if _clock == "wall" else times.children_user + times.children_system

    began = now()
    subprocess.run(command, check=True, capture_output=True)
    return now() - began


def peak_bytes(function: Callable[[], object]) -> int | None:
    """Return how far memory rises above what is held before, while `function` runs; None where Linux does not tell."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")

    def read(key: str) -> int:
        line = next(each for each in status.read_text().splitlines() if each.startswith(key))
        return 1024 * int(line.split()[1])

    try:
        give_back()  # or freed memory would be filled again unseen
        reset.write_text("5")
        before = read("VmRSS")
        function()
        return read("VmHWM") - before
    except (OSError, StopIteration):
        return None
