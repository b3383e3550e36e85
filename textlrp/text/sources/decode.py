"""Bytes to text, with errors that say where the trouble is."""

from __future__ import annotations

import codecs
import io
from typing import BinaryIO

from textlrp.errors import DataError, InputError

__all__ = ["check_codec", "decode", "first_bad_byte", "not_text", "well_formed"]

_BOMS = (
    (codecs.BOM_UTF8, "UTF-8"),
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def check_codec(encoding: str, errors: str) -> str:
    """Return the name of the codec to read with: UTF-8 loses its byte order mark; raise InputError for an unknown one."""
    if errors not in ("strict", "replace", "ignore"):
        raise InputError(f"unknown errors={errors!r}; allowed: 'strict', 'replace', 'ignore'")
    try:
        found = codecs.lookup(encoding)
    except LookupError:
        raise InputError(f"unknown encoding {encoding!r}; for example 'utf-8', 'utf-16', 'latin-1', 'cp1252'") from None
    if not found._is_text_encoding:  # type: ignore[attr-defined]
        raise InputError(f"{encoding!r} is not an encoding of text; for example 'utf-8', 'utf-16', 'latin-1', 'cp1252'")
    return "utf-8-sig" if found.name == "utf-8" else found.name


def decode(data: bytes, where: str, *, encoding: str = "utf-8-sig", errors: str = "strict") -> str:
    """Return the text of `data`; raise DataError naming `where`, the offset and the line of the first wrong byte.

    >>> decode("naïve".encode(), "a.txt")
    'naïve'
    """
    try:
        return data.decode(encoding, errors)
    except UnicodeError:
        offset, line = first_bad_byte(io.BytesIO(data), encoding) or (0, 1)
        raise not_text(where, data, offset, line, encoding) from None


def not_text(where: str, head: bytes, offset: int, line: int, encoding: str) -> DataError:
    """Make the error for bytes that are not text; `head` is the beginning of the file, to recognise another encoding."""
    name = "UTF-8" if encoding == "utf-8-sig" else encoding
    looks = next((kind for mark, kind in _BOMS if head.startswith(mark) and kind != name), None)
    guess = f" (it looks like {looks})" if looks else ""
    return DataError(
        f"{where} is not {name}: wrong byte at offset {offset}, line {line}{guess}; "
        f"save it as UTF-8, or name its encoding (encoding='latin-1'), or read what can be read with errors='replace'"
    )


def well_formed(text: str) -> str:
    """Return `text` with each half of a surrogate pair (JSON may hold one) as U+FFFD, so that it can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def first_bad_byte(stream: BinaryIO, encoding: str) -> tuple[int, int] | None:
    """Return (offset, line) of the first byte of `stream` that does not decode, or None."""
    decoder = codecs.getincrementaldecoder("utf-8" if encoding == "utf-8-sig" else encoding)()
    offset, line = 0, 1
    while True:
        block = stream.read(1 << 20)
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            start = offset - pending + error.start
            return start, line + block.count(b"\n", 0, max(0, error.start - pending))
        except UnicodeError:  # no byte order mark, where one is needed
            return offset - pending, line
        if not block:
            return None
        offset += len(block)
        line += block.count(b"\n")
