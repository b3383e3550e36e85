"""Decompressed bytes with a limit, so that a small file cannot fill the memory."""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO, Any

from textlrp.errors import DataError

__all__ = ["LARGEST_MEMBER", "LARGEST_TOTAL", "ROW_BYTES", "Bounded", "most_unpacked", "too_large"]

LARGEST_MEMBER = 64 * 2**20  # bytes of one text
LARGEST_TOTAL = 4 * 2**30  # bytes of an archive, unpacked
# Texts shrink to a third or a quarter when compressed; a hundredfold is no file of texts. Small files may be anything.
MOST_GROWTH = 100
FREE_BYTES = 64 * 2**20
ROW_BYTES = 64  # what a row takes in memory beside its text


def most_unpacked(path: Path, *, largest: int | None = LARGEST_TOTAL) -> int:
    """Return how many bytes a compressed file may unpack to: 64 MiB, and a hundred times its size, `largest` at most."""
    allowed = FREE_BYTES + MOST_GROWTH * path.stat().st_size
    return allowed if largest is None else min(largest, allowed)


def too_large(path: Path, most: int) -> DataError:
    """Make the error for a file that unpacks to more than `most` bytes."""
    return DataError(
        f"{str(path)!r} unpacks to more than {max(most >> 20, 1):,} MiB, or has a member of more than "
        f"{LARGEST_MEMBER >> 20} MiB; if you trust it, give what it holds unpacked, as a folder or a plain CSV"
    )


class Bounded(io.RawIOBase):
    """A stream that gives at most `most` bytes, and at most `most_at_once` in one reading; more is a DataError."""

    def __init__(self, stream: IO[bytes], path: Path, *, most: int, most_at_once: int | None = None) -> None:
        super().__init__()
        self._stream, self._path, self._most = stream, path, most
        self._most_at_once = most if most_at_once is None else most_at_once

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be rewound."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes; a reading without an end is refused."""
        if size < 0 or size > self._most_at_once:
            raise too_large(self._path, self._most)
        data = self._stream.read(size)
        if self._stream.tell() > self._most:
            raise too_large(self._path, self._most)
        return data

    def readinto(self, buffer: Any) -> int:
        """Read into `buffer`, for a BufferedReader."""
        data = self.read(min(len(buffer), 1 << 20))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to `offset`, no further than the limit."""
        if offset > self._most:
            raise too_large(self._path, self._most)
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """Return the place in the unpacked bytes."""
        return self._stream.tell()

    def close(self) -> None:
        """Close the stream below too."""
        if not self.closed:
            self._stream.close()
        super().close()
