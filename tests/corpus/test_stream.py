"""Sources as streams: the rows `load_reviews` gives where nothing is wrong, and a reason for each row where something is."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

import textlrp
from textlrp.corpus.rows import Row
from textlrp.corpus.stream import open_stream
from textlrp.errors import DataError, InputError, UnknownNameError

GOOD = [("Good, really.", "pos"), ('He said "no".', "neg"), ("two\nlines; ünïcode 👍", "pos"), ("", "neg")]


def rows(data: object, **options: object) -> list[Row]:
    return list(open_stream(data, longest=1000, **options).rows)  # type: ignore[arg-type]


def write(path: Path, pairs: list[tuple[str, str]] = GOOD) -> Path:
    import csv

    texts, labels = zip(*pairs, strict=True)
    if path.name.endswith(".parquet"):
        parquet.write_table(pyarrow.table({"text": texts, "label": labels}), path)
        return path
    out = io.StringIO()
    if ".jsonl" in path.name:
        out.writelines(json.dumps({"text": text, "label": label}) + "\n" for text, label in pairs)
    else:
        writer = csv.writer(out, delimiter="\t" if ".tsv" in path.name else ",")
        writer.writerows([("text", "label"), *pairs])
    data = out.getvalue().encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.jsonl.gz", "a.parquet", "a.tsv"])
def test_a_table_streams_as_load_reviews_reads_it(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, [each for each in GOOD if name != "a.tsv" or "\n" not in each[0]])
    expected = textlrp.load_reviews(path)
    names = expected.features["label"].names
    assert [(r.text, r.label, r.id) for r in rows(path)] == [
        (text, names[label], identity)
        for text, label, identity in zip(expected["text"], expected["label"], expected["id"], strict=True)
    ]


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(CELL, min_size=1, max_size=6))
def test_whatever_stands_in_a_csv_comes_back(tmp_path: Path, texts: list[str]) -> None:
    path = write(tmp_path / "any.csv", [(text, "pos") for text in texts])
    assert [row.text for row in rows(path)] == texts


def test_the_bundled_reviews_and_others_that_load_reviews_stores(bundled_texts: list[str]) -> None:
    stream = open_stream("bundled", longest=10_000)
    assert stream.total == 250
    assert [row.text for row in stream.rows] == bundled_texts


def test_a_folder_streams_as_load_reviews_reads_it(tmp_path: Path) -> None:
    for split, label, number in [("train", "good", 10), ("train", "good", 9), ("train", "bad", 1), ("test", "bad", 1)]:
        place = tmp_path / "films" / split / label
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.txt").write_text(f"{split} {label} {number}")
    for spec in (tmp_path / "films", f"{tmp_path}/films:test"):
        expected = textlrp.load_reviews(spec, labelled=False)
        names = expected.features["label"].names
        assert [(r.text, r.label, r.id) for r in rows(spec)] == [
            (text, names[label], identity)
            for text, label, identity in zip(expected["text"], expected["label"], expected["id"], strict=True)
        ]


def test_a_folder_of_tables_streams_them_one_after_the_other(tmp_path: Path) -> None:
    write(tmp_path / "train-00000-of-00002.parquet", GOOD[:2])
    write(tmp_path / "train-00001-of-00002.parquet", GOOD[2:])
    stream = open_stream(tmp_path, longest=1000)
    assert stream.total == 4
    found = list(stream.rows)
    assert [row.text for row in found] == [text for text, _ in GOOD]
    assert [row.id for row in found] == ["1", "2", "3", "4"]


def test_a_file_in_a_folder_that_does_not_decode_is_one_bad_row(tmp_path: Path) -> None:
    for label, data in (("pos", b"fine"), ("neg", b"caf\xe9")):
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.txt").write_bytes(data)
    bad, good = rows(tmp_path)
    assert (bad.id, bad.reason) == ("neg/1.txt", "wrong encoding: not UTF-8 at byte 3")
    assert good.text == "fine"


JSON_LINES = [
    (b'{"text": "fine"}', None),
    (b'{"text": 5}', "line 2: not text: a int in 'text'"),
    (b'{"text": null}', "line 3: not text: nothing there in 'text'"),
    (b"{broken", "line 4: not JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))"),
    (b"[1]", "line 5: not an object but a list"),
    (b'{"text": "caf\xe9"}', "line 6: wrong encoding: not UTF-8 at byte 13 of the line"),
    (b"", "blank"),
    (b'{"label": "pos"}', "line 8: not text: nothing there in 'text'"),
    (b'{"text": "a", "label": ["pos"]}', "line 9: the label is a list, not a name"),
    (b'{"text": "' + b"x" * 80_000 + b'"}', "line 10: too long: a line of more than 73,536 bytes"),
    (b'{"text": "last"}', None),
]


def test_bad_json_lines_are_told_by_their_line_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(line for line, _ in JSON_LINES))
    found = rows(path)
    assert [row.reason for row in found] == [reason for _, reason in JSON_LINES if reason != "blank"]
    assert [row.text for row in found if row.reason is None] == ["fine", "last"]


def test_bad_csv_rows_are_told_by_their_line_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"text,label\nfine,pos\none,two,three\nonly\ncaf\xe9,pos\n\nlast,neg\n")
    assert [(row.text, row.reason) for row in rows(path)] == [
        ("fine", None),
        (None, "line 3: 3 fields; the header has 2"),
        (None, "line 4: 1 field; the header has 2"),
        (None, "line 5: wrong encoding: not the table's at character 3 of a field"),
        ("last", None),
    ]


def test_a_quotation_mark_that_never_closes_does_not_swallow_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    lines = "".join(f"line {i} {'x' * 60},pos\n" for i in range(20_000))
    path.write_text('text,label\nfine,pos\n"open,pos\n' + lines)
    found = rows(path)
    assert found[0].text == "fine"
    assert "cannot be read as a row" in str(found[1].reason)
    assert len(found) > 5_000
    assert found[-1].text is None or found[-1].text.startswith("line 19999")


def test_parquet_with_texts_that_are_none_and_class_names_beside_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    features = {"info": {"features": {"label": {"names": ["bad", "good"], "_type": "ClassLabel"}}}}
    table = pyarrow.table({"text": ["fine", None], "label": [1, 0], "id": ["x", "y"]})
    parquet.write_table(table.replace_schema_metadata({"huggingface": json.dumps(features)}), path)
    assert rows(path) == [Row("x", "fine", "good"), Row("y", None, "bad")]


def test_a_text_that_comes_many_times_in_a_parquet_file_takes_memory_once(tmp_path: Path) -> None:
    """A file of kilobytes can stand for gigabytes: here 4 GB."""
    texts = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 4_000, pyarrow.int32()), pyarrow.array(["x" * 2**20]))
    parquet.write_table(pyarrow.table({"text": texts}), tmp_path / "a.parquet", store_schema=False)
    read = [row.text for row in rows(tmp_path / "a.parquet")]
    assert len(read) == 4_000
    assert len(set(map(id, read))) < 10


def test_a_parquet_column_of_lists_holds_no_texts(tmp_path: Path) -> None:
    parquet.write_table(pyarrow.table({"text": [["a"], ["b"]]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="not one text a row"):
        rows(tmp_path / "a.parquet")


def stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_standard_input_holds_json_lines_or_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, b'\n{"review": "fine", "id": 9}\nno json\n')
    assert [(row.id, row.text) for row in rows("-")] == [("9", "fine"), ("2", None)]
    stdin(monkeypatch, "a fine film\n\n  dull…\r\n".encode())
    assert [(row.id, row.text) for row in rows("-")] == [("1", "a fine film"), ("2", "  dull…")]
    stdin(monkeypatch, b"")
    with pytest.raises(DataError, match="standard input holds no text"):
        rows("-")


def test_other_encodings_can_be_named(tmp_path: Path) -> None:
    for encoding in ("latin-1", "utf-16"):
        path = tmp_path / f"{encoding}.jsonl"
        path.write_bytes('{"text": "café"}\n{"text": "thé"}\n'.encode(encoding))
        assert [row.text for row in rows(path, encoding=encoding)] == ["café", "thé"]
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes("text\ncafé\nthé\n".encode(encoding))
        assert [row.text for row in rows(path, encoding=encoding)] == ["café", "thé"]


def test_wrong_bytes_can_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"text\ncaf\xe9\n")
    assert rows(path, errors="replace")[0].text == "caf\ufffd"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"foo,bar\n1,2\n", "no column looks like the text"),
        ("a.jsonl", b"nothing\nhere\n", "holds no JSON objects: not JSON"),
        ("a.csv.gz", gzip.compress(b"text\n" + b"fine\n" * 1000)[:-10], "broken or cut off"),
        ("a.parquet", b"PAR1 no", "broken or not Parquet"),
    ],
)
def test_what_cannot_be_read_at_all_is_an_error(name: str, data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises((DataError, UnknownNameError), match=message):
        rows(path)


def test_python_rows_are_texts_or_mappings() -> None:
    assert rows(["a", {"text": "b", "label": "pos"}, None]) == [Row("1", "a"), Row("2", "b", "pos"), Row("3", None)]
    dataset = textlrp.load_reviews("bundled").select(range(3))
    assert [row.label for row in rows(dataset)] == [["negative", "positive"][label] for label in dataset["label"]]
    with pytest.raises(InputError, match="name of a source"):
        rows(b"bytes")


def test_the_share_that_is_read_grows_to_one(tmp_path: Path) -> None:
    stream = open_stream(write(tmp_path / "a.csv", GOOD * 2000), longest=1000)
    assert stream.share() is None
    iterator = iter(stream.rows)
    next(iterator)
    first = stream.share()
    assert first is not None
    assert 0 < first < 1
    stream.close()
