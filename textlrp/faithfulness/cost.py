"""What an explanation costs: seconds a text, and how far resident memory grows."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from textlrp.memory import give_back

__all__ = ["cost"]

_STATM = Path("/proc/self/statm")
_PAGE = 4096


def cost(run: Callable[[], object], *, least_seconds: float = 0.2, most_runs: int = 3) -> tuple[float, float]:
    """Return the fewest seconds that `run` took, and the megabytes by which resident memory grew at most (NaN off Linux).

    It is run once, and again up to `most_runs` times until `least_seconds` have passed. Memory is read every 2 ms.
    """
    seconds: list[float] = []
    grown: list[int] = []
    while not seconds or (sum(seconds) < least_seconds and len(seconds) < most_runs):
        with _watched() as peak:
            began = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - began)
        grown.append(peak[1] - peak[0])
    return min(seconds), max(grown) * _PAGE / 1e6 if _STATM.exists() else float("nan")


def _pages() -> int:
    return int(_STATM.read_text().split()[1]) if _STATM.exists() else 0


@contextlib.contextmanager
def _watched() -> Iterator[list[int]]:
    """Yield [pages before, most pages seen]; filled when the block ends."""
    give_back()  # else memory that is free but kept would hide what is taken
    stop = threading.Event()
    peak = [_pages()] * 2

    def look() -> None:
        while not stop.wait(0.002):
            peak[1] = max(peak[1], _pages())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()
        peak[1] = max(peak[1], _pages())
