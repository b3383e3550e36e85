"""Columns of a Parquet file, batch by batch; a file of a few kilobytes that stands for gigabytes is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textlrp.errors import DataError
from textlrp.progress import track
from textlrp.text.sources.bounded import most_unpacked, too_large
from textlrp.text.sources.columns import Columns

if TYPE_CHECKING:
    from pyarrow import Array, Schema
    from pyarrow.parquet import ParquetFile

__all__ = ["read_parquet", "text_columns"]

_BATCH = 20_000  # rows


def read_parquet(path: Path, choose: Callable[[Sequence[str]], Columns]) -> Iterator[tuple[Columns, dict[str, list[Any]]]]:
    """Yield the columns that `choose` picks by their names, with the values of one batch of rows after the other.

    Parquet stores a value that comes a million times once: what the texts have together is counted before they are made.
    """
    import pyarrow
    from pyarrow import parquet, types

    try:
        with parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            columns = choose(schema.names)
            if columns.id and types.is_nested(schema.field(columns.id).type):
                columns = columns._replace(id=None)
            wanted = [name for name in columns if name]
            for name in wanted:
                if types.is_nested(schema.field(name).type):
                    raise DataError(f"{str(path)!r}: the column {name!r} holds {schema.field(name).type}, not one value a row")
            names = _class_names(schema.metadata, columns.label)
            most = most_unpacked(path, largest=None)
            if _unpacked(file, wanted) > most:
                raise too_large(path, most)
        with parquet.ParquetFile(path, read_dictionary=text_columns(schema, wanted)) as file:
            taken = 0
            for batch in track(file.iter_batches(_BATCH, columns=wanted), f"reading {path.name}"):
                taken += sum(_bytes(batch.column(name)) for name in wanted)
                if taken > most:
                    raise too_large(path, most)
                part = {name: _values(batch.column(name)) for name in wanted}
                if names and columns.label:
                    part[columns.label] = [
                        names[n] if isinstance(n, int) and 0 <= n < len(names) else None for n in part[columns.label]
                    ]
                yield columns, part
    except UnicodeDecodeError as error:
        raise DataError(f"{str(path)!r} holds a text that is not UTF-8 ({error}); write it again") from None
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:  # such as a date in the year 300,000
        if getattr(error, "errno", None):
            raise
        raise DataError(f"{str(path)!r} is broken or not Parquet ({error}); write it again") from error


def text_columns(schema: Schema, names: Sequence[str]) -> list[str]:
    """Return those of the columns that hold texts: read as dictionaries, a text that comes a million times is there once."""
    return [name for name in names if _is_text(schema.field(name).type)]


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind) or types.is_large_binary(kind))


def _unpacked(file: ParquetFile, wanted: Sequence[str]) -> int:
    """What the file itself says its pages have, unpacked."""
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
    return sum(max(each.total_uncompressed_size, 0) for each in chunks if each.path_in_schema.split(".")[0] in wanted)


def _bytes(column: Array) -> int:
    """How many bytes the texts of a column have, each counted as often as it comes."""
    import pyarrow
    from pyarrow import compute

    if not pyarrow.types.is_dictionary(column.type) or not _is_text(column.type.value_type):
        return int(column.nbytes)
    lengths = compute.binary_length(column.dictionary).cast(pyarrow.int64())
    return int(compute.sum(lengths.take(column.indices)).as_py() or 0)


def _values(column: Array) -> list[Any]:
    """The values as Python has them; equal texts are one object."""
    import pyarrow

    if not pyarrow.types.is_dictionary(column.type):
        return list(column.to_pylist())
    known = column.dictionary.to_pylist()
    return [None if place is None else known[place] for place in column.indices.to_pylist()]


def _class_names(metadata: dict[bytes, bytes] | None, column: str | None) -> list[str]:
    """The names of the classes, where the Hugging Face library wrote the file and stored them beside the numbers."""
    try:
        found = json.loads((metadata or {})[b"huggingface"])["info"]["features"][column]["names"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return []
    return [str(name) for name in found] if isinstance(found, list) else []
