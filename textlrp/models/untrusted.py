"""Reading files that somebody else may have made: sizes, depths and shapes are checked before memory is taken."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textlrp.errors import CheckpointError
from textlrp.files import exists
from textlrp.strict_json import parse

__all__ = ["check_tensors", "member", "read_object"]

_MOST_HEADER = 4_000_000  # bytes of the table of contents of a safetensors file
_MOST_DEPTH = 16
_MOST_PARTS = 200_000  # lists and objects in one JSON file: each takes memory, and three bytes write one
_BYTES = {"F32": 4, "F16": 2, "I8": 1, "I32": 4}


def member(folder: Path, name: str, *, most_bytes: int) -> Path:
    """Return the path of a file that must lie in `folder` itself, be an ordinary file and hold at most `most_bytes`."""
    path = folder / name
    if not exists(path):
        raise CheckpointError(f"the checkpoint {str(folder)!r} has no file {name!r}: it is incomplete; copy or train it again")
    if not path.is_file() or path.resolve().parent != folder.resolve():
        raise CheckpointError(f"{str(path)!r} is not an ordinary file of its checkpoint folder: put the file itself there")
    size = path.stat().st_size
    if size > most_bytes:
        raise CheckpointError(f"{str(path)!r} has {size:,} bytes; at most {most_bytes:,} are read: it is not one of ours")
    return path


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object: UTF-8, every key once, no NaN, at most 16 levels and 200,000 parts; `member` checked its size."""
    try:
        value = parse(path.read_bytes(), most_depth=_MOST_DEPTH, most_parts=_MOST_PARTS)
    except ValueError as error:
        raise CheckpointError(
            f"{str(path)!r} cannot be read as JSON ({str(error)[:200]}): copy or train the checkpoint again"
        ) from None
    except OSError as error:
        raise CheckpointError(f"{str(path)!r} cannot be read: {error.strerror}") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{str(path)!r} must hold a JSON object, not a {type(value).__name__}: it is not one of ours")
    return value


def check_tensors(path: Path, expected: Mapping[str, tuple[str, tuple[int, ...]]]) -> None:
    """Check that a safetensors file holds exactly the `expected` tensors (name → dtype, shape), reading its header only."""
    again = "copy or train the checkpoint again"
    try:
        size = os.path.getsize(path)
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(_MOST_HEADER, size - 8):
                raise CheckpointError(f"{str(path)!r} is truncated or not a safetensors file: {again}")
            header = parse(file.read(length), most_depth=_MOST_DEPTH, most_parts=_MOST_PARTS)
    except ValueError:
        raise CheckpointError(f"{str(path)!r} has no readable safetensors header: {again}") from None
    except OSError as error:
        raise CheckpointError(f"{str(path)!r} cannot be read: {error.strerror}") from None
    if not isinstance(header, dict):
        raise CheckpointError(f"{str(path)!r} has no readable safetensors header: {again}")
    header.pop("__metadata__", None)
    for name in sorted(expected.keys() - header.keys()):
        raise CheckpointError(f"{str(path)!r} has no tensor {name!r}, which config.json asks for: {again}")
    for name in sorted(header.keys() - expected.keys()):
        raise CheckpointError(f"{str(path)!r} holds the tensor {name[:80]!r}, which config.json does not know: {again}")
    end = 0
    for name, entry in sorted(header.items(), key=lambda item: _begin(item[1])):
        dtype, shape = expected[name]
        if not isinstance(entry, dict) or entry.get("dtype") != dtype or entry.get("shape") != list(shape):
            found = f"{entry.get('dtype')} {entry.get('shape')}"[:80] if isinstance(entry, dict) else "no entry"
            raise CheckpointError(
                f"the tensor {name!r} of {str(path)!r} is {found}; config.json asks for {dtype} {list(shape)}"
            )
        count = _BYTES[dtype]
        for each in shape:
            count *= each
        if entry.get("data_offsets") != [end, end + count]:
            raise CheckpointError(f"the tensor {name!r} of {str(path)!r} does not lie where it should: {again}")
        end += count
    if size != 8 + length + end:
        raise CheckpointError(
            f"{str(path)!r} has {size:,} bytes; its tensors need {8 + length + end:,}: it is truncated; {again}"
        )


def _begin(entry: Any) -> int:
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    sound = isinstance(offsets, list) and len(offsets) == 2 and all(type(each) is int for each in offsets)
    return offsets[0] if sound and offsets is not None else -1
