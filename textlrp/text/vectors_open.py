"""Open a file of word vectors: plain, .gz, .bz2, .xz or a member of .zip, as a stream of bytes with limits."""

from __future__ import annotations

import bz2
import contextlib
import difflib
import gzip
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from textlrp.errors import EmbeddingError
from textlrp.text.vectors_xz import Xz

__all__ = ["Stream", "open_stream"]

# Vectors shrink to a third when compressed; a hundredfold is no file of vectors. Small files may be anything.
MOST_GROWTH = 100
FREE_BYTES = 64 * 1024**2
MOST_BYTES = 256 * 1024**3
#: How a member of a .zip may be compressed: LZMA may ask for 4 GiB of memory before its first byte.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_UNREADABLE = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile)
_PACKED: dict[str, tuple[bytes, Callable[..., Any], str]] = {
    ".gz": (b"\x1f\x8b", gzip.open, "gzip"),
    ".bz2": (b"BZh", bz2.open, "bzip2"),
    ".xz": (b"\xfd7zXZ", Xz, "xz"),
}


@dataclass
class Stream:
    """The bytes of one file of vectors, decompressed; `done()` of `size` bytes on disk have been read."""

    name: str
    data: IO[bytes]
    size: int
    packed_size: int
    done: Callable[[], int]
    _taken: int = field(default=0, init=False)
    _ahead: bytes = field(default=b"", init=False)

    def read(self, count: int) -> bytes:
        """Return up to `count` bytes, fewer only at the end; raises EmbeddingError where the file is damaged or too large."""
        if len(self._ahead) >= count:
            block, self._ahead = self._ahead[:count], self._ahead[count:]
            return block
        block, self._ahead = self._ahead, b""
        try:
            read = self.data.read(count - len(block))
        except EOFError as error:
            raise EmbeddingError(
                f"{self.name} ends in the middle of its compressed data; it was cut off: fetch it again"
            ) from error
        except (*_UNREADABLE, NotImplementedError, RuntimeError, ValueError) as error:
            raise EmbeddingError(f"{self.name} cannot be decompressed ({error}); fetch it again") from error
        except OSError as error:
            raise EmbeddingError(f"{self.name} cannot be read: {error.strerror or error}") from error
        self._taken += len(read)
        if self._taken > min(MOST_BYTES, FREE_BYTES + MOST_GROWTH * self.packed_size):
            raise EmbeddingError(
                f"{self.name} unpacks from {self.packed_size:,} bytes to over {self._taken:,}; "
                f"vectors grow {MOST_GROWTH}-fold at most: is it the right file?"
            )
        return block + read

    def peek(self, count: int) -> bytes:
        """Return the next bytes without taking them."""
        self._ahead = self.read(count)
        return self._ahead


@contextlib.contextmanager
def open_stream(path: str | os.PathLike[str], *, member: str | None = None) -> Iterator[Stream]:
    """Open a file of vectors for reading; `member` names the file in a .zip that holds several."""
    place = Path(path)
    name = repr(str(place))
    if "\0" in str(place):
        raise EmbeddingError(f"{name} is no name of a file: it holds a NUL character")
    try:
        raw = open(place, "rb")  # noqa: SIM115 - closed by the ExitStack below
    except FileNotFoundError:
        raise EmbeddingError(f"there is no file {name} of word vectors{_near(place)}") from None
    except OSError as error:
        raise EmbeddingError(f"{name} cannot be read: {error.strerror}; give a file of word vectors") from error
    with contextlib.ExitStack() as stack:
        stack.enter_context(raw)
        size = place.stat().st_size
        if size == 0:
            raise EmbeddingError(f"{name} is empty; a file of word vectors has a line 'word v1 v2 …' for each word")
        start = raw.read(8)
        raw.seek(0)
        if start.startswith((b"PK\x03\x04", b"PK\x05\x06")) or place.suffix == ".zip":
            yield _open_member(stack, raw, name, member)
            return
        if member is not None:
            raise EmbeddingError(f"{name} is no .zip archive, so it has no member {member!r}; leave member out")
        data: IO[bytes] = raw
        for suffix, (magic, opener, kind) in _PACKED.items():
            if start.startswith(magic):
                data = stack.enter_context(opener(raw))
            elif place.suffix == suffix:
                raise EmbeddingError(f"{name} ends in {suffix} but is not {kind}-compressed; rename it, or fetch it again")
        yield Stream(name, data, size, size, raw.tell)


def _open_member(stack: contextlib.ExitStack, raw: io.BufferedReader, name: str, member: str | None) -> Stream:
    try:
        archive = stack.enter_context(zipfile.ZipFile(raw))
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise EmbeddingError(f"{name} is no whole .zip archive ({error}); fetch it again") from error
    members = [info.filename for info in archive.infolist() if not info.filename.endswith("/")]
    listed = ", ".join(each[:100] for each in members[:20]) + (", …" if len(members) > 20 else "") or "none"
    if member is None and len(members) != 1:
        raise EmbeddingError(f"{name} holds {len(members)} files; say which with member=…. They are: {listed}")
    chosen = members[0] if member is None else member
    if chosen not in members:
        close = difflib.get_close_matches(chosen, members, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ";"
        raise EmbeddingError(f"{name} has no member {chosen!r}{hint} It holds: {listed}")
    info = archive.getinfo(chosen)
    if info.compress_type not in _METHODS:
        raise EmbeddingError(
            f"the member {chosen!r} of {name} is compressed by a method other than deflate or bzip2; "
            "unpack it, and give the file"
        )
    try:
        data = stack.enter_context(archive.open(info))
    except (*_UNREADABLE, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise EmbeddingError(f"the member {chosen!r} of {name} cannot be opened: {error}") from error
    packed = min(info.compress_size, os.fstat(raw.fileno()).st_size)  # what the archive says may be a lie
    return Stream(f"{name} ({chosen})", data, info.file_size, packed, data.tell)


def _near(place: Path) -> str:
    """Say what lies where the file was looked for."""
    if not place.parent.is_dir():
        return f": the folder {str(place.parent)!r} does not exist"
    close = difflib.get_close_matches(place.name, [each.name for each in place.parent.iterdir()], n=1)
    return f"; did you mean {close[0]!r}?" if close else f" in the folder {str(place.parent)!r}"
