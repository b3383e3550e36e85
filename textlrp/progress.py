"""Progress bars on long work: silent in a library, shown by the command line."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

__all__ = ["shown", "track"]

T = TypeVar("T")
_SHOWN: contextvars.ContextVar[bool] = contextvars.ContextVar("textlrp_progress_shown", default=False)


@contextlib.contextmanager
def shown(on: bool = True) -> Iterator[None]:
    """Show the progress bars of everything that runs inside, on standard error.

    >>> with shown(False):
    ...     list(track(range(3), "counting"))
    [0, 1, 2]
    """
    token = _SHOWN.set(on)
    try:
        yield
    finally:
        _SHOWN.reset(token)


def track(items: Iterable[T], description: str, *, total: float | None = None, weigh: bool = False) -> Iterator[T]:
    """Yield `items`, drawing a bar with rate and time left where bars are shown.

    With `weigh`, each item is a pair (weight, value): the bar advances by the weight, the value is yielded in its pair.
    """
    if not _SHOWN.get():
        yield from items
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    if total is None:
        total = len(items) if isinstance(items, Sized) else None
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(description, total=total)
        for item in items:
            yield item
            bar.advance(task, item[0] if weigh else 1)  # type: ignore[index]
