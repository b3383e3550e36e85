"""Lexicons and rationales that are damaged: a clear error."""

from __future__ import annotations

from pathlib import Path

import pytest

from textlrp.errors import DataError
from textlrp.faithfulness.agreement import read_lexicon, read_rationales


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b"[" * 100_000),
        ("a.json", b'{"good": "p", "good": "n"}'),
        ("a.json", b'{"good": 1e999}'),
        ("a.csv", b"word,class\n" + b"x" * 200_000 + b",p"),
        ("a.csv", b"word;class\ngood;p"),
        ("a.csv", b"\xff"),
        ("a.csv", b""),
    ],
)
def test_a_damaged_lexicon_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError):
        read_lexicon(tmp_path / name)


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        '{"text": "good", "label": "p", "spans": [[0, 1e999]]}',
        '{"text": "good", "label": "p", "spans": [[0, 5]]}',
        '{"text": "good", "label": ["p"], "spans": [[0, 4]]}',
        '{"text": "good", "label": "p", "spans": [[0]]}',
    ],
)
def test_damaged_rationales_are_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(line)
    with pytest.raises(DataError, match="line 1"):
        read_rationales(tmp_path / "a.jsonl")


def test_a_line_separator_inside_a_text_does_not_end_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "good\u2028film", "label": "p", "spans": [[0, 4]]}\n', "utf-8")
    assert read_rationales(tmp_path / "a.jsonl")[0].text == "good\u2028film"
