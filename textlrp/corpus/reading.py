"""Explained corpora read back: as Explanations, one after the other, or as columns."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from textlrp.corpus.failures import CorpusError
from textlrp.corpus.manifest import open_manifest
from textlrp.explanation import Explanation
from textlrp.text.tokens import Token

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Corpus", "Texts", "open_corpus", "read"]

UNREAD = " …"  # stands for what the model did not read, where texts were not kept


def read(folder: str | os.PathLike[str]) -> Iterator[Explanation]:
    """Yield the Explanations of an explained corpus in the order of its rows; a shard is read when its turn comes.

    They equal those of `explain_many`. Where the texts were not kept, a text is its tokens, with spaces where white space was.
    Raises CorpusError where the run is not finished, or a shard is missing or is not as it was written.
    """
    yield from open_corpus(folder)


def open_corpus(folder: str | os.PathLike[str]) -> Corpus:
    """Open an explained corpus; only its manifest is read."""
    path = Path(folder)
    return Corpus(path, open_manifest(path))


class Corpus:
    """An explained corpus: `len`, iteration over Explanations, `manifest`, and the columns that fit into memory."""

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self.folder, self.manifest = folder, manifest
        try:
            self.classes = [str(name) for name in manifest["shape"]["classes"]]
            self.texts_kept = bool(manifest["settings"]["with_text"])
            self._count = int(manifest["counts"]["texts"])
            self._shards = [(Path(each["file"]).name, each["bytes"], each["sha256"]) for each in manifest["shards"]]
        except (KeyError, TypeError, ValueError) as error:
            raise CorpusError(f"the manifest in {str(folder)!r} is damaged ({error}); explain the corpus again") from error

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Explanation]:
        import pyarrow

        made = {
            "model": self.manifest["model"]["name"],
            "rule": self.manifest["shape"]["rule"],
            "gates": self.manifest["settings"]["gates"],
        }
        for number, table in enumerate(self.tables()):
            try:
                yield from _explanations(table, made)
            except (KeyError, TypeError, AttributeError, IndexError, pyarrow.ArrowException) as error:
                raise CorpusError(
                    f"shard {number} of {str(self.folder)!r} lacks a column, or one is of another kind"
                ) from error

    def tables(self, columns: list[str] | None = None) -> Iterator[pyarrow.Table]:
        """Yield the shards as Arrow tables, each compared with its sha256 first."""
        import io

        import pyarrow
        from pyarrow import parquet

        for name, size, digest in self._shards:
            path = self.folder / name
            try:
                data = path.read_bytes()
            except OSError as error:
                raise CorpusError(
                    f"the shard {str(path)!r} cannot be read: {error.strerror or error}; explain again"
                ) from error
            if len(data) != size or hashlib.sha256(data).hexdigest() != digest:
                raise CorpusError(
                    f"the shard {str(path)!r} is not as it was written; remove {str(self.folder)!r} and explain it again"
                )
            try:  # by one thread: others may still ask for Python's lock when Python ends, which aborts it
                yield parquet.read_table(io.BytesIO(data), columns=columns, use_threads=False)
            except (pyarrow.ArrowException, OSError) as error:
                raise CorpusError(f"the shard {str(path)!r} is no Parquet file ({error}); explain the corpus again") from error

    @property
    def target(self) -> str:
        """What was explained: "predicted", "margin", or a class."""
        return str(self.manifest["settings"]["target"])

    def labels(self) -> list[str | None]:
        """Return the label of each text, None where it has none."""
        return [label for table in self.tables(["label"]) for label in table["label"].to_pylist()]

    def texts(self) -> Texts:
        """Return the texts as a sequence; they are held as Arrow holds them, about a byte a character."""
        import pyarrow

        if not self.texts_kept:
            raise CorpusError(f"the texts were not kept in {str(self.folder)!r}; explain the corpus again with them")
        columns = [table["text"] for table in self.tables(["text"])]
        chunks = [chunk for column in columns for chunk in column.chunks]
        return Texts(pyarrow.chunked_array(chunks, pyarrow.string()))


class Texts(Sequence[str]):
    """A sequence of texts over an Arrow column; a text becomes a Python string when it is asked for."""

    def __init__(self, column: pyarrow.ChunkedArray) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self._column[i].as_py() for i in range(*index.indices(len(self)))]
        return str(self._column[index].as_py())

    def __iter__(self) -> Iterator[str]:
        for chunk in self._column.chunks:
            yield from chunk.to_pylist()


def _explanations(table: pyarrow.Table, made: dict[str, str]) -> Iterator[Explanation]:
    count = table.num_rows
    if not count:
        return
    lists = {name: table[name].combine_chunks() for name in ("tokens", "starts", "ends", "relevance", "known")}
    offsets = lists["tokens"].offsets.to_pylist()
    flat = {name: array.values for name, array in lists.items()}
    words, known = flat["tokens"].to_pylist(), flat["known"].to_pylist()
    starts, ends = flat["starts"].to_pylist(), flat["ends"].to_pylist()
    relevance = flat["relevance"].to_numpy(zero_copy_only=False).astype(np.float64)
    names = ("characters", "prediction", "probabilities", "target", "score", "read_to", "ledger")
    single = [table[name].to_pylist() for name in names]
    texts = table["text"].to_pylist() if "text" in table.column_names else [None] * count
    for i, (text, characters, prediction, probabilities, target, score, read_to, ledger) in enumerate(
        zip(texts, *single, strict=True)
    ):
        part = slice(offsets[i], offsets[i + 1])
        tokens = tuple(map(Token, words[part], starts[part], ends[part]))
        yield Explanation(
            text=_rebuilt(tokens, characters, read_to) if text is None else text,
            tokens=tokens,
            relevance=relevance[part],
            target=target,
            score=score,
            ledger=ledger,
            prediction=prediction,
            probabilities=probabilities,
            known=tuple(known[part]),
            read_to=read_to,
            **made,
        )


def _rebuilt(tokens: tuple[Token, ...], characters: int, read_to: int) -> str:
    """A text of which only the tokens are known."""
    pieces, position = [], 0
    for token in tokens:
        pieces += [" " * (token.start - position), token.text]
        position = token.end
    text = "".join(pieces) + " " * (read_to - position)
    return text + UNREAD if characters > read_to else text
