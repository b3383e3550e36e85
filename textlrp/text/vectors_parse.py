"""Read word vectors from a stream: GloVe and word2vec text, word2vec binary."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from textlrp.errors import EmbeddingError
from textlrp.text.vectors_open import Stream

__all__ = ["Table", "parse"]

BLOCK_BYTES = 8 * 1024**2
LONGEST_LINE = 1024**2
MOST_DIMENSIONS = 10_000
MOST_WORDS = 50_000_000
MOST_FOREIGN = 0.01  # share of words that may be no UTF-8; Stanford's glove.6B has some
_HEADER = re.compile(rb"(\d{1,12}) (\d{1,6}) ?\r?\n")
LARGEST_FLOAT = float(np.finfo(np.float32).max)


@dataclass
class Table:
    """Words and their vectors as read, in blocks; of a word that comes twice the first vector counts."""

    name: str
    size: int
    words: list[str] = field(default_factory=list)
    blocks: list[np.ndarray] = field(default_factory=list)  # each [n,E] float32
    duplicates: int = 0
    _seen: set[str] = field(default_factory=set)

    def add(self, words: list[str], vectors: np.ndarray, limit: int | None) -> bool:
        """Add a block of vectors [n,E]; return whether the limit is reached."""
        fresh = set(words)
        if len(fresh) < len(words) or not self._seen.isdisjoint(fresh):
            rows = []
            for row, word in enumerate(words):
                if word not in self._seen:
                    self._seen.add(word)
                    rows.append(row)
            self.duplicates += len(words) - len(rows)
            words, vectors = [words[row] for row in rows], vectors[rows]
        else:
            self._seen |= fresh
        if limit is not None and len(self.words) + len(words) > limit:
            room = limit - len(self.words)
            words, vectors = words[:room], vectors[:room]
        self.words += words
        self.blocks.append(vectors)
        if len(self.words) > MOST_WORDS:
            raise EmbeddingError(f"{self.name} holds over {MOST_WORDS:,} words; give limit= to read the first ones only")
        return limit is not None and len(self.words) >= limit


def parse(stream: Stream, *, limit: int | None = None) -> Table:
    """Read the vectors of `stream`, at most `limit` words; the kind of file is seen from its first bytes."""
    from textlrp.progress import track

    start = stream.peek(LONGEST_LINE)
    _refuse_foreign(start, stream.name)
    count, binary, size = _shape(start)
    if count is not None:
        stream.read(start.index(b"\n") + 1)
    if not 1 <= size <= MOST_DIMENSIONS:
        raise EmbeddingError(
            f"{stream.name} does not begin like word vectors: a line is 'word v1 v2 …', with 1 to {MOST_DIMENSIONS:,} numbers"
        )
    table = Table(stream.name, size)
    foreign: list[int] = []  # the lines whose word is not UTF-8
    if binary:
        blocks = _binary_blocks(stream, size, foreign, count or 0)
    else:
        blocks = _text_blocks(stream, size, foreign, first_line=1 if count is None else 2)
    read, full = 0, False
    for _, (words, vectors) in track(_weighed(blocks, stream), "reading word vectors", total=stream.size, weigh=True):
        read += len(words)
        full = table.add(words, vectors, limit)
        if full:
            break
    if count is not None and read != count and not full:
        raise EmbeddingError(
            f"the header of {stream.name} promises {count:,} words, it holds {read:,}; it was cut off: fetch it again"
        )
    if len(foreign) > MOST_FOREIGN * read:
        raise EmbeddingError(
            f"{len(foreign):,} of {read:,} words in {stream.name} are not UTF-8, the first in line {foreign[0]}; "
            "convert the file to UTF-8"
        )
    if not table.words:
        raise EmbeddingError(f"{stream.name} holds no word vectors")
    return table


def _weighed(
    blocks: Iterator[tuple[list[str], np.ndarray]], stream: Stream
) -> Iterator[tuple[int, tuple[list[str], np.ndarray]]]:
    """Pair each block with the bytes on disk that it took."""
    done = 0
    for block in blocks:
        yield stream.done() - done, block
        done = stream.done()


def _shape(start: bytes) -> tuple[int | None, bool, int]:
    """Return the number of words that a header "N E" promises (None without header), whether the file is binary, and E."""
    header = _HEADER.match(start)
    if header:
        after, size = start[header.end() :], int(header[2])
        first = after.split(b"\n", 1)[0].rstrip(b" \r")
        figures = first.partition(b" ")[2]
        if len(figures) < 2 * size - 1:  # too short for E numbers in figures: a byte of a float may be a line feed
            figures = after.partition(b" ")[2][: 4 * size].replace(b"\n", b" ")
        binary = not all(32 <= byte < 127 for byte in figures)
        if binary or size == 1 or first.count(b" ") != 1:  # else "N E" is a word and its only number
            return int(header[1]), binary, size
    return None, False, start.split(b"\n", 1)[0].rstrip(b" \r").count(b" ")


def _refuse_foreign(start: bytes, name: str) -> None:
    if start.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        raise EmbeddingError(
            f"{name} is a pickle, which textlrp never opens; save the vectors with save_word2vec_format instead"
        )
    if start.startswith(b"\xba\x16\x4f\x2f"):
        raise EmbeddingError(f"{name} is a fastText model (.bin); textlrp reads its text vectors: give the .vec file")


def _text_blocks(stream: Stream, size: int, foreign: list[int], *, first_line: int) -> Iterator[tuple[list[str], np.ndarray]]:
    """Yield words and vectors [n,E] of blocks of whole lines; fields are parted by U+0020 alone, lines by U+000A alone."""
    rest, number, blank = b"", first_line, 0
    while True:
        block = stream.read(BLOCK_BYTES)
        whole, newline, rest = (rest + block).rpartition(b"\n") if block else (rest, b"\n", b"")
        if len(rest) > LONGEST_LINE:
            raise EmbeddingError(f"{stream.name} has a line of over {LONGEST_LINE:,} bytes; is it a file of word vectors?")
        lines = [b""] * blank + (whole.split(b"\n") if newline else [])
        blank = 0
        while lines and not lines[-1].rstrip(b"\r"):  # blank lines are allowed at the end of the file alone
            lines.pop()
            blank += 1
        if lines:
            yield _text_block(lines, size, number, stream.name, foreign)
        number += len(lines)
        if not block:
            return


def _text_block(lines: list[bytes], size: int, number: int, name: str, foreign: list[int]) -> tuple[list[str], np.ndarray]:
    words, numbers = [], []
    for at, line in enumerate(lines):
        if line.endswith(b" "):  # as fastText writes them
            line = line.rstrip(b" ")
        if line.count(b" ") == size:
            word, _, figures = line.partition(b" ")
        else:
            word, figures = _odd_line(line, size, number + at, name)
        if not word:
            raise EmbeddingError(f"line {number + at} of {name} has no word before its numbers")
        words.append(word)
        numbers.append(figures)
    vectors = _figures(b"\n".join(numbers), size)
    if vectors is None or len(vectors) != len(lines) or not np.isfinite(vectors).all():
        vectors = _slow_figures(numbers, number, name)
    return _decoded(words, number, foreign), vectors


def _odd_line(line: bytes, size: int, number: int, name: str) -> tuple[bytes, bytes]:
    """Part a line with spaces in its word, as ". . ." in glove.840B."""
    parts = line.rstrip(b" \r").rsplit(b" ", size)
    if len(parts) == size + 1 and not _is_number(parts[0].rpartition(b" ")[2] if b" " in parts[0] else b""):
        return parts[0], b" ".join(parts[1:])
    found = max(0, len(line.rstrip(b" \r").split(b" ")) - 1)
    raise EmbeddingError(f"line {number} of {name} has {found} numbers, the first vector has {size}; mend or drop the line")


def _figures(block: bytes, size: int) -> np.ndarray | None:  # [n,E] float32
    """Return the numbers of lines of figures, None where they are no numbers."""
    import pyarrow as pa
    from pyarrow import csv

    names = [str(column) for column in range(size)]
    try:
        table = csv.read_csv(
            io.BytesIO(block),
            read_options=csv.ReadOptions(column_names=names, use_threads=False, block_size=len(block) + 1),
            parse_options=csv.ParseOptions(delimiter=" ", quote_char=False, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float32()), null_values=[]),
        )
    except pa.ArrowInvalid:
        return None
    vectors = np.empty((table.num_rows, size), dtype=np.float32)
    for column in range(size):
        vectors[:, column] = table.column(column).to_numpy()
    return vectors


def _is_number(figures: bytes) -> bool:
    try:
        return b"_" not in figures and abs(float(figures)) <= LARGEST_FLOAT
    except ValueError:
        return False


def _slow_figures(numbers: list[bytes], number: int, name: str) -> np.ndarray:  # [n,E] float32
    """Read figures one by one, for those like "+1" that the fast way refuses; raises for the first that is no number."""
    rows = [line.rstrip(b"\r").split(b" ") for line in numbers]
    for at, row in enumerate(rows):
        for column, figures in enumerate(row, start=1):
            if not _is_number(figures):
                shown = ascii(figures[:40].decode("utf-8", "replace"))
                raise EmbeddingError(
                    f"line {number + at} of {name}: value {column} is {shown}, not a finite number; mend or drop the line"
                )
    return np.array([[float(figures) for figures in row] for row in rows], dtype=np.float32)


def _decoded(words: list[bytes], number: int, foreign: list[int]) -> list[str]:
    """Decode words as UTF-8; the others, as the few in glove.6B, as Windows-1252, with their line numbers into `foreign`."""
    try:
        return b"\n".join(words).decode("utf-8").split("\n")
    except UnicodeDecodeError:
        decoded = []
        for at, word in enumerate(words):
            try:
                decoded.append(word.decode("utf-8"))
            except UnicodeDecodeError:
                foreign.append(number + at)
                decoded.append("".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in word))
        return decoded


def _binary_blocks(stream: Stream, size: int, foreign: list[int], count: int) -> Iterator[tuple[list[str], np.ndarray]]:
    """Yield words and vectors of the word2vec binary format: a word, a space, E little-endian float32, maybe a line feed."""
    width, buffer, at, number = 4 * size, b"", 0, 0
    while number < count:
        words: list[bytes] = []
        vectors: list[Any] = []
        first = number
        buffer, at = buffer[at:] + stream.read(BLOCK_BYTES), 0
        while number < count:
            space = buffer.find(b" ", at)
            if space < 0 or space + 1 + width > len(buffer):
                break
            words.append(buffer[at:space].lstrip(b"\n"))
            vectors.append(buffer[space + 1 : space + 1 + width])
            at = space + 1 + width
            number += 1
        if not words:
            if len(buffer) - at > LONGEST_LINE + width:
                raise EmbeddingError(f"word {number + 1} of {stream.name} does not end; is it a word2vec binary file?")
            return
        block = np.frombuffer(b"".join(vectors), dtype="<f4").reshape(len(words), size).astype(np.float32)
        bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
        if len(bad):
            raise EmbeddingError(
                f"the vector of word {first + int(bad[0]) + 1} in {stream.name} is not finite; fetch the file again"
            )
        for offset, word in enumerate(words):
            if not word or b"\n" in word:
                raise EmbeddingError(
                    f"word {first + offset + 1} of {stream.name} is {word[:40]!r}; is it a word2vec binary file?"
                )
        yield _decoded(words, first + 1, foreign), block
