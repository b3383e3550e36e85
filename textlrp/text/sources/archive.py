"""Text files in a folder or an archive, one after the other; an archive is streamed, and never unpacked to disk."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, cast

from textlrp.errors import DataError
from textlrp.text.sources.bounded import LARGEST_MEMBER, LARGEST_TOTAL, Bounded, most_unpacked, too_large

__all__ = ["ARCHIVES", "LARGEST_MEMBER", "LARGEST_TOTAL", "Member", "is_archive", "members"]

ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")
#: How a member of a .zip may be compressed: LZMA may ask for 4 GiB of memory before its first byte.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)


class Member(NamedTuple):
    """A file: its path below the root, with forward slashes, and its bytes."""

    name: PurePosixPath
    data: bytes


def is_archive(path: Path) -> bool:
    """Tell by its name whether a file is an archive that `members` reads."""
    return path.name.lower().endswith(ARCHIVES)


def members(path: Path, wanted: Callable[[PurePosixPath], bool]) -> Iterator[Member]:
    """Yield the `wanted` files of a folder or archive; raise DataError for a broken or unsafe archive."""
    if path.is_dir():
        yield from _from_folder(path, wanted)
    elif path.name.lower().endswith(".zip"):
        yield from _from_zip(path, wanted)
    else:
        yield from _from_tar(path, wanted)


def _from_folder(root: Path, wanted: Callable[[PurePosixPath], bool]) -> Iterator[Member]:
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        below = PurePosixPath(*Path(folder).relative_to(root).parts)
        for file in sorted(files):
            name = below / file
            if _junk(name) or not wanted(name):
                continue
            full = Path(folder, file)
            try:
                info = full.stat()
                if not stat.S_ISREG(info.st_mode):
                    raise DataError(f"{str(full)!r} is not an ordinary file; remove it from the folder")
                _check_size(str(full), info.st_size)
                data = full.read_bytes()
            except OSError as error:
                raise DataError(f"cannot read {str(full)!r}: {error.strerror}") from error
            yield Member(name, data)


def _from_tar(path: Path, wanted: Callable[[PurePosixPath], bool]) -> Iterator[Member]:
    with _broken_archive(path), contextlib.ExitStack() as stack:
        raw: IO[bytes] = stack.enter_context(open(path, "rb"))
        if raw.read(2) == b"\x1f\x8b":
            raw.seek(0)
            raw = stack.enter_context(
                cast(IO[bytes], gzip.GzipFile(fileobj=raw))
            )  # unlike tarfile's own stream, it checks length and CRC
        else:
            raw.seek(0)
        most = _most(path)
        stream = Bounded(raw, path, most=most, most_at_once=LARGEST_MEMBER + 4096)
        taken = 0
        tar = stack.enter_context(tarfile.open(fileobj=stream, mode="r:"))  # type: ignore[call-overload]
        for info in tar:
            tar.members = []  # type: ignore[attr-defined]  # nothing is kept: a hundred thousand members are read once, in order
            if not (info.isreg() or info.isdir()) or info.issparse():
                kind = "a file with holes" if info.issparse() else "a link or device"
                raise DataError(f"the archive {str(path)!r} holds {info.name!r}, {kind}; refused: get it from its source")
            name = _safe_name(info.name, path)
            if not name.parts and not info.isdir():
                raise tarfile.ReadError("a member has no name")
            if info.isdir() or _junk(name) or not wanted(name):
                continue
            _check_size(f"{info.name!r} in {str(path)!r}", info.size)
            taken += info.size
            if taken > most:
                raise too_large(path, most)
            handle = tar.extractfile(info)
            data = handle.read() if handle else b""
            if len(data) != info.size:
                raise EOFError("a member is cut off")
            yield Member(name, data)
        while rest := stream.read(1 << 20):  # to the end, so that a wrong checksum or a damaged header is seen
            if rest.count(0) != len(rest):
                raise tarfile.ReadError("damaged header")


def _from_zip(path: Path, wanted: Callable[[PurePosixPath], bool]) -> Iterator[Member]:
    with _broken_archive(path), zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        most = _most(path)
        if sum(info.file_size for info in infos) > most:
            raise too_large(path, most)
        for info in infos:
            mode = info.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise DataError(
                    f"the archive {str(path)!r} holds {info.filename!r}, a link or device; refused: get it from its source"
                )
            name = _safe_name(info.orig_filename, path)
            is_dir = info.filename.endswith("/")  # info.is_dir() fails where there is no name
            if not name.parts and not is_dir:
                raise zipfile.BadZipFile("a member has no name")
            if is_dir or _junk(name) or not wanted(name):
                continue
            _check_size(f"{info.filename!r} in {str(path)!r}", info.file_size)
            if info.compress_type not in _METHODS:
                raise NotImplementedError(f"{info.filename!r} is compressed by a method other than deflate or bzip2")
            with archive.open(info) as handle:
                data = handle.read(info.file_size + 1)
            if len(data) != info.file_size:
                raise EOFError("a member has another length than it says")
            yield Member(name, data)


@contextlib.contextmanager
def _broken_archive(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise DataError(f"the archive {str(path)!r} is broken or cut off ({error}); get it again") from error
    except (RuntimeError, NotImplementedError) as error:  # zipfile: encrypted, or an unknown compression
        raise DataError(f"cannot read the archive {str(path)!r}: {error}; unpack it and give the folder") from error
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror or error}") from error


def _most(path: Path) -> int:
    return min(LARGEST_TOTAL, most_unpacked(path, largest=None))


def _check_size(what: str, size: int) -> None:
    if size > LARGEST_MEMBER:
        raise DataError(f"{what} has {size} bytes; a text may have {LARGEST_MEMBER} at most")


def _safe_name(name: str, path: Path) -> PurePosixPath:
    parts = PurePosixPath(name).parts
    if "\\" in name or "\0" in name or name.startswith("/") or ".." in parts or (parts and parts[0].endswith(":")):
        raise DataError(
            f"the archive {str(path)!r} holds {name!r}, which would land outside its folder; refused: get it from its source"
        )
    return PurePosixPath(name)


def _junk(name: PurePosixPath) -> bool:
    return name.name.startswith(".") or "__MACOSX" in name.parts
