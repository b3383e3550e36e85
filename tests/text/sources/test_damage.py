"""Damaged files of every kind: read as far as they are whole, or refused with an error of ours; never anything else."""

from __future__ import annotations

import contextlib
import gzip
import random
from pathlib import Path

import pytest

from textlrp.errors import TextLRPError
from textlrp.text.sources import load_reviews

TREE = {f"{label}/{n}.txt": f"text {n} " * 30 for label in "ab" for n in range(4)}
TABLES = {
    "a.csv": 'text,label\n"a, ""b""\n c",x\nd é,y\n' * 9,
    "a.csv.gz": 'text,label\n"a, ""b""\n c",x\nd é,y\n' * 9,
    "a.tsv": 'text\tlabel\na "b c\tx\nd é\ty\n' * 9,
    "a.jsonl": '{"text": "a é", "label": true}\n{"text": "b", "label": false}\n' * 9,
    "a.json": "[" + ", ".join(f'{{"text": "a é", "label": {n % 3}}}' for n in range(9)) + "]",
}


def _damaged(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    noise = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 20)))
    return chance.choice(
        [
            data[:start],
            data[:start] + noise + data[start:],
            data[:start] + noise + data[start + len(noise) :],
            data[:start] + data[start + len(noise) :],
        ]
    )


def _make(name: str, file, tar, zipped, tmp_path: Path) -> Path:
    if name == "a.parquet":
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(
            pyarrow.table({"text": [f"text {n}" for n in range(50)], "label": [n % 2 for n in range(50)]}), tmp_path / name
        )
        return tmp_path / name
    if name == "a.zip":
        return zipped(TREE, name)
    return tar(TREE, name) if ".tar" in name else file(name, TABLES[name])


@pytest.mark.parametrize("name", [*TABLES, "a.parquet", "a.tar", "a.tar.gz", "a.zip"])
def test_damage_is_read_or_refused(name, file, tar, zipped, tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTLRP_CACHE", str(tmp_path / "cache"))
    path = _make(name, file, tar, zipped, tmp_path)
    whole, chance = path.read_bytes(), random.Random(name)
    for _ in range(30):
        path.write_bytes(_damaged(whole, chance))
        with contextlib.suppress(TextLRPError):
            load_reviews(path)


def test_a_damaged_gz_whose_beginning_is_not_utf8_is_refused(file):
    path = file("a.csv.gz", b"text,label\n\xff\xfe,x\n" + random.Random(0).randbytes(9000))
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()))[:-2000])
    with pytest.raises(TextLRPError):
        load_reviews(path)
