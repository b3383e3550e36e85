"""The vocabulary: fixed entries, look-ups by normal form, a file that is read back equal or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textlrp.errors import CheckpointError, InputError
from textlrp.text.tokens import words
from textlrp.text.vocabulary import Vocabulary

WORD = st.text(st.characters(exclude_categories=()), min_size=1, max_size=8).filter(lambda word: word not in ("<pad>", "<unk>"))
WORDS = st.lists(WORD, unique=True, max_size=20)


def test_padding_and_unknown_come_first() -> None:
    vocabulary = Vocabulary(["film"])
    assert vocabulary.words == ("<pad>", "<unk>", "film")
    assert (vocabulary.PAD, vocabulary.UNK, len(vocabulary)) == (0, 1, 3)


def test_an_unknown_word_is_number_one() -> None:
    assert Vocabulary(["film"])["nothing"] == 1


@pytest.mark.parametrize("word", ["Don’t".lower(), "<BR>", "&amp;", "MR.", "—"])
def test_words_are_looked_up_by_their_normal_form(word: str) -> None:
    vocabulary = Vocabulary(["don't", "<br />", "&", "mr", "-"])
    assert word in vocabulary
    assert vocabulary[word] > 1


def test_no_text_can_name_the_fixed_entries() -> None:
    assert not set(words("<pad> <unk> <PAD><UNK>")) & {"<pad>", "<unk>"}


def test_encode_gives_int64() -> None:
    ids = Vocabulary(["a", "b"]).encode(["b", "x", "A"])
    assert ids.dtype == np.int64
    assert ids.tolist() == [3, 1, 2]


def test_encoding_no_words_gives_an_empty_array() -> None:
    assert Vocabulary(["a"]).encode([]).shape == (0,)


def test_encoding_a_string_by_mistake_is_refused() -> None:
    with pytest.raises(InputError, match="list of words"):
        Vocabulary(["a"]).encode("a film")


def test_known_says_of_each_word_whether_it_is_there() -> None:
    assert Vocabulary(["a"]).known(["a", "b", "A"]) == (True, False, True)


def test_the_most_frequent_words_are_kept_in_order() -> None:
    counts = {"rare": 1, "b": 3, "a": 3, "often": 9, "two": 2}
    assert Vocabulary.from_counts(counts, min_count=2, max_size=3).words[2:] == ("often", "a", "b")


def test_words_too_long_stay_unknown() -> None:
    assert Vocabulary.from_counts({"x" * 201: 5, "y" * 200: 5}).words[2:] == ("y" * 200,)


def test_counting_uses_normal_forms() -> None:
    assert Vocabulary.count(["Good, GOOD", "good!"])["good"] == 3


@pytest.mark.parametrize("options", [{"min_count": 0}, {"max_size": 0}])
def test_limits_below_one_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="1 or more"):
        Vocabulary.from_counts({"a": 2}, **options)


@pytest.mark.parametrize("entries", [["a", "a"], [""], ["x" * 201], ["<unk>"] * 2, [3]])
def test_bad_entries_are_refused(entries: list[Any]) -> None:
    with pytest.raises(InputError, match="vocabulary"):
        Vocabulary(entries)


@given(entries=WORDS)
def test_what_is_saved_is_read_back_equal(tmp_path_factory: pytest.TempPathFactory, entries: list[str]) -> None:
    path = tmp_path_factory.mktemp("vocabulary") / "vocabulary.json"
    vocabulary = Vocabulary(entries)
    vocabulary.save(path)
    assert Vocabulary.load(path) == vocabulary


def test_the_file_is_ascii(tmp_path: Path) -> None:
    Vocabulary(["café", "日", "\ud800"]).save(tmp_path / "v.json")
    assert (tmp_path / "v.json").read_bytes().isascii()


GOOD = {"format": "textlrp vocabulary", "version": 1, "words": ["<pad>", "<unk>", "a"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged"),
        (b"\xff\xfe", "damaged"),
        (b"[" * 100_000, "damaged"),
        (json.dumps(GOOD).encode()[:-4], "damaged"),
        (b"[]", "no vocabulary of textlrp"),
        (json.dumps(GOOD | {"version": 2}).encode(), "version 2"),
        (json.dumps(GOOD | {"more": 1}).encode(), "'more'"),
        (json.dumps(GOOD | {"words": "ab"}).encode(), "must be a list"),
        (json.dumps(GOOD | {"words": ["a"]}).encode(), "begins with '<pad>', '<unk>'"),
        (json.dumps(GOOD | {"words": ["<pad>", "<unk>", "a", "a"]}).encode(), "'a' is in the vocabulary twice"),
        (json.dumps(GOOD | {"words": ["<pad>", "<unk>", 7]}).encode(), "entry 2"),
        (json.dumps(GOOD | {"words": ["<pad>", "<unk>", ["a"]]}).encode(), "entry 2"),
    ],
)
def test_a_file_that_is_not_ours_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "vocabulary.json"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        Vocabulary.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere\.json"):
        Vocabulary.load(tmp_path / "nowhere.json")


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        Vocabulary.load(tmp_path)
