"""One row of a source as it streams by, good or bad; and pieces of the stream, which become shards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from textlrp.errors import DataError, UnknownNameError
from textlrp.text.sources.decode import well_formed
from textlrp.text.sources.labels import class_numbers

if TYPE_CHECKING:
    import pyarrow

__all__ = ["MOST_CHARACTERS", "Cutter", "Piece", "Row", "parse"]

MOST_CHARACTERS = 8_000_000  # of a piece: whatever the rows are, a worker holds no more text than this and one row


class Row(NamedTuple):
    """A row: its text, its label as written and its id; or, instead of a text, the `reason` why it cannot be explained."""

    id: str
    text: str | None
    label: str | None = None
    reason: str | None = None


class Piece(NamedTuple):
    """The rows `first` to `last` (not included) of the stream: an Arrow table as bytes, and their sha256."""

    number: int
    first: int
    last: int
    payload: bytes
    digest: str
    rejects: list[dict[str, Any]]


class Cutter:
    """Cuts a stream of rows into pieces that depend on nothing but the rows and the two limits.

    A piece ends after `size` rows, or `most` characters. With `labelled`, a row needs a label of the model's `classes`;
    without, a label that is written otherwise ("pos") takes the class's name, and one that is no class is kept as it is.
    """

    def __init__(self, *, size: int, classes: list[str], labelled: bool, longest: int, most: int = MOST_CHARACTERS) -> None:
        self.size, self.classes, self.labelled, self.longest, self.most = size, classes, labelled, longest, most
        self._names: dict[str, str | None] = {}

    def __call__(self, rows: Iterable[Row], *, on_reject: Callable[[dict[str, Any]], None] | None = None) -> Iterator[Piece]:
        """Yield the pieces; `on_reject` hears of each bad row as soon as it is seen."""
        number = first = position = characters = 0
        kept: list[tuple[int, str, str, str | None]] = []
        rejects: list[dict[str, Any]] = []
        for row in rows:
            reason, label = self._judge(row)
            if reason is None:
                assert row.text is not None
                kept.append((position, well_formed(row.id), well_formed(row.text), label))
                characters += len(row.text)
            else:
                rejects.append({"row": position, "id": well_formed(row.id), "reason": reason})
                if on_reject is not None:
                    on_reject(rejects[-1])
            position += 1
            if position - first >= self.size or characters >= self.most:
                yield _piece(number, first, position, kept, rejects)
                number, first, characters, kept, rejects = number + 1, position, 0, [], []
        if position > first:
            yield _piece(number, first, position, kept, rejects)

    def _judge(self, row: Row) -> tuple[str | None, str | None]:
        """Why a row is rejected, if it is, and its label by the class's name."""
        if row.reason is not None:
            return row.reason, None
        if not isinstance(row.text, str):
            return f"not text: {_kind(row.text)}", None
        if len(row.text) > self.longest:
            return f"too long: {len(row.text):,} characters; at most {self.longest:,} are taken", None
        if row.label is None:
            return ("no label" if self.labelled else None), None
        if row.label not in self._names:
            if len(self._names) > 10_000:
                self._names.clear()
            self._names[row.label] = self._class(row.label)
        known = self._names[row.label]
        if known is None and self.labelled:
            return f"unknown label {row.label[:40]!r}; the model's classes are {', '.join(self.classes)}", None
        return None, well_formed(row.label) if known is None else known

    def _class(self, label: str) -> str | None:
        try:
            return self.classes[class_numbers([label], "", classes=self.classes)[0][0]]
        except (DataError, UnknownNameError):
            return None


def _kind(value: Any) -> str:
    return "nothing there" if value is None else f"a {type(value).__name__}"


def _piece(number: int, first: int, last: int, kept: list[Any], rejects: list[dict[str, Any]]) -> Piece:
    import pyarrow

    columns = list(zip(*kept, strict=True)) if kept else [(), (), (), ()]
    types = [("row", pyarrow.int64()), ("id", pyarrow.string()), ("text", pyarrow.string()), ("label", pyarrow.string())]
    about = json.dumps({"number": number, "first": first, "last": last, "rejects": rejects})
    table = pyarrow.table(
        [pyarrow.array(column, kind) for column, (_, kind) in zip(columns, types, strict=True)],
        schema=pyarrow.schema(types, metadata={"piece": about}),
    )
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    payload = sink.getvalue().to_pybytes()
    return Piece(number, first, last, payload, hashlib.sha256(payload).hexdigest(), rejects)


def parse(payload: bytes) -> tuple[dict[str, Any], pyarrow.Table]:
    """Return what a piece says of itself (number, first, last, rejects) and its table: row, id, text, label.

    >>> cut = Cutter(size=2, classes=["bad", "good"], labelled=False, longest=100)
    >>> pieces = list(cut([Row("1", "Fine."), Row("2", None), Row("3", "Dull.", "Bad")]))
    >>> parse(pieces[0].payload)[0]["rejects"]
    [{'row': 1, 'id': '2', 'reason': 'not text: nothing there'}]
    >>> parse(pieces[1].payload)[1].to_pylist()
    [{'row': 2, 'id': '3', 'text': 'Dull.', 'label': 'bad'}]
    """
    import pyarrow

    with pyarrow.ipc.open_stream(payload) as reader:
        table = reader.read_all()
    return json.loads(table.schema.metadata[b"piece"]), table
