"""Decompress .xz with a limit on the memory that a file may ask for: up to 4 GiB otherwise, before its first byte."""

from __future__ import annotations

import io
import lzma
from typing import IO, Any

__all__ = ["Xz"]

MOST_MEMORY = 128 * 1024**2  # `xz -9` needs 65 MiB
_BLOCK = 1 << 16


class Xz(io.RawIOBase):
    """The decompressed bytes of an .xz file, of one stream or several end to end.

    >>> Xz(io.BytesIO(lzma.compress(b"good") + lzma.compress(b" film"))).read(100)
    b'good film'
    """

    def __init__(self, packed: IO[bytes]) -> None:
        super().__init__()
        self._packed, self._rest = packed, b""
        self._stream: lzma.LZMADecompressor | None = None

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes, fewer at the end only; raises LZMAError where they are damaged, EOFError where cut off."""
        found = bytearray()
        while len(found) < size:
            block = self._some(size - len(found))
            if block is None:
                break
            found += block
        return bytes(found)

    def readinto(self, buffer: Any) -> int:
        """Read into `buffer`."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _some(self, most: int) -> bytes | None:
        """Return up to `most` bytes, maybe none; None at the end."""
        if self._stream is None:
            self._rest = self._rest.lstrip(b"\0") or self._packed.read(_BLOCK).lstrip(b"\0")  # streams may be padded
            if not self._rest:
                return None
            self._stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_MEMORY)
        if self._stream.needs_input and not self._rest:
            self._rest = self._packed.read(_BLOCK)
            if not self._rest:
                raise EOFError("the compressed data are cut off")
        block = self._stream.decompress(self._rest, most)
        self._rest = b""
        if self._stream.eof:
            self._rest, self._stream = self._stream.unused_data, None
        return block
