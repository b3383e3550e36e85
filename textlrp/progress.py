"""Progress bars on long work: silent in a library, shown by the command line."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["meter", "shown", "track"]

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
    if total is None:
        total = len(items) if isinstance(items, Sized) else None
    with _bar() as bar:
        task = bar.add_task(description, total=total)
        for item in items:
            yield item
            bar.advance(task, item[0] if weigh else 1)  # type: ignore[index]


@contextlib.contextmanager
def meter(description: str, *, total: float | None = None, done: float = 0) -> Iterator[Callable[..., None]]:
    """Yield `advance(by, total=None)`, which moves a bar that began at `done`; a total may become known, or change, later.

    >>> with shown(False), meter("counting", total=2) as advance:
    ...     advance(2)
    """
    if not _SHOWN.get():
        yield lambda by, total=None: None
        return
    with _bar() as bar:
        task = bar.add_task(description, total=total, completed=int(done))

        def advance(by: float, total: float | None = None) -> None:
            if total is not None:
                bar.update(task, total=total)
            bar.advance(task, by)

        yield advance


def _bar() -> Progress:
    """A bar with count, rate, time and time left, on standard error."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        max_refresh = 0.5

        def render(self, task: Any) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.1f}/s")

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
