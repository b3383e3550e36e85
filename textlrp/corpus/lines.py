"""Texts from lines: JSON lines or plain lines, from a file or from standard input, one line in memory at a time."""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any, BinaryIO, NamedTuple

from textlrp.corpus.rows import Row
from textlrp.errors import DataError
from textlrp.text.sources.columns import Columns, find_columns
from textlrp.text.sources.labels import label_name
from textlrp.text.sources.tables import Options

__all__ = ["HEAD", "Line", "json_rows", "line_rows", "numbered"]

_SAMPLE = '{"text": "…", "label": "…"}'
HEAD = 1000  # lines whose fields say which columns there are


class Line(NamedTuple):
    """A line that is not blank: its number from 1 and its text, or what is wrong with it."""

    number: int
    text: str
    wrong: str | None = None


def numbered(stream: BinaryIO, options: Options, *, longest: int) -> Iterator[Line]:
    """Yield the lines of a stream of bytes that are not blank; one that is too long is read past, not into memory."""
    most = 8 * longest + 65_536  # bytes: JSON may write a character in twelve, but hardly all of them
    if codecs.lookup(options.encoding).name.startswith(("utf-16", "utf-32")):
        text = io.TextIOWrapper(stream, encoding=options.encoding, errors=options.errors, newline="\n")
        try:
            yield from _numbered(text.readline, "utf-8", options, most)
        finally:
            text.detach()
    else:
        yield from _numbered(stream.readline, options.encoding, options, most)


def _numbered(read: Callable[[int], Any], encoding: str, options: Options, most: int) -> Iterator[Line]:
    number = 0
    while line := read(most):
        number += 1
        raw = line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line
        if not raw.endswith(b"\n") and len(line) >= most:
            while (rest := read(1 << 20)) and rest[-1] not in (10, "\n"):
                pass
            yield Line(number, "", f"too long: a line of more than {most:,} bytes")
            continue
        try:
            text = raw.decode(encoding if number == 1 else encoding.replace("utf-8-sig", "utf-8"), options.errors)
        except UnicodeDecodeError as error:
            name = "UTF-8" if encoding.startswith("utf-8") else encoding
            yield Line(number, "", f"wrong encoding: not {name} at byte {error.start} of the line")
            continue
        if text.strip():
            yield Line(number, text.rstrip("\r\n"))


def line_rows(lines: Iterable[Line]) -> Iterator[Row]:
    """Yield each line as a text."""
    for count, line in enumerate(lines, start=1):
        yield Row(str(count), None, None, _at(line, line.wrong)) if line.wrong else Row(str(count), line.text)


def json_rows(lines: Iterable[Line], where: str, options: Options) -> Iterator[Row]:
    """Yield the objects of JSON lines as rows; the columns are found among the fields of the first thousand.

    Raises DataError where none of them is an object.
    """
    lines = iter(lines)
    head = [(line, *_parse(line)) for line in islice(lines, HEAD)]
    objects = [record for _, record, _ in head if record is not None]
    if not objects:
        found = f": {head[0][0].wrong or head[0][2]}" if head else ""
        raise DataError(f"{where} holds no JSON objects{found}; each line is one, such as {_SAMPLE}")
    columns = find_columns(
        list(dict.fromkeys(name for record in objects for name in record)),
        where,
        text_column=options.text_column,
        label_column=options.label_column,
        labelled=False,
    )
    rest = ((line, *_parse(line)) for line in lines)
    for count, (line, record, wrong) in enumerate(chain(head, rest), start=1):
        yield Row(str(count), None, None, _at(line, wrong)) if record is None else _row(line, record, columns, count)


def _parse(line: Line) -> tuple[dict[str, Any] | None, str | None]:
    if line.wrong:
        return None, line.wrong
    try:
        record = json.loads(line.text)
    except (ValueError, RecursionError) as error:
        return None, f"not JSON ({error})"
    return (record, None) if isinstance(record, dict) else (None, f"not an object but a {type(record).__name__}")


def _row(line: Line, record: dict[str, Any], columns: Columns, count: int) -> Row:
    name = record.get(columns.id) if columns.id else None
    identity = str(count if name is None or isinstance(name, list | dict) else name)[:1000]
    text = record.get(columns.text)
    if not isinstance(text, str):
        kind = "nothing there" if text is None else f"a {type(text).__name__}"
        return Row(identity, None, None, _at(line, f"not text: {kind} in {columns.text!r}"))
    label = record.get(columns.label) if columns.label else None
    if isinstance(label, list | dict):
        return Row(identity, None, None, _at(line, f"the label is a {type(label).__name__}, not a name"))
    return Row(identity, text, label_name(label))


def _at(line: Line, wrong: str | None) -> str:
    return f"line {line.number}: {wrong}"
