"""The loop of a fuzzer: run an input, see whether it reached new lines, keep it if so, and minimise what fails."""

from __future__ import annotations

import gc
import hashlib
import random
import re
import resource
import signal
import sys
import time
import traceback
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzz_mutate import LONGEST, mutate

from textlrp.errors import TextLRPError

__all__ = ["Finding", "Fuzzer", "Target", "limit_memory", "outcome"]

PACKAGE = str(Path(sys.modules["textlrp"].__file__ or "").parent)
SECONDS = 5.0  # of processor time for one input of at most 100,000 bytes
MEMORY = 1 << 30  # bytes that an input may take beside what is there
LONGEST_MESSAGE = 20_000  # characters
_STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True)
class Target:
    """Something to try inputs on: `check` returns, or raises a TextLRPError, or else has found a fault."""

    name: str
    about: str
    check: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    generated: Callable[[], Any]  # a hypothesis strategy of inputs
    words: tuple[bytes, ...] = ()
    as_json: bool = False


@dataclass(frozen=True)
class Finding:
    """An input that fails, made small, with what it does."""

    target: str
    kind: str
    data: bytes
    trace: str


class Hang(BaseException):
    """An input took longer than its time."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise Hang in the code below after so much processor time."""

    def stop(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def limit_memory(more: int = MEMORY) -> None:
    """Let this process take only so much more address space than it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


def outcome(target: Target, data: bytes, *, seconds: float = SECONDS) -> tuple[str, str]:
    """Run one input; return ("", "") where all is well, else the kind of the fault (its type and place) and its traceback."""
    try:
        with time_limit(seconds):
            target.check(data)
    except TextLRPError as error:
        message = str(error)
        if 10 <= len(message) <= LONGEST_MESSAGE and not _STEERS.search(message):
            return "", ""
        return f"a poor message of {type(error).__name__} at {_place(error)}", traceback.format_exc()
    except Hang as error:
        return f"a hang at {_place(error)}", traceback.format_exc()
    except MemoryError as error:
        return f"too much memory at {_place(error)}", traceback.format_exc()
    except Exception as error:
        return f"{type(error).__name__} at {_place(error)}", traceback.format_exc()
    return "", ""


def _place(error: BaseException) -> str:
    """The last line of textlrp (else the last of the check) that the error passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(PACKAGE)] or frames[-1:]
    last = ours[-1]
    return f"{Path(last.filename).name}:{last.name}:{last.lineno}"


class Lines:
    """Which lines of textlrp have run. A function all of whose lines have run is traced no more, so that this stays cheap."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, int]] = set()
        self._open: dict[types.CodeType, set[int]] = {}

    def __enter__(self) -> Lines:
        self.before = len(self.seen)
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    @property
    def grew(self) -> bool:
        """Whether the last run reached a line for the first time."""
        return len(self.seen) > self.before

    def _call(self, frame: types.FrameType, event: str, argument: object) -> Callable[..., Any] | None:
        code = frame.f_code
        left = self._open.get(code)
        if left is None:
            if not code.co_filename.startswith(PACKAGE):
                return None
            left = {line for _, _, line in code.co_lines() if line is not None} - {code.co_firstlineno}
            self._open[code] = left
        if not left:
            return None

        def trace(frame: types.FrameType, event: str, argument: object) -> Callable[..., Any]:
            if event == "line" and frame.f_lineno in left:
                left.discard(frame.f_lineno)
                self.seen.add((code.co_filename, frame.f_lineno))
            return trace

        return trace


@dataclass
class Fuzzer:
    """Tries inputs on one target: seeds, generated ones, and changed ones of those that reached something new."""

    target: Target
    seed: int
    corpus: list[bytes] = field(default_factory=list)
    findings: dict[str, Finding] = field(default_factory=dict)
    executions: int = 0
    before: Callable[[bytes], None] = lambda data: None
    lines: Lines = field(default_factory=Lines)

    def run(self, *, seconds: float = float("inf"), executions: int | float = float("inf"), round_: int = 0) -> float:
        """Go on for so many seconds, or so many executions; return the seconds."""
        random_ = random.Random(f"{self.seed} {round_}")
        began, first = time.monotonic(), self.executions
        if not self.corpus:
            self.corpus = [data[:LONGEST] for data in self.target.seeds()]
        for data in list(self.corpus):
            self.execute(data)
        busy = lambda: time.monotonic() - began < seconds and self.executions - first < executions  # noqa: E731
        while busy():
            self._generate(random_.randrange(2**32), min(100, max(1, int(min(executions, 4_000) / 40))))
            for _ in range(400):
                if not busy():
                    break
                chosen = random_.choice(self.corpus[-60:] if random_.random() < 0.5 else self.corpus)
                data = mutate(chosen, random_, self.corpus, self.target.words, as_json=self.target.as_json)
                self.execute(data, keep=True)
            gc.collect()
        return time.monotonic() - began

    def execute(self, data: bytes, *, keep: bool = False) -> None:
        """Run one input; keep it if it reached a new line, and note what it found."""
        self.executions += 1
        self.before(data)
        with self.lines:
            kind, trace = outcome(self.target, data)
        if kind and kind not in self.findings:
            small = self._minimised(data, kind)
            self.findings[kind] = Finding(self.target.name, kind, small, trace)
        elif keep and self.lines.grew:
            self.corpus.append(data)

    def _generate(self, seed: int, count: int) -> None:
        """Run inputs that hypothesis makes."""
        import hypothesis

        quiet = hypothesis.settings(
            max_examples=count,
            deadline=None,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=[hypothesis.Phase.generate],
        )

        @hypothesis.seed(seed)
        @quiet
        @hypothesis.given(self.target.generated())
        def one(data: bytes) -> None:
            self.execute(data[:LONGEST], keep=True)

        one()

    def _minimised(self, data: bytes, kind: str, *, tries: int = 400) -> bytes:
        """Cut from an input what its fault does not need."""
        size = len(data) // 2
        while size and tries > 0 and not kind.startswith("a hang"):
            at = 0
            while at < len(data) and tries > 0:
                smaller = data[:at] + data[at + size :]
                tries -= 1
                self.before(smaller)
                if outcome(self.target, smaller)[0] == kind:
                    data = smaller
                else:
                    at += size
            size //= 2
        return data


def digest(data: bytes) -> str:
    """A short name for an input."""
    return hashlib.sha256(data).hexdigest()[:12]
