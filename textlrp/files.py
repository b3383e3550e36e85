"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from textlrp.errors import InputError

__all__ = ["atomic_folder", "atomic_path", "exists", "expanded", "is_folder", "write_bytes", "write_json", "write_text"]


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path`, on any error it is removed.

    The bytes reach the disk (fsync) before the name does, so that a reader or a power cut sees the old file or the new one.
    What a symbolic link points to is replaced, not the link; a pipe or device stays what it is, and gets the bytes at the end.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_path(folder / "a.txt") as temporary:
    ...     _ = temporary.write_text("whole")
    >>> (folder / "a.txt").read_text()
    'whole'
    """
    given = Path(path)
    if given.is_dir():
        raise InputError(f"cannot write {str(given)!r}: it is a folder; give the name of a file")
    if given.exists() and not given.is_file():
        with _passed_on(given) as temporary:
            yield temporary
        return
    target = Path(os.path.realpath(given)) if given.is_symlink() else given
    if not target.parent.is_dir():
        raise InputError(f"cannot write {str(given)!r}: the folder {str(target.parent)!r} does not exist; create it first")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield temporary
        with open(temporary, "rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _passed_on(path: Path) -> Iterator[Path]:
    """Yield a temporary path; on success what was written there goes into the pipe or device `path`."""
    with tempfile.TemporaryDirectory(prefix="textlrp-") as folder:
        temporary = Path(folder, "whole")
        yield temporary
        with open(temporary, "rb") as source, os.fdopen(os.open(path, os.O_WRONLY), "wb") as sink:
            shutil.copyfileobj(source, sink)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it takes the name `path` (an older folder of that name is removed)."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_dir():
        raise InputError(f"cannot write the folder {str(path)!r}: it is a file; give another name")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    temporary.mkdir()
    try:
        yield temporary
        _take_place(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _take_place(temporary: Path, target: Path) -> None:
    """Give a folder the name `target`, and remove what had it, also what another process puts there in the meantime."""
    while True:
        old = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.old")
        try:
            with contextlib.suppress(FileNotFoundError):  # nothing has that name
                os.replace(target, old)
            os.replace(temporary, target)
            return
        except BaseException as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                continue  # another process was faster
            if old.exists() and not target.exists():
                os.replace(old, target)
            raise
        finally:
            shutil.rmtree(old, ignore_errors=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8, whole or not at all; lone surrogates are written as `?`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", errors="replace"))


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write bytes, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: str | os.PathLike[str], value: Any, *, indent: int | None = 2) -> None:
    """Write `value` as JSON (UTF-8, no NaN), whole or not at all."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False) + "\n")


def exists(path: str | os.PathLike[str]) -> bool:
    """Whether there is a file or folder of this name; False too where no file can have it, as one of 5,000 characters.

    >>> exists("x" * 5000), exists(".")
    (False, True)
    """
    return _told(Path(path).exists)


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether there is a folder of this name; False too where none can have it.

    >>> is_folder("x" * 5000), is_folder(".")
    (False, True)
    """
    return _told(Path(path).is_dir)


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return the path with `~` as the home folder; as it is where there is no such user.

    >>> expanded("~nosuchuser/a").as_posix()
    '~nosuchuser/a'
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def _told(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.ENAMETOOLONG, errno.EINVAL):
            raise
        return False
