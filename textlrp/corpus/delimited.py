"""CSV and TSV, row by row: a bad row is told, and the next one read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from textlrp.corpus.rows import Row
from textlrp.errors import DataError
from textlrp.text.sources.columns import find_columns
from textlrp.text.sources.labels import label_name
from textlrp.text.sources.tables import Options

__all__ = ["delimited_rows"]

_SNIFFED = 1 << 20  # characters at the beginning of a TSV file that say whether double quotes are quotes


def delimited_rows(stream: BinaryIO, where: str, options: Options, *, tabs: bool, longest: int) -> Iterator[Row]:
    """Yield the rows of a CSV or TSV file with a header line; DataError where there is no usable header.

    Bytes that do not decode, too many or too few fields and a field that is too long (a quotation mark that never closes)
    make a row a bad one; the file is read on from the next line.
    """
    strict = options.errors == "strict"
    text = io.TextIOWrapper(
        stream, encoding=options.encoding, errors="surrogateescape" if strict else options.errors, newline=""
    )
    try:
        yield from _rows(text, where, options, tabs=tabs, longest=longest)
    finally:
        text.detach()  # the stream is closed by who opened it


def _rows(text: io.TextIOWrapper, where: str, options: Options, *, tabs: bool, longest: int) -> Iterator[Row]:
    lines = _lines(text, most=longest + 65_536)
    head = [line for _, line in zip(range(1), lines, strict=False)]
    if not head:
        raise DataError(f"{where} is empty; a table needs a header line and a row for each text")
    mark = "\t" if tabs else max((",", ";", "\t"), key=head[0].count)
    quoting: Any = csv.QUOTE_MINIMAL
    if tabs:
        sniffed, size = list(head), 0
        for line in lines:
            sniffed.append(line)
            size += len(line)
            if size > _SNIFFED:
                break
        quoting = csv.QUOTE_MINIMAL if _quoted(sniffed) else csv.QUOTE_NONE
        head = sniffed
    csv.field_size_limit(max(csv.field_size_limit(), longest + 65_536))
    reader = csv.reader(_chained(head, lines), delimiter=mark, quoting=quoting)
    try:
        names = [name.strip('"') if quoting == csv.QUOTE_NONE else name for name in next(reader)]
    except csv.Error as error:
        raise DataError(f"the header line of {where} cannot be read: {error}") from error
    columns = find_columns(names, where, text_column=options.text_column, label_column=options.label_column, labelled=False)
    places = [None if name is None else names.index(name) for name in (columns.text, columns.label, columns.id)]
    count = 0
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            count += 1
            yield Row(str(count), None, None, f"line {reader.line_num}: cannot be read as a row ({error})")
            continue
        if fields:  # blank lines are no rows
            count += 1
            yield _row(fields, names, cast("list[Any]", places), count, reader.line_num)


def _row(fields: list[str], names: list[str], places: list[Any], count: int, line: int) -> Row:
    text_at, label_at, id_at = places
    if len(fields) != len(names):
        found = f"{len(fields)} field{'s' if len(fields) != 1 else ''}"
        return Row(str(count), None, None, f"line {line}: {found}; the header has {len(names)}")
    identity = str(count) if id_at is None else fields[id_at][:1000]
    for value in (fields[text_at], identity, *(() if label_at is None else (fields[label_at],))):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            identity = identity.encode("utf-8", "replace").decode()
            wrong = f"line {line}: wrong encoding: not the table's at character {error.start} of a field"
            return Row(identity, None, None, wrong)
    return Row(identity, fields[text_at], None if label_at is None else label_name(fields[label_at]))


def _lines(text: io.TextIOWrapper, *, most: int) -> Iterator[str]:
    """Lines of at most `most` characters; what is longer is cut, and the rest of the line is read past."""
    while line := text.readline(most):
        if len(line) >= most and not line.endswith("\n"):
            while (rest := text.readline(1 << 20)) and not rest.endswith("\n"):
                pass
        yield line


def _chained(head: list[str], lines: Iterator[str]) -> Iterator[str]:
    yield from head
    yield from lines


def _quoted(lines: list[str]) -> bool:
    """Whether double quotes quote in a TSV file: not where that makes a text swallow tabs and line breaks, or fields vary."""
    try:
        rows = list(csv.reader(lines[:-1] if len(lines) > 2 else lines, delimiter="\t"))
    except csv.Error:
        return False
    swallows = any("\t" in field and "\n" in field for row in rows for field in row)
    return not swallows and (len(rows) < 2 or all(len(row) in (0, len(rows[0])) for row in rows[:-1]))
