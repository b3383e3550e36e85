"""Python's cyclic garbage collector, kept from looking through many objects that are all wanted."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["uncollected"]

_LOCK = threading.Lock()
_depth = 0


@contextmanager
def uncollected() -> Iterator[None]:
    """Put off garbage collection while very many small objects are made and kept, such as tokens: each full collection looks
    at all objects of the process, and finds nothing. Reference counting goes on; afterwards all is as it was.

    >>> with uncollected():
    ...     gc.isenabled()
    False
    """
    global _depth
    with _LOCK:
        ours = _depth > 0 or gc.isenabled()  # else somebody put it off already, and it is theirs to put on
        if ours:
            _depth += 1
            gc.disable()
    try:
        yield
    finally:
        if ours:
            with _LOCK:
                _depth -= 1
                if _depth == 0:
                    gc.enable()
