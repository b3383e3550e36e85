"""A source as a stream of rows: what a name, a path, `-` or a Python iterable stands for, read without loading it whole."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, cast

from textlrp.corpus.delimited import delimited_rows
from textlrp.corpus.lines import json_rows, line_rows, numbered
from textlrp.corpus.rows import Row
from textlrp.corpus.stored import dataset_rows, file_rows, parquet_rows, python_rows
from textlrp.errors import DataError
from textlrp.files import exists, expanded
from textlrp.text.sources import load_reviews
from textlrp.text.sources.decode import check_codec
from textlrp.text.sources.find import NAMES, _tables_in, split_spec
from textlrp.text.sources.folders import SPLITS, list_tree
from textlrp.text.sources.imdb import is_imdb
from textlrp.text.sources.tables import Options, is_table

__all__ = ["Stream", "open_stream"]


@dataclass(frozen=True)
class Stream:
    """A source: its `name` for the manifest, its rows, how many there are (None: not known), and the share that is read."""

    name: str
    rows: Iterator[Row]
    total: int | None = None
    share: Callable[[], float | None] = lambda: None

    def close(self) -> None:
        """Close what is open, unless another thread is still waiting for a row."""
        with contextlib.suppress(ValueError, AttributeError):
            self.rows.close()  # type: ignore[attr-defined]


def open_stream(
    data: Any,
    *,
    longest: int,
    data_dir: str | os.PathLike[str] | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    encoding: str = "utf-8",
    errors: str = "strict",
) -> Stream:
    """Open what `data` names: `-` (standard input), all that `load_reviews` takes, or an iterable of texts or rows.

    CSV, TSV, JSON lines (each also .gz), Parquet and folders of text files are read as they are explained; IMDB, archives and
    .json are read once into the cache of `load_reviews`, and from there. A text or file of more than `longest` characters
    is never in memory whole. Raises DataError for what cannot be read at all.
    """
    options = Options(text_column, label_column, False, check_codec(encoding, errors), errors)
    if not isinstance(data, str | os.PathLike):
        total = len(data) if hasattr(data, "__len__") else None
        return Stream("(python)", python_rows(data, options), total)
    spec = os.fspath(data)
    if spec == "-":
        return Stream("-", _standard_input(options, longest))
    name, split = split_spec(spec)
    path = expanded(name)
    streamed = None
    if name not in NAMES and exists(path) and not is_imdb(path):
        streamed = _from_path(spec, path, split, options, longest)
    if streamed is not None:
        return streamed
    found = load_reviews(
        spec,
        data_dir=data_dir,
        text_column=text_column,
        label_column=label_column,
        labelled=False,
        encoding=encoding,
        errors=errors,
    )
    return Stream(spec, dataset_rows(found), len(found))


def _from_path(spec: str, path: Path, split: str | None, options: Options, longest: int) -> Stream | None:
    """The stream of a table or folder; None for what `load_reviews` must open."""
    if path.is_file() and split is None and is_table(path):
        return _tables(spec, [path], options, longest)
    if not path.is_dir():
        return None
    wanted = SPLITS.get(split or "train", split or "train")
    if tables := _tables_in(path):
        return _tables(spec, tables[wanted], options, longest) if wanted in tables else None
    if options.text_column is not None or options.label_column is not None:
        return None
    parts = list_tree(path, options)
    if wanted not in parts:
        return None
    files = parts[wanted]
    rows = file_rows(path, zip(files.texts, files.labels, files.ids, strict=True), options, longest=longest)
    return Stream(spec, rows, len(files.texts))


def _tables(spec: str, paths: list[Path], options: Options, longest: int) -> Stream | None:
    if any(_suffix(path) == ".json" for path in paths):
        return None
    if any(path.stat().st_size == 0 for path in paths):
        raise DataError(f"{spec!r} is empty; a table needs a row for each text")
    total = None
    if all(_suffix(path) == ".parquet" for path in paths):
        total = _parquet_total(paths)
    handles: list[BinaryIO] = []
    size = sum(path.stat().st_size for path in paths)

    def share() -> float | None:
        return sum(handle.tell() for handle in handles if not handle.closed) / size if handles else None

    parts = [_table(path, options, longest, handles) for path in paths]
    if len(paths) == 1:
        return Stream(spec, parts[0], total, share)
    numbered_rows = _renamed(chain.from_iterable(parts))
    return Stream(spec, numbered_rows, total)


def _renamed(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows of several files: an id that is only a number in its file becomes the number in all of them."""
    for count, row in enumerate(rows, start=1):
        yield row._replace(id=str(count)) if row.id.isdigit() and int(row.id) <= count else row


def _parquet_total(paths: list[Path]) -> int | None:
    import pyarrow
    from pyarrow import parquet

    with contextlib.suppress(pyarrow.ArrowException, OSError):
        return sum(parquet.read_metadata(path).num_rows for path in paths)
    return None


def _table(path: Path, options: Options, longest: int, handles: list[BinaryIO]) -> Iterator[Row]:
    kind, where = _suffix(path), repr(str(path))
    if kind == ".parquet":
        yield from parquet_rows(path, options)
        return
    try:
        with open(path, "rb") as raw, contextlib.ExitStack() as stack:
            handles.append(raw)
            stream: BinaryIO = raw
            if path.suffix.lower() == ".gz":
                stream = cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=raw)))
            if kind in (".csv", ".tsv"):
                yield from delimited_rows(stream, where, options, tabs=kind == ".tsv", longest=longest)
            else:
                yield from json_rows(numbered(stream, options, longest=longest), where, options)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{where} is broken or cut off ({error}); get it again") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is not {options.encoding} ({error.reason}); name its encoding") from error
    except OSError as error:
        raise DataError(f"cannot read {where}: {error.strerror or error}") from error


def _suffix(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    return suffixes[0] if len(suffixes) == 2 and suffixes[1] == ".gz" else (suffixes or [""])[-1]


def _standard_input(options: Options, longest: int) -> Iterator[Row]:
    """JSON lines if the first line that is not blank begins with a brace, else a text a line."""
    stream = cast(BinaryIO, getattr(sys.stdin, "buffer", None) or io.BytesIO())
    lines = numbered(stream, options, longest=longest)
    first = next(lines, None)
    if first is None:
        raise DataError("standard input holds no text: give JSON lines, or one text a line")
    everything = chain([first], lines)
    if first.text.lstrip().startswith("{"):
        yield from json_rows(everything, "standard input", options)
    else:
        yield from line_rows(everything)
