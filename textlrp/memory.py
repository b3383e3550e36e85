"""What the C library does with memory that is free again: keep it for the next explanation, or give it back to the system."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

from textlrp.errors import InputError

__all__ = ["bound_kernels", "give_back", "keep_freed_memory"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of mallopt's parameters, from malloc.h


def keep_freed_memory(megabytes: int = 512) -> bool:
    """Let this process keep up to so many megabytes that are free again; return whether the C library could be told (glibc).

    Otherwise the memory of every batch is given back and asked for again, and each new page of 4 kB is a fault: up to a fifth
    of the time of an explanation. The command line and the workers of `explain-corpus` do this for themselves; in a program of
    your own it is yours to choose, since it concerns the whole process. Raises InputError unless `megabytes` is a whole number
    from 1.

    >>> from textlrp.memory import keep_freed_memory
    >>> kept = keep_freed_memory(256)
    """
    if isinstance(megabytes, bool) or not isinstance(megabytes, int) or megabytes < 1:
        raise InputError(f"keep_freed_memory needs a whole number of megabytes from 1, not {megabytes!r}")
    library = _library()
    if library is None or not hasattr(library, "mallopt"):
        return False
    size = min(megabytes << 20, 2**31 - 1)
    return bool(library.mallopt(_MMAP_THRESHOLD, size)) and bool(library.mallopt(_TRIM_THRESHOLD, size))


def bound_kernels(count: int = 64) -> None:
    """Let oneDNN remember the kernels of so many shapes, if torch is not yet imported and nobody chose another number.

    It remembers 1,024 by itself, and an LSTM has another shape for every batch, which takes half a megabyte.

    >>> from textlrp.memory import bound_kernels
    >>> bound_kernels()
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(count))


def give_back() -> None:
    """Give memory that is free back to the system, where the C library has a way to (glibc)."""
    library = _library()
    if library is not None and hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


def _library() -> Any:
    if sys.platform != "linux":
        return None
    import ctypes

    with contextlib.suppress(OSError):
        return ctypes.CDLL("libc.so.6")
    return None
