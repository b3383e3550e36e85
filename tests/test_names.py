"""Names that no file can have: a clear error from everything that takes the name of a file or model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import textlrp
from textlrp.errors import TextLRPError
from textlrp.models import checkpoint
from textlrp.text.sources import load_reviews
from textlrp.text.vectors import load_vectors
from textlrp.text.vocabulary import Vocabulary

NAMES = (
    *(
        "x" * 5_000,
        "x" * 300 + "/y",
        "imdb:" + "x" * 5_000,
        "/" + "x" * 5_000 + ":test",
        "a\0b",
        "bundled:\0",
        "",
        "~nosuchuser/x",
    ),
    *("/dev/zero", "/dev/null", "\ud800", "http://example.com/y.csv", "bundled:\x1b[31m", "imdb-dense\n", ".."),
)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:30])
@pytest.mark.parametrize("reader", [textlrp.load, checkpoint.load, load_reviews, load_vectors, Vocabulary.load])
def test_a_name_of_nothing_is_a_clear_error(
    reader: Callable[[str], Any], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEXTLRP_DATA", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")  # what lies around the project may well be texts
    with pytest.raises(TextLRPError) as found:
        reader(name)
    assert 10 < len(str(found.value)) < 12_000
    assert "\x1b" not in str(found.value)
