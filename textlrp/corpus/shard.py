"""A piece of the stream to a Parquet shard: explained, turned into columns, written whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from textlrp.corpus.columns import Columns, Shape, explain_columns
from textlrp.corpus.rows import parse
from textlrp.corpus.tokens import Reader
from textlrp.files import atomic_path

if TYPE_CHECKING:
    import pyarrow

    from textlrp.classifier import TextClassifier
    from textlrp.corpus.settings import Settings

__all__ = ["Explainer", "file_name", "remove_leftovers", "schema", "table_of"]


def file_name(number: int) -> str:
    """Return the name of a shard.

    >>> file_name(7)
    'part-0000007.parquet'
    """
    return f"part-{number:07d}.parquet"


@dataclass(frozen=True, eq=False)
class Explainer:
    """What a worker holds: the model, how to explain, and where to write."""

    classifier: TextClassifier
    settings: Settings
    shape: Shape
    out: Path
    reader: Reader

    @classmethod
    def of(cls, classifier: TextClassifier, settings: Settings, shape: Shape, out: Path) -> Explainer:
        """Make one, with a memory for the chunks of texts it has met."""
        return cls(classifier, settings, shape, out, Reader(classifier.vocabulary, max_tokens=classifier.config_.max_tokens))

    def __call__(self, payload: bytes, digest: str) -> dict[str, Any]:
        """Explain a piece, write its shard, and return its record for the journal."""
        about, rows = parse(payload)
        data, rejects, counts = self.encode(rows)
        name = file_name(about["number"])
        with atomic_path(self.out / name) as temporary:
            temporary.write_bytes(data)
        return {
            "shard": about["number"],
            "file": name,
            "rows": [about["first"], about["last"]],
            **counts,
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "input": digest,
            "rejects": sorted([*about["rejects"], *rejects], key=lambda each: each["row"]),
        }

    def encode(self, rows: pyarrow.Table) -> tuple[memoryview, list[dict[str, Any]], dict[str, Any]]:
        """Return the bytes of a shard, the rows that had to be left out, and counts."""
        import pyarrow
        from pyarrow import parquet

        table, rejects = self.table(rows)
        sink = pyarrow.BufferOutputStream()
        parquet.write_table(table, sink, **_FORMAT)
        predicted = Counter(table["prediction"].to_pylist())
        counts = {
            "texts": table.num_rows,
            "tokens": len(table["tokens"].combine_chunks().flatten()),
            "predicted": {name: predicted[name] for name in self.shape.classes},
        }
        return memoryview(sink.getvalue()), rejects, counts

    def table(self, rows: pyarrow.Table) -> tuple[pyarrow.Table, list[dict[str, Any]]]:
        """Return the columns of a shard for rows (row, id, text, label), and the rows that had to be left out."""
        import pyarrow

        columns = explain_columns(self.classifier, rows["text"].to_pylist(), self.settings, self.shape, reader=self.reader)
        table = table_of(rows, columns, self.shape, with_text=self.settings.with_text)
        if not columns.wrong:
            return table, []
        ids, numbers = rows["id"].to_pylist(), rows["row"].to_pylist()
        rejects = [{"row": numbers[i], "id": ids[i], "reason": why} for i, why in sorted(columns.wrong.items())]
        return table.filter(pyarrow.array([i not in columns.wrong for i in range(table.num_rows)])), rejects


_FORMAT: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 1,
    "use_dictionary": ["tokens.list.element", "label", "prediction", "target"],
    "column_encoding": {
        "starts.list.element": "DELTA_BINARY_PACKED",
        "ends.list.element": "DELTA_BINARY_PACKED",
    },
    "write_statistics": ["row", "score", "label", "prediction"],
    "store_schema": True,
}


def schema(shape: Shape, *, with_text: bool) -> pyarrow.Schema:
    """Return the columns of a shard; without texts there is no column `text`."""
    import pyarrow as pa

    text = [("text", pa.string())] if with_text else []
    return pa.schema(
        [
            ("row", pa.int64()),
            ("id", pa.string()),
            *text,
            ("characters", pa.int32()),
            ("label", pa.string()),
            ("prediction", pa.string()),
            ("probabilities", pa.struct([(name, pa.float64()) for name in shape.classes])),
            ("target", pa.string()),
            ("score", pa.float64()),
            ("tokens", pa.list_(pa.string())),
            ("starts", pa.list_(pa.int32())),
            ("ends", pa.list_(pa.int32())),
            ("relevance", pa.list_(pa.from_numpy_dtype(np.dtype(shape.relevance)))),
            ("known", pa.list_(pa.bool_())),
            ("read_to", pa.int32()),
            ("ledger", pa.struct([(name, pa.float64()) for name in shape.ledger])),
        ]
    )


def table_of(rows: pyarrow.Table, columns: Columns, shape: Shape, *, with_text: bool) -> pyarrow.Table:
    """Return the table of a shard from its rows (row, id, text, label) and what was found out about them."""
    import pyarrow as pa
    from pyarrow import compute

    fields = schema(shape, with_text=with_text)
    offsets = pa.array(columns.read.offsets, pa.int32())

    def lists(values: Any, kind: pa.DataType) -> pa.Array:
        return pa.ListArray.from_arrays(offsets, pa.array(values, kind), type=pa.list_(kind))

    def struct(values: np.ndarray, names: tuple[str, ...]) -> pa.Array:
        parts = [pa.array(np.ascontiguousarray(values[:, k])) for k in range(len(names))]
        return pa.StructArray.from_arrays(parts, list(names))

    found: dict[str, Any] = {
        "row": rows["row"],
        "id": rows["id"],
        "text": rows["text"],
        "characters": compute.utf8_length(rows["text"]).cast(pa.int32()),
        "label": rows["label"],
        "prediction": pa.array([shape.classes[i] for i in columns.predicted.tolist()], pa.string()),
        "probabilities": struct(columns.probabilities, shape.classes),
        "target": pa.array(columns.target, pa.string()),
        "score": pa.array(columns.score),
        "tokens": lists(columns.read.tokens, pa.string()),
        "starts": lists(columns.read.starts, pa.int32()),
        "ends": lists(columns.read.ends, pa.int32()),
        "relevance": lists(columns.relevance, pa.from_numpy_dtype(np.dtype(shape.relevance))),
        "known": lists(columns.read.ids > 1, pa.bool_()),
        "read_to": pa.array(columns.read.read_to, pa.int32()),
        "ledger": struct(columns.ledger, shape.ledger),
    }
    return pa.table([found[name] for name in fields.names], schema=fields).combine_chunks()


def remove_leftovers(out: Path) -> None:
    """Remove the temporary files of a run that was killed."""
    for each in out.glob(".*.part"):
        if each.is_file():
            os.unlink(each)
