"""Tables of texts: CSV, TSV, JSON, JSON lines (each also .gz) and Parquet."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple, cast

from textlrp.errors import DataError
from textlrp.progress import track
from textlrp.text.sources.bounded import ROW_BYTES, Bounded, most_unpacked, too_large
from textlrp.text.sources.columns import Columns, find_columns
from textlrp.text.sources.decode import first_bad_byte, not_text, well_formed
from textlrp.text.sources.labels import label_name
from textlrp.text.sources.parquet import read_parquet

__all__ = ["TABLES", "Options", "Rows", "is_table", "read_table"]

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")


class Options(NamedTuple):
    """How a table is read; `encoding` is a codec's name as `check_codec` returns it."""

    text_column: str | None = None
    label_column: str | None = None
    labelled: bool = True
    encoding: str = "utf-8-sig"
    errors: str = "strict"


class Rows(NamedTuple):
    """What was read: texts, labels as names (None where missing) and ids, all of one length."""

    texts: list[str]
    labels: list[str | None]
    ids: list[str]


def is_table(path: Path) -> bool:
    """Tell by its name whether a file is a table that `read_table` reads."""
    return _kind(path) in TABLES


def read_table(path: Path, options: Options) -> Rows:
    """Read a table; raise DataError that names the file, and the row where there is one."""
    kind = _kind(path)
    try:
        return _read(path, kind, options)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{str(path)!r} is broken or cut off ({error}); get it again") from error
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror or error}") from error


def _read(path: Path, kind: str, options: Options) -> Rows:
    try:
        if path.stat().st_size == 0:
            raise _empty(path)
        if kind == ".parquet":
            rows = _parquet(path, options)
        elif kind in (".csv", ".tsv"):
            rows = _csv(path, options, tabs=kind == ".tsv")
        else:
            rows = _json(path, options, lines=kind != ".json")
    except UnicodeError:  # UTF-16 and UTF-32 say no more than that where the file has no byte order mark
        raise _wrong_bytes(path, options.encoding) from None
    if not rows.texts:
        raise _empty(path)
    return rows


def _kind(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    return suffixes[0] if len(suffixes) == 2 and suffixes[1] == ".gz" else (suffixes or [""])[-1]


def _empty(path: Path) -> DataError:
    return DataError(f"{str(path)!r} is empty; a table needs a row for each text")


def _open(path: Path, options: Options) -> IO[str]:
    if path.suffix.lower() == ".gz":
        return io.TextIOWrapper(_unpacked(path), encoding=options.encoding, errors=options.errors, newline="")
    return open(path, encoding=options.encoding, errors=options.errors, newline="")


def _unpacked(path: Path) -> io.BufferedReader:
    stream = cast(IO[bytes], gzip.open(path, "rb"))  # noqa: SIM115 - closed by the Bounded around it
    return io.BufferedReader(Bounded(stream, path, most=most_unpacked(path, largest=None)), 1 << 16)


def _wrong_bytes(path: Path, encoding: str) -> DataError:
    with contextlib.ExitStack() as stack:
        packed = path.suffix.lower() == ".gz"
        stream: BinaryIO = stack.enter_context(_unpacked(path) if packed else open(path, "rb"))  # noqa: SIM115
        head = stream.read(4)
        stream.seek(0)
        offset, line = first_bad_byte(stream, encoding) or (0, 1)
    return not_text(repr(str(path)), head, offset, line, encoding)


def _columns(path: Path, options: Options, names: Sequence[str]) -> Columns:
    return find_columns(
        names,
        repr(str(path)),
        text_column=options.text_column,
        label_column=options.label_column,
        labelled=options.labelled,
    )


def _collect(path: Path, columns: Columns, parts: Iterable[dict[str, list[Any]]]) -> Rows:
    rows, most = Rows([], [], []), most_unpacked(path, largest=None)
    for part in parts:
        if ROW_BYTES * len(rows.texts) > most:
            raise too_large(path, most)
        before = len(rows.texts)
        rows.texts.extend(_text(value, path, before + place) for place, value in enumerate(part[columns.text], start=1))
        count = len(rows.texts) - before
        rows.labels.extend(map(label_name, part[columns.label]) if columns.label else [None] * count)
        rows.ids.extend(
            well_formed(str(each)) for each in (part[columns.id] if columns.id else range(before + 1, before + count + 1))
        )
    return rows


def _text(value: Any, path: Path, row: int) -> str:
    if isinstance(value, str):
        return well_formed(value)
    if value is None or value != value:
        return ""
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{str(path)!r}, row {row}: the text is not UTF-8 ({error}); write it again") from None
    raise DataError(
        f"{str(path)!r}, row {row}: the text is {type(value).__name__}, not a string; name the right column with text_column"
    )


def _csv(path: Path, options: Options, *, tabs: bool) -> Rows:
    import warnings

    import pandas

    with _open(path, options) as handle:
        header = handle.readline()
    mark = "\t" if tabs else max((",", ";", "\t"), key=header.count)
    keywords: dict[str, Any] = {"sep": mark, "dtype": str, "na_filter": False, "index_col": False, "skip_blank_lines": True}

    def parts(quoting: int) -> Iterator[dict[str, list[Any]]]:
        with _open(path, options) as handle, pandas.read_csv(handle, chunksize=20_000, quoting=quoting, **keywords) as chunks:
            for chunk in track(chunks, f"reading {path.name}"):
                yield {name.strip('"') if quoting else name: chunk[name].tolist() for name in chunk.columns}

    with warnings.catch_warnings():
        warnings.simplefilter("error", pandas.errors.ParserWarning)
        try:
            with _open(path, options) as handle:
                names = list(pandas.read_csv(handle, nrows=0, **keywords).columns)
            rows = _collect(path, _columns(path, options, names), parts(0)) if not tabs else _tsv(path, options, names, parts)
        except pandas.errors.EmptyDataError:
            raise _empty(path) from None
        except (pandas.errors.ParserError, pandas.errors.ParserWarning) as error:
            raise DataError(
                f"cannot read {str(path)!r} as a table: {str(error).strip()}; "
                f"put texts that hold {mark!r}, quotes or line breaks in double quotes"
            ) from error
    return rows


def _tsv(path: Path, options: Options, names: list[str], parts: Any) -> Rows:
    """Read with double quotes as quotes, or as ordinary letters where that swallows lines (both kinds of TSV are in use)."""
    import pandas

    with contextlib.suppress(pandas.errors.ParserError, pandas.errors.ParserWarning):
        rows = _collect(path, _columns(path, options, names), parts(0))
        if not any("\t" in text and "\n" in text for text in rows.texts):
            return rows
    return _collect(path, _columns(path, options, [name.strip('"') for name in names]), parts(3))


class _DigitsError(ValueError):
    """A number with more digits than are read."""


def _whole(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise _DigitsError(f"a number of {len(digits):,} digits; at most {_DIGITS:,} are read")
    return int(digits)


def _json(path: Path, options: Options, *, lines: bool) -> Rows:
    with _open(path, options) as handle:
        if not lines:
            found = None
            with contextlib.suppress(json.JSONDecodeError, _DigitsError, RecursionError):
                found = json.load(handle, parse_int=_whole)
            if found is not None:
                return _whole_json(path, options, found)
            handle.seek(0)
        return _records(path, options, _json_lines(path, handle))


def _json_lines(path: Path, handle: IO[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(track(handle, f"reading {path.name}"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, parse_int=_whole)
        except (json.JSONDecodeError, _DigitsError, RecursionError) as error:
            raise DataError(
                f"{str(path)!r}, line {number}: not JSON ({error}); each line is one object, such as {_SAMPLE}"
            ) from error
        if not isinstance(record, dict):
            raise DataError(f"{str(path)!r}, line {number}: not an object; each line is one object, such as {_SAMPLE}")
        yield record


def _parquet(path: Path, options: Options) -> Rows:
    parts = read_parquet(path, lambda names: _columns(path, options, names))
    first = next(parts, None)
    if first is None:
        raise _empty(path)
    return _collect(path, first[0], (part for _, part in chain([first], parts)))


_DIGITS = 4_300  # as many as Python reads by itself
_SAMPLE = '{"text": "…", "label": "…"}'


def _whole_json(path: Path, options: Options, value: Any) -> Rows:
    if (
        isinstance(value, dict)
        and len(value) == 1
        and isinstance(inner := next(iter(value.values())), list)
        and _objects(inner)
    ):
        value = inner
    if isinstance(value, list) and _objects(value):
        return _records(path, options, value)
    if isinstance(value, dict) and all(isinstance(column, list) for column in value.values()):
        if len({len(column) for column in value.values()}) > 1:
            raise DataError(f"{str(path)!r}: its columns differ in length; each needs a value for each text")
        return _collect(path, _columns(path, options, list(value)), [value])
    if isinstance(value, dict):
        return _records(path, options, [value])
    raise DataError(f"{str(path)!r}: not a list of objects such as {_SAMPLE}, nor an object of columns")


def _objects(values: list[Any]) -> bool:
    return bool(values) and all(isinstance(each, dict) for each in values)


def _records(path: Path, options: Options, records: Iterable[dict[str, Any]]) -> Rows:
    """Columns are found among the fields of the first thousand objects; then the objects pass by, a few at a time."""
    records = iter(records)
    head = list(islice(records, 1000))
    if not head:
        raise _empty(path)
    names = list(dict.fromkeys(name for record in head for name in record))
    columns = _columns(path, options, names)

    def parts() -> Iterator[dict[str, list[Any]]]:
        for number, record in enumerate(chain(head, records), start=1):
            if columns.text not in record:
                raise DataError(
                    f"{str(path)!r}: object {number} has no {columns.text!r}; it has {', '.join(record) or 'nothing'}"
                )
            if columns.label and isinstance(record.get(columns.label), list | dict):
                raise DataError(
                    f"{str(path)!r}: object {number}: the label {columns.label!r} is a list or object; "
                    "give one label for each text"
                )
            yield {name: [record.get(name)] for name in columns if name}

    return _collect(path, columns, parts())
