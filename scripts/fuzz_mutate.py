"""Changes to valid inputs that find faults: bytes flipped, cut, spliced, and replaced by values that break readers."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["LONGEST", "mutate"]

LONGEST = 100_000  # bytes of an input

NUMBERS = (
    b"0",
    b"-1",
    b"1",
    b"1e999",
    b"NaN",
    b"Infinity",
    b"-0",
    b"1e-320",
    b"2147483648",
    b"18446744073709551616",
    b"9" * 400,
)
PIECES = (
    *(b"\x00", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\r\n", b"\n", b"\r", b"\t", b" ", b'"', b"'", b",", b";", b":", b"\\"),
    *(b"[", b"]", b"{", b"}", b"<", b">", b"&", b"&amp;", b"&#0;", b"&#x110000;", b"<br />", b"../", b"/", b"\x1b[31m", b"%s"),
    *("é", "\u0130", "\u202e", "\u2028", "\x85", "\u200d", "\ufe0f", "👩‍👩‍👧", "🇩🇪", "n't", "…", "½", "ﷺ", "e\u0301\u0301"),
    *(b"\xed\xa0\x80", b"\xed\xb0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xc0\x80"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**70), 10**400, 0.5, 1e308, -1e101, 5e-324, float("nan")),
    *(float("inf"), "", "a", "\ud800", "\x00", "a" * 2_000, "../../x", "1", [], {}, [[]], [0], {"a": 1}, "<b>", "\x1b[0m"),
)
_FIGURES = re.compile(rb"\d+")


def mutate(
    data: bytes, random_: random.Random, others: Sequence[bytes], words: Sequence[bytes] = (), *, as_json: bool = False
) -> bytes:
    """Return a changed `data` of at most 100,000 bytes; `others` are inputs to splice with, `words` pieces of this format."""
    pieces = [piece if isinstance(piece, bytes) else piece.encode() for piece in PIECES] + list(words)
    for _ in range(random_.choice((1, 1, 1, 2, 3, 5, 8))):
        if as_json and random_.random() < 0.6:
            data = _mutate_json(data, random_)
        else:
            data = random_.choice(_CHANGES)(data, random_, others, pieces)
    return data[:LONGEST]


def _place(data: bytes, random_: random.Random) -> int:
    return random_.randint(0, len(data))


def _span(data: bytes, random_: random.Random) -> tuple[int, int]:
    start = _place(data, random_)
    return start, min(len(data), start + random_.choice((1, 1, 2, 4, 8, 16, 64, 512)))


def _flip(data: bytes, random_: random.Random, others: Sequence[bytes], pieces: Sequence[bytes]) -> bytes:
    if not data:
        return b"\x00"
    found = bytearray(data)
    found[random_.randrange(len(found))] ^= 1 << random_.randrange(8)
    return bytes(found)


def _byte(data: bytes, random_: random.Random, others: Sequence[bytes], pieces: Sequence[bytes]) -> bytes:
    at = _place(data, random_)
    return (
        data[:at]
        + bytes([random_.choice((0, 1, 9, 10, 13, 32, 34, 44, 127, 128, 255, random_.randrange(256)))])
        + data[at + 1 :]
    )


def _cut(data: bytes, random_: random.Random, others: Sequence[bytes], pieces: Sequence[bytes]) -> bytes:
    start, end = _span(data, random_)
    return data[:start] + data[end:]


def _end(data: bytes, random_: random.Random, others: Sequence[bytes], pieces: Sequence[bytes]) -> bytes:
    return data[: _place(data, random_)]


def _insert(data: bytes, random_: random.Random, others: Sequence[bytes], pieces: Sequence[bytes]) -> bytes:
    at = _place(data, random_)
    return data[:at] + random_.choice(pieces) + data[at:]


def _replace(data: bytes, random_: random.Random, others: Sequence[bytes], pieces: Sequence[bytes]) -> bytes:
    start, end = _span(data, random_)
    return data[:start] + random_.choice(pieces) + data[end:]


def _repeat(data: bytes, random_: random.Random, others: Sequence[bytes], pieces: Sequence[bytes]) -> bytes:
    start, end = _span(data, random_)
    times = random_.choice((2, 3, 10, 100, 3_000))
    return data[:start] + data[start:end] * min(times, LONGEST // max(1, end - start)) + data[end:]


def _move(data: bytes, random_: random.Random, others: Sequence[bytes], pieces: Sequence[bytes]) -> bytes:
    start, end = _span(data, random_)
    block, rest = data[start:end], data[:start] + data[end:]
    at = _place(rest, random_)
    return rest[:at] + block + rest[at:]


def _splice(data: bytes, random_: random.Random, others: Sequence[bytes], pieces: Sequence[bytes]) -> bytes:
    other = random_.choice(others) if others else data
    return data[: _place(data, random_)] + other[_place(other, random_) :]


def _figures(data: bytes, random_: random.Random, others: Sequence[bytes], pieces: Sequence[bytes]) -> bytes:
    found = list(_FIGURES.finditer(data[:LONGEST]))
    if not found:
        return _flip(data, random_, others, pieces)
    one = random_.choice(found)
    return data[: one.start()] + random_.choice(NUMBERS) + data[one.end() :]


def _binary(data: bytes, random_: random.Random, others: Sequence[bytes], pieces: Sequence[bytes]) -> bytes:
    at, size = _place(data, random_), random_.choice((2, 4, 8))
    value = random_.choice((0, 1, 2**7, 2**15, 2**31, 2**63, 2**60, 2 ** (8 * size) - 1)) & (2 ** (8 * size) - 1)
    return data[:at] + value.to_bytes(size, random_.choice(("little", "big"))) + data[at + size :]


_CHANGES: tuple[Callable[[bytes, random.Random, Sequence[bytes], Sequence[bytes]], bytes], ...] = (
    *(_flip, _byte, _cut, _end, _insert, _insert, _replace, _repeat, _move, _splice, _figures, _binary),
)


def _mutate_json(data: bytes, random_: random.Random) -> bytes:
    """Change one value, key or member of a JSON text; what is no JSON stays."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return data
    places: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting and len(places) < 5_000:
        each = waiting.pop()
        keys: Any = list(each) if isinstance(each, dict) else range(len(each)) if isinstance(each, list) else ()
        places += [(each, key) for key in keys]
        waiting += [each[key] for key in keys if isinstance(each[key], dict | list)]
    if not places:
        return json.dumps(random_.choice(VALUES)).encode()
    holder, key = random_.choice(places)
    act = random_.randrange(5)
    if act == 0:
        del holder[key]
    elif act == 1 and isinstance(holder, dict):
        holder[random_.choice(("", "a", "format", "version", "\x00"))] = holder[key]
    elif act == 1:
        holder.insert(key, holder[key])
    elif act == 2 and isinstance(holder[key], int | float):
        holder[key] = random_.choice((holder[key] + 1, holder[key] - 1, -holder[key], holder[key] * 1000))
    else:
        holder[key] = random_.choice(VALUES)
    try:
        return json.dumps(value).encode("utf-8", "surrogatepass")
    except (ValueError, OverflowError):
        return data
