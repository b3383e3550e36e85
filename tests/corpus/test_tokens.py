"""The fast reader gives what `textlrp.encoding.read` gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textlrp.corpus.tokens import Reader
from textlrp.encoding import read
from textlrp.text.vocabulary import Vocabulary

VOCABULARY = Vocabulary(["the", "is", "n't", "film", "<br />", "7/10", ".", "...", "'s"])
PIECES = st.sampled_from(
    ["isn't", "film", "<br />", "<br/><br />", "\x85", "…", "7/10", "👩‍👩‍👧", "don’t", " ", "\t", "\n", "x<i>y</i>", "."]
)
TEXTS = st.lists(st.one_of(st.text(max_size=12), PIECES), max_size=12).map("".join)


def check(texts: list[str], reader: Reader, most: int | None) -> None:
    found = reader(texts)
    for i, text in enumerate(texts):
        expected = read(text, VOCABULARY, max_tokens=most)
        part = slice(found.offsets[i], found.offsets[i + 1])
        assert tuple(zip(found.tokens[part], found.starts[part].tolist(), found.ends[part].tolist(), strict=True)) == tuple(
            map(tuple, expected.tokens)
        )
        assert np.array_equal(found.ids[part], expected.ids)
        assert found.read_to[i] == expected.read_to


@given(st.lists(TEXTS, max_size=5), st.sampled_from([None, 1, 3, 50]))
def test_it_reads_any_text_as_read_does(texts: list[str], most: int | None) -> None:
    check(texts, Reader(VOCABULARY, max_tokens=most), most)


def test_what_it_remembers_changes_nothing(bundled_texts: list[str]) -> None:
    reader = Reader(VOCABULARY, max_tokens=100)
    check(bundled_texts[:40], reader, 100)
    check(bundled_texts[:40], reader, 100)


@pytest.mark.parametrize("text", ["", "   ", "\n", "a" * 100])
def test_texts_without_words_and_long_ones(text: str) -> None:
    check([text, "film", text], Reader(VOCABULARY, max_tokens=None), None)


def test_it_forgets_when_it_has_seen_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textlrp.corpus.tokens._MOST", 3)
    reader = Reader(VOCABULARY, max_tokens=None)
    check([f"word{i} film" for i in range(20)], reader, None)
    assert len(reader._known) <= 3
