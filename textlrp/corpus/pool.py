"""Worker processes on this machine: a bounded queue of pieces in, records out; a worker that dies is replaced."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import textlrp
from textlrp.corpus.failures import CorpusError, as_error
from textlrp.corpus.rows import Piece
from textlrp.corpus.worker import receive, send

__all__ = ["TRIES", "run_local"]

RENEWED = 64  # shards after which a worker is replaced: whatever an allocator keeps, memory stays flat
TRIES = 3  # times that a piece is given to a worker before the run gives up
_END = object()


def run_local(pieces: Iterator[Piece], task: dict[str, Any], *, workers: int) -> Iterator[dict[str, Any]]:
    """Give pieces to worker processes and yield the records of their shards as they are finished, in any order.

    `task` is a worker's first frame. At most two pieces a worker are in memory. A worker that dies is replaced and its piece
    done again; raises CorpusError when a piece has killed `TRIES` workers, or when a worker tells of an error.
    """
    todo: queue.Queue[Any] = queue.Queue(maxsize=workers)
    done: queue.Queue[Any] = queue.Queue()
    stop = threading.Event()
    threads = [_Worker(task, todo, done, stop) for _ in range(workers)]
    feeder = threading.Thread(target=_feed, args=(pieces, todo, done, stop, workers), daemon=True)
    try:
        for each in (feeder, *threads):
            each.start()
        ended = 0
        while ended < workers:
            found = done.get()
            if isinstance(found, BaseException):
                raise found
            if found is _END:
                ended += 1
            else:
                yield found
    finally:
        stop.set()
        for thread in threads:
            thread.close()
        for thread in threads:
            thread.join(timeout=10)


def _feed(pieces: Iterator[Piece], todo: queue.Queue[Any], done: queue.Queue[Any], stop: threading.Event, workers: int) -> None:
    """Read the source ahead of the workers; an error of the source ends the run."""
    try:
        for piece in pieces:
            if not _put(todo, piece, stop):
                return
        for _ in range(workers):
            _put(todo, _END, stop)
    except BaseException as error:
        done.put(error)


def _put(todo: queue.Queue[Any], item: Any, stop: threading.Event) -> bool:
    while not stop.is_set():
        with contextlib.suppress(queue.Full):
            todo.put(item, timeout=0.2)
            return True
    return False


class _Worker(threading.Thread):
    """A thread that minds one worker process."""

    def __init__(self, task: dict[str, Any], todo: queue.Queue[Any], done: queue.Queue[Any], stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.task, self.todo, self.done, self.stop = task, todo, done, stop
        self.process: subprocess.Popen[bytes] | None = None
        self.shards = 0
        self.said = tempfile.TemporaryFile()  # noqa: SIM115 - what the worker prints, for the error message
        self.lock = threading.Lock()

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                try:
                    piece = self.todo.get(timeout=0.2)
                except queue.Empty:
                    continue
                if piece is _END:
                    break
                self.done.put(self._explain(piece))
            self.done.put(_END)
        except BaseException as error:
            self.done.put(error)
        finally:
            self.close()

    def _explain(self, piece: Piece) -> dict[str, Any]:
        what = f"rows {piece.first:,} to {piece.last - 1:,}"
        for _ in range(TRIES):
            answer = self._ask({"digest": piece.digest}, piece.payload) if self._ready() else None
            if answer is not None:
                if "error" in answer:
                    raise as_error(answer, self.task["out"], what)
                self.shards += 1
                if self.shards % RENEWED == 0:
                    self._end()
                return answer
            if self.stop.is_set():
                raise CorpusError("the run was stopped")
        raise CorpusError(
            f"{what}: the worker process died {TRIES} times ({self._last()}); if memory ran out, use fewer --workers or a "
            f"smaller --shard-size into another --out, else look at these rows. What is finished is kept"
        )

    def _ready(self) -> bool:
        """Whether there is a worker, started if there is none."""
        if self.process is not None and self.process.poll() is None:
            return True
        with self.lock:
            if self.stop.is_set():
                return False
            self.process = subprocess.Popen(
                [sys.executable, "-c", "from textlrp.corpus.worker import main; main()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.said,
                env=_environment(),
            )
        answer = self._ask(self.task, b"")
        if answer is not None and "error" in answer:
            raise as_error(answer, self.task["out"], "a worker cannot start")
        return answer is not None

    def _ask(self, message: dict[str, Any], body: bytes) -> dict[str, Any] | None:
        """Send a frame and wait for the answer; None where the worker is gone."""
        process = self.process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            send(process.stdin, message, body)  # type: ignore[arg-type]
            answer = receive(process.stdout)  # type: ignore[arg-type]
        except (OSError, ValueError):
            answer = None
        if answer is None:
            self._end()
            return None
        return answer[0]

    def _last(self) -> str:
        code = self.process.returncode if self.process is not None else None
        how = "" if code is None else f"signal {-code}" if code < 0 else f"exit status {code}"
        with contextlib.suppress(OSError, ValueError):
            size = self.said.seek(0, os.SEEK_END)
            self.said.seek(max(0, size - 300))
            last = self.said.read().decode("utf-8", "replace").strip().splitlines()
            how += f": {last[-1][:200]}" if last else ""
        return how

    def _end(self) -> None:
        process = self.process
        if process is None:
            return
        with contextlib.suppress(OSError):
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError, ValueError):
                if stream is not None:
                    stream.close()

    def close(self) -> None:
        """End the worker, whatever it does."""
        with self.lock:
            process = self.process
        if process is not None and process.poll() is None:
            with contextlib.suppress(OSError):
                process.kill()
        if threading.current_thread() is self:
            self._end()
            self.said.close()


def _environment() -> dict[str, str]:
    """One thread a worker, and this textlrp, wherever it was imported from."""
    home = str(Path(textlrp.__file__).resolve().parent.parent)
    path = os.pathsep.join(each for each in (home, os.environ.get("PYTHONPATH", "")) if each)
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {**os.environ, **threads, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
