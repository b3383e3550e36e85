"""What is fuzzed of files: tables, folders and archives of reviews, and word vectors."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import shutil
import struct
import tarfile
import warnings
import zipfile
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from fuzz_records import TEXTS, bytes_of, folder
from hypothesis import strategies as st

__all__ = ["KINDS", "VECTORS", "loaders", "vectors"]

TABLES = ("csv", "tsv", "jsonl", "json", "parquet", "csv.gz", "jsonl.gz")
ARCHIVES = ("zip", "tar", "tar.gz")
KINDS = (*TABLES, *ARCHIVES, "folder")
OPTIONS: tuple[dict[str, Any], ...] = (
    *(
        {},
        {"labelled": False},
        {"text_column": "text", "label_column": "label"},
        {"errors": "replace"},
        {"encoding": "latin-1"},
    ),
    *({"encoding": "utf-16", "labelled": False}, {"classes": ["neg", "pos"]}, {"labelled": False, "errors": "ignore"}),
)
ROWS = [("A good film, not bad.", "pos"), ('Dull; "really"\nbad', "neg"), ("naïve 👍🏽", "pos"), ("", "neg")]


def loaders(data: bytes) -> None:
    """The first byte says what kind of file, the second how it is read; the rest is the file. What is read is whole."""
    from textlrp.text.sources import load_reviews

    kind, options = KINDS[data[0] % len(KINDS)] if data else "csv", OPTIONS[data[1] % len(OPTIONS)] if data[1:] else {}
    path = folder() / f"reviews.{kind}"
    _put(path, kind, data[2:])
    if kind in (*ARCHIVES, "folder"):
        options = {name: value for name, value in options.items() if "column" not in name}
    with warnings.catch_warnings(), mock.patch.dict(os.environ, TEXTLRP_CACHE=str(folder() / "cache")):
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ResourceWarning)
        found = load_reviews(path, **options)
    texts, labels, ids = found["text"][:], found["label"][:], found["id"][:]
    assert len(texts) == len(labels) == len(ids) > 0
    names = found.features["label"].names
    assert all(isinstance(text, str) and isinstance(id_, str) for text, id_ in zip(texts, ids, strict=True))
    assert all(-1 <= label < len(names) for label in labels)
    assert options.get("labelled", True) is False or -1 not in labels
    for each in (*texts, *names, *ids):
        each.encode("utf-8")


def _put(path: Path, kind: str, data: bytes) -> None:
    cache = folder() / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    if path.is_dir():
        shutil.rmtree(path)
    if kind == "folder":
        path.mkdir()
        for part in data.split(b"\n===\n")[:20]:
            name, _, content = part.partition(b"\n")
            names = [
                each for each in name.decode("utf-8", "replace").replace("\0", "").split("/") if each not in ("", ".", "..")
            ]
            place = path.joinpath(*[each[:80] for each in names[:6]] or ["x"])
            if not place.exists() and all(not parent.is_file() for parent in place.parents):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
    elif kind.endswith(".gz") and data[:2] != b"\x1f\x8b":
        path.write_bytes(gzip.compress(_tar_sums(data) if "tar" in kind else data, 1))
    else:
        path.write_bytes(_tar_sums(data) if kind == "tar" else data)


def _tar_sums(data: bytes) -> bytes:
    """Put the checksums of a tar file right where a header begins at a multiple of 512, so that more than sums is tried."""
    found = bytearray(data)
    for at in range(0, len(found) - 511, 512):
        if found[at + 257 : at + 262] == b"ustar":
            found[at + 148 : at + 156] = b"        "
            found[at + 148 : at + 156] = b"%06o\0 " % sum(found[at : at + 512])
    return bytes(found)


def loader_seeds() -> list[bytes]:
    """A sound file of each kind."""
    files = dict(zip(KINDS, map(_sound, KINDS), strict=True))
    return [bytes([KINDS.index(kind), how]) + data for kind, data in files.items() for how in (0, 1, 3)]


def _sound(kind: str) -> bytes:
    import csv

    if kind.startswith(("csv", "tsv")):
        out = io.StringIO()
        csv.writer(out, delimiter="\t" if kind == "tsv" else ",").writerows([("text", "label"), *ROWS])
        return out.getvalue().encode()
    if kind.startswith("json"):
        records = [{"text": text, "label": label, "id": i} for i, (text, label) in enumerate(ROWS)]
        return json.dumps(records).encode() if kind == "json" else "\n".join(map(json.dumps, records)).encode()
    if kind == "parquet":
        return _parquet(ROWS)
    if kind == "folder":
        return "\n===\n".join(f"{label}/{i}.txt\n{text}" for i, (text, label) in enumerate(ROWS)).encode()
    packed = io.BytesIO()
    members = {f"reviews/{label}/{i}.txt": text.encode() for i, (text, label) in enumerate(ROWS)}
    if kind == "zip":
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in members.items():
                archive.writestr(zipfile.ZipInfo(name), text)
    else:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name, text in members.items():
                info = tarfile.TarInfo(name if text else f"reviews/neg/{'é' * 120}.txt")
                info.size = len(text)
                tar.addfile(info, io.BytesIO(text))
    return packed.getvalue()


def _parquet(rows: list[tuple[str, str]]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    packed = io.BytesIO()
    table = {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
    parquet.write_table(pyarrow.table(table, schema=pyarrow.schema([(name, pyarrow.string()) for name in table])), packed)
    return packed.getvalue()


def generated_reviews() -> Any:
    """A strategy of files with any texts and labels."""
    rows = st.lists(st.tuples(TEXTS, st.sampled_from(["pos", "neg", "", "1", " pos "])), min_size=1, max_size=5)

    def file(drawn: tuple[list[tuple[str, str]], int, int]) -> bytes:
        rows, kind, how = drawn
        if KINDS[kind] == "parquet":
            data = _parquet([(text.encode("utf-8", "replace").decode(), label) for text, label in rows])
        elif KINDS[kind].startswith("json"):
            data = "\n".join(json.dumps({"text": text, "label": label}) for text, label in rows).encode()
        else:
            mark = "\t" if KINDS[kind] == "tsv" else ","
            data = bytes_of("\n".join([f"text{mark}label", *(f'"{text}"{mark}{label}' for text, label in rows)]))
        return bytes([kind, how]) + data

    return st.tuples(rows, st.integers(0, 4), st.integers(0, len(OPTIONS) - 1)).map(file)


VECTORS = ("txt", "bin", "gz", "bz2", "xz", "zip")


def vectors(data: bytes) -> None:
    """The first byte says how the file is packed; the rest is the file. What is read is one finite vector for each word."""
    from textlrp.text.vectors_open import open_stream
    from textlrp.text.vectors_parse import parse

    kind = VECTORS[data[0] % len(VECTORS)] if data else "txt"
    path = folder() / f"vectors.{kind}"
    path.write_bytes(data[1:])
    with open_stream(path) as stream:
        table = parse(stream, limit=None if data[-1:] != b"\n" else 3)
    found = np.concatenate(table.blocks)
    assert found.shape == (len(table.words), table.size)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert len(set(table.words)) == len(table.words) > 0
    assert all(word and "\n" not in word for word in table.words)


def vector_seeds() -> list[bytes]:
    """Sound files of vectors of every kind."""
    text = b"good 0.5 -1 2e-3\nbad 0.25 3 -7\nfilm 1 0 4.5\n"
    binary = b"2 3\n" + b"".join(word + b" " + struct.pack("<3f", 1, -2, 0.5) for word in (b"good", b"bad"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("a.txt"), text)
    kinds = [
        (0, text),
        (0, b"3 3\n" + text),
        (0, text.replace(b"\n", b" \r\n")),
        (1, binary),
        (1, binary.replace(b"\nbad", b"\n\nbad")),
    ]
    kinds += [(2, gzip.compress(text)), (3, bz2.compress(text)), (4, lzma.compress(text)), (5, packed.getvalue())]
    kinds += [
        (0, b". . . 1 2 3\n" + text),
        (0, "naïve 1 2\n".encode("cp1252") * 3),
        (0, b"a 1\n" * 30),
        (0, b"x" + b" 0.1" * 300),
    ]
    return [bytes([kind]) + data for kind, data in kinds]


def generated_vectors() -> Any:
    """A strategy of files of vectors in text."""
    numbers = st.floats(width=32).map(lambda value: repr(value).encode()) | st.sampled_from(
        [b"+1", b"1_0", b"0x1", b"1e39", b".5", b""]
    )
    word = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6).map(str.encode)
    line = st.tuples(word, st.lists(numbers, min_size=2, max_size=3)).map(lambda pair: b" ".join([pair[0], *pair[1]]))
    head = st.sampled_from([b"", b"2 2\n", b"1000000000000 999999\n", b"3 3\n"])
    return st.tuples(head, st.lists(line, max_size=5)).map(lambda pair: b"\0" + pair[0] + b"\n".join(pair[1]))
