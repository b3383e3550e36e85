"""Small files that would unpack to gigabytes: refused before they take memory."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from textlrp.errors import DataError, EmbeddingError
from textlrp.text import vectors_open
from textlrp.text.sources import bounded, load_reviews
from textlrp.text.vectors import load_vectors

MEGABYTE = 2**20


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of small files, a sixty-fourth of what it is."""
    monkeypatch.setattr(bounded, "FREE_BYTES", MEGABYTE)


@contextlib.contextmanager
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 60 * MEGABYTE
    finally:
        tracemalloc.stop()


def refused(path: Path, match: str = "unpacks to more than") -> None:
    with little_memory(), pytest.raises(DataError, match=match):
        load_reviews(path, labelled=False)


def zeros(opener: Callable[..., io.BufferedIOBase], path: Path, start: bytes = b"", count: int = 100) -> Path:
    with opener(path, "wb") as file:
        file.write(start)
        for _ in range(count):
            file.write(b"0" * MEGABYTE)
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "json"])
def test_a_table_of_zeros_is_refused(kind: str, tmp_path: Path) -> None:
    start = b'[{"text": "' if kind.startswith("json") else b"text\n"
    refused(zeros(gzip.open, tmp_path / f"a.{kind}.gz", start))


def test_a_table_of_many_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    with gzip.open(path, "wb") as file:
        file.write(b"text\n")
        file.write(b"ok\n" * 3_000_000)
    refused(path)


def test_a_compressed_table_in_another_encoding_is_still_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"text,label\nna\xefve,1\n"))
    refused(path, "not UTF-8: wrong byte at offset 13, line 2")


def test_a_tar_of_zeros_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for number in range(20):
            info = tarfile.TarInfo(f"pos/{number}.txt")
            info.size = 10 * MEGABYTE
            archive.addfile(info, io.BytesIO(bytes(info.size)))
    refused(path)


def test_a_tar_with_a_file_of_holes_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("pos/1.txt")
    info.size = 512
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[386:410] = b"%011o\0%011o\0" % (0, 512)
    header[483:495] = b"%011o\0" % (60 * MEGABYTE)
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    path = tmp_path / "a.tar"
    path.write_bytes(bytes(header) + b"x" * 512 + bytes(1024))
    refused(path, "a file with holes; refused")


def test_a_zip_whose_members_share_their_bytes_is_refused(tmp_path: Path) -> None:
    """Each entry of the table of contents points at the same compressed bytes (Fifield, A better zip bomb, 2019)."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pos/1.txt", bytes(MEGABYTE))
    data = packed.getvalue()
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entry = data[start:end]
    count = 4000
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, count * len(entry), start, 0)
    path = tmp_path / "a.zip"
    path.write_bytes(data[:start] + entry * count + tail)
    refused(path)


def test_a_zip_that_asks_for_gigabytes_to_unpack_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("pos/1.txt", "good")
        archive.writestr("neg/1.txt", "bad")
    refused(path, "compressed by a method other than deflate or bzip2; unpack it")


def test_a_parquet_file_of_one_long_text_many_times_is_refused(tmp_path: Path) -> None:
    texts = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 20_000, pyarrow.int32()), pyarrow.array(["x" * MEGABYTE]))
    parquet.write_table(pyarrow.table({"text": texts}), tmp_path / "a.parquet", store_schema=False)
    assert (tmp_path / "a.parquet").stat().st_size < MEGABYTE
    refused(tmp_path / "a.parquet")


def test_a_parquet_file_of_a_million_empty_rows_is_refused(tmp_path: Path) -> None:
    parquet.write_table(pyarrow.table({"text": pyarrow.nulls(3_000_000, pyarrow.string())}), tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 20_000
    refused(tmp_path / "a.parquet")


def test_equal_texts_of_a_parquet_file_are_read_as_they_are(tmp_path: Path) -> None:
    table = pyarrow.table({"text": ["good", None, "good", "bad"], "label": ["p", "n", "p", "n"]})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert load_reviews(tmp_path / "a.parquet")["text"][:] == ["good", "", "good", "bad"]


@pytest.mark.parametrize(("suffix", "opener"), [(".gz", gzip.open), (".bz2", bz2.open), (".xz", lzma.open)])
def test_vectors_of_zeros_are_refused(suffix: str, opener: Callable[..., io.BufferedIOBase], tmp_path: Path) -> None:
    path = zeros(opener, tmp_path / f"a.txt{suffix}", b"good 1 2\n", count=30)
    with little_memory(), pytest.raises(EmbeddingError, match=r"unpacks from|line of over"):
        load_vectors(path, cache=False)


def test_xz_vectors_that_ask_for_gigabytes_to_unpack_are_refused(tmp_path: Path) -> None:
    data = bytearray(lzma.compress(b"good 1 2\n"))
    end = 12 + 4 * (data[12] + 1)  # of the header of the first block; its size of the dictionary is at 16
    data[16] = 40  # 4 GiB
    data[end - 4 : end] = zlib.crc32(data[12 : end - 4]).to_bytes(4, "little")
    (tmp_path / "a.txt.xz").write_bytes(data)
    with little_memory(), pytest.raises(EmbeddingError, match=r"cannot be decompressed \(Memory usage limit"):
        load_vectors(tmp_path / "a.txt.xz", cache=False)


def test_xz_vectors_of_two_streams_are_read_to_the_end(tmp_path: Path) -> None:
    (tmp_path / "a.txt.xz").write_bytes(lzma.compress(b"good 1 2\n") + bytes(8) + lzma.compress(b"bad 3 4\n"))
    assert load_vectors(tmp_path / "a.txt.xz", cache=False).index_to_key == ["good", "bad"]


def test_a_zip_that_lies_about_its_size_gives_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors_open, "FREE_BYTES", MEGABYTE)
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"good 1 2\n" * 3_000_000)  # 27 MB
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + 20 : entry + 24] = (0xFFFFFFF0).to_bytes(4, "little")  # the packed size
    path.write_bytes(data)
    with little_memory(), pytest.raises(EmbeddingError, match="ends in the middle"):
        load_vectors(path, cache=False)


def test_a_zip_of_vectors_compressed_with_lzma_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.txt", b"good 1 2\n")
    with pytest.raises(EmbeddingError, match="a method other than deflate or bzip2; unpack it"):
        load_vectors(tmp_path / "a.zip", cache=False)
