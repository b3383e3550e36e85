"""Rows from Parquet, from a folder of text files, from what `load_reviews` opens, and from Python."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from textlrp.corpus.rows import Row
from textlrp.errors import DataError, InputError
from textlrp.text.sources.columns import find_columns
from textlrp.text.sources.labels import label_name
from textlrp.text.sources.parquet import text_columns
from textlrp.text.sources.tables import Options

__all__ = ["dataset_rows", "file_rows", "parquet_rows", "python_rows"]

STEP = 1024  # rows that are turned into Python objects at once


def parquet_rows(path: Path, options: Options) -> Iterator[Row]:
    """Yield the rows of a Parquet file, a row group at a time; DataError where it is broken."""
    import pyarrow
    from pyarrow import parquet

    where = repr(str(path))
    try:
        with parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            columns = find_columns(
                schema.names, where, text_column=options.text_column, label_column=options.label_column, labelled=False
            )
            names = _class_names(schema.metadata, columns.label)
        wanted = [name for name in columns if name]
        if pyarrow.types.is_nested(schema.field(columns.text).type):
            raise DataError(f"{where}: the column {columns.text!r} holds {schema.field(columns.text).type}, not one text a row")
        with parquet.ParquetFile(path, read_dictionary=text_columns(schema, wanted)) as file:
            count = 0
            for batch in file.iter_batches(STEP, columns=wanted):
                texts, labels, ids = (_values(batch, name) for name in columns)
                for text, label, identity in zip(texts, labels, ids, strict=True):
                    count += 1
                    name = str(count) if identity is None else str(identity)[:1000]
                    if isinstance(text, UnicodeDecodeError):
                        yield Row(name, None, None, f"row {count}: wrong encoding: not UTF-8 at byte {text.start}")
                    elif isinstance(label, list | dict | UnicodeDecodeError):
                        yield Row(name, None, None, f"row {count}: the label is no name")
                    else:
                        yield Row(name, text, _label(label, names))
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{where} is broken or not Parquet ({error}); write it again") from error


def _values(batch: Any, name: str | None) -> list[Any]:
    if name is None:
        return [None] * batch.num_rows
    column = batch.column(name)
    places = column.indices.to_pylist() if hasattr(column, "indices") else None  # a dictionary: equal texts are one object
    values = column if places is None else column.dictionary
    try:
        found = list(values.to_pylist())
    except UnicodeDecodeError:
        found = [_value(each) for each in values]
    return found if places is None else [None if place is None else found[place] for place in places]


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except UnicodeDecodeError as error:
        return error


def _class_names(metadata: dict[bytes, bytes] | None, column: str | None) -> list[str]:
    """The names of the classes, where the Hugging Face library wrote the file and stored them beside the numbers."""
    try:
        return list(json.loads((metadata or {})[b"huggingface"])["info"]["features"][column]["names"])
    except (KeyError, TypeError, ValueError, RecursionError):
        return []


def _label(value: Any, names: list[str]) -> str | None:
    if names:
        return names[value] if isinstance(value, int) and 0 <= value < len(names) else None
    return label_name(value)


def dataset_rows(dataset: Any) -> Iterator[Row]:
    """Yield the rows of a `datasets.Dataset` that `load_reviews` opened: a memory map, of which little is read at once."""
    names = dataset.features["label"].names
    for begin in range(0, len(dataset), STEP):
        part = dataset[begin : begin + STEP]
        for text, label, identity in zip(part["text"], part["label"], part["id"], strict=True):
            yield Row(identity, text, names[label] if label is not None and label >= 0 else None)


def file_rows(root: Path, files: Iterable[tuple[str, str | None, str]], options: Options, *, longest: int) -> Iterator[Row]:
    """Yield one row a file: (path below root, label, id); a file that cannot be read or decoded is a bad row."""
    most = 4 * longest + 4
    for name, label, identity in files:
        try:
            path = root / name
            if path.stat().st_size > most:
                yield Row(identity, None, None, f"too long: a file of {path.stat().st_size:,} bytes")
                continue
            text = path.read_bytes().decode(options.encoding, options.errors)
        except OSError as error:
            yield Row(identity, None, None, f"cannot be read: {error.strerror or error}")
        except UnicodeDecodeError as error:
            kind = "UTF-8" if options.encoding.startswith("utf-8") else options.encoding
            yield Row(identity, None, None, f"wrong encoding: not {kind} at byte {error.start}")
        else:
            yield Row(identity, text, label)


def python_rows(items: Iterable[Any], options: Options) -> Iterator[Row]:
    """Yield the rows of an iterable: texts, or mappings such as the rows of a `datasets.Dataset`.

    >>> [row.text for row in python_rows(["fine", {"review": "dull", "label": 0}], Options())]
    ['fine', 'dull']
    """
    if isinstance(items, str | bytes | Mapping):
        raise InputError("data must be the name of a source, or an iterable of texts or of rows (mappings)")
    columns = None
    known: tuple[str, ...] = ()
    classes = _classes_of(items, options)
    for count, item in enumerate(items, start=1):
        if not isinstance(item, Mapping):
            yield Row(str(count), item)
            continue
        if columns is None or tuple(item) != known:
            known = tuple(item)
            columns = find_columns(
                list(known),
                f"row {count} of the data",
                text_column=options.text_column,
                label_column=options.label_column,
                labelled=False,
            )
        name = item[columns.id] if columns.id else None
        label = item[columns.label] if columns.label else None
        yield Row(str(count) if name is None else str(name)[:1000], item[columns.text], _label(label, classes))


def _classes_of(items: Any, options: Options) -> list[str]:
    """The names of the classes, where the items are a data set whose label column is a ClassLabel."""
    features = getattr(items, "features", None) or {}
    name = options.label_column or "label"
    return list(getattr(features.get(name), "names", None) or []) if isinstance(features, Mapping) else []
