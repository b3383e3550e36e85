"""Work in threads, with a bound on everything: how much runs, how much waits, and how long a request waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from textlrp.server.problems import Gone, Problem

__all__ = ["Jobs"]

T = TypeVar("T")


class Jobs:
    """`workers` threads and room for `queue` jobs that wait; each request waits at most `seconds`.

    A job that a request no longer waits for is dropped if it has not begun; if it runs, it keeps its place until it ends, so
    that work nobody waits for counts against the bound too. Each thread calls `prepare` once, before its first job.
    """

    def __init__(self, *, workers: int, queue: int, seconds: float, prepare: Callable[[], None] = lambda: None) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="textlrp", initializer=prepare)
        self._room = threading.BoundedSemaphore(workers + queue)
        self._seconds = seconds

    async def run(self, work: Callable[[], T], gone: Awaitable[Any] | None = None) -> T:
        """Run `work` in a thread and return what it returns, or raise what it raises.

        Raises `Problem` 503 where too much waits already or the time is over, and `Gone` where `gone` comes first.
        """
        if not self._room.acquire(blocking=False):
            raise _busy("Too many explanations are waiting already; try again in a second.")
        future: Future[T] = self._pool.submit(work)
        future.add_done_callback(lambda _: self._room.release())
        waiting = asyncio.wrap_future(future)
        waiting.add_done_callback(_look)
        leaving = None if gone is None else asyncio.ensure_future(gone)
        if leaving is not None:
            leaving.add_done_callback(_look)
        try:
            both = {waiting} if leaving is None else {waiting, leaving}
            done, _ = await asyncio.wait(both, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if leaving is not None:
                leaving.cancel()
            if not waiting.done():
                future.cancel()  # which stops it only before it has begun
        if waiting in done:
            return waiting.result()
        if done:
            raise Gone
        raise _busy(f"This took longer than the {self._seconds:g} seconds a request may take; try a shorter text.")

    def begin(self, work: Callable[[], Any]) -> None:
        """Run `work` as soon as there is a thread, for nobody in particular; its errors will show again when it is needed."""
        self._pool.submit(work)

    def close(self) -> None:
        """Drop what waits, and let what runs end."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _busy(detail: str) -> Problem:
    return Problem(503, detail, {"retry-after": "1"})


def _look(future: asyncio.Future[Any]) -> None:
    """Take the error that nobody waits for any more: it would be logged, and may quote a text."""
    if not future.cancelled():
        future.exception()
