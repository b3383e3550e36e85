"""The lock of a folder, so that two runs cannot write to it; it goes with its process, however that ends."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import BinaryIO

__all__ = ["LOCK", "give_back", "take"]

LOCK = ".lock"
_UNKNOWN = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)  # on a file system without locks one goes on without


def take(folder: Path) -> BinaryIO | None:
    """Take the lock of a folder; return its open file, which holds it until it is closed, or None where another run has it.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with take(folder):
    ...     take(folder) is None
    True
    """
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        handle = open(folder / LOCK, "a+b")  # noqa: SIM115 - closed by who takes the lock
        if not _lock(handle):
            handle.close()
            return None
        if _is_there(handle, folder):
            return handle
        handle.close()  # who had the lock has removed its file since


def give_back(handle: BinaryIO, folder: Path) -> None:
    """Give the lock of a folder back and remove its file, and the folder too if it is empty then."""
    with contextlib.suppress(OSError):
        if _is_there(handle, folder):
            (folder / LOCK).unlink()
            folder.rmdir()
    handle.close()


def _is_there(handle: BinaryIO, folder: Path) -> bool:
    """Whether the open file is still the one that has its name in the folder."""
    try:
        return os.path.samestat(os.fstat(handle.fileno()), os.stat(folder / LOCK))
    except FileNotFoundError:
        return False


def _lock(handle: BinaryIO) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise
    return True
