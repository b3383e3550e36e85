"""Word vectors: every format gives the same vectors, damaged files are refused with the line, the cache is true to the file."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textlrp.errors import EmbeddingError, InputError, UnknownNameError
from textlrp.resources import cache_dir
from textlrp.text.vectors import NAMED, load_vectors

WORDS = ["good", "bad", "film"]
NUMBERS = np.array([[0.5, -1.0, 2e-3], [0.25, 3.0, -7.0], [1.0, 0.0, 4.5]], dtype=np.float32)
LINES = [f"{word} {a:g} {b:g} {c:g}\n" for word, (a, b, c) in zip(WORDS, NUMBERS.tolist(), strict=True)]
TEXT = "".join(LINES).encode()


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("_", "."), data)
    return path


def word2vec_binary(words: list[str], numbers: np.ndarray, *, line_feed: bool) -> bytes:
    records = [word.encode() + b" " + row.astype("<f4").tobytes() for word, row in zip(words, numbers, strict=True)]
    return b"%d %d\n" % numbers.shape + (b"\n" if line_feed else b"").join(records)


FORMATS = {
    "plain.txt": TEXT,
    "no-line-feed-at-the-end.txt": TEXT.rstrip(),
    "blank-lines-at-the-end.txt": TEXT + b"\n\n",
    "windows.txt": TEXT.replace(b"\n", b"\r\n"),
    "fasttext.vec": b"3 3\n" + TEXT.replace(b"\n", b" \n"),
    "header.txt": b"3 3\n" + TEXT,
    "plus-signs.txt": TEXT.replace(b"bad ", b"bad +"),
    "packed.txt.gz": gzip.compress(TEXT),
    "packed.txt.bz2": bz2.compress(TEXT),
    "packed.txt.xz": lzma.compress(TEXT),
    "gzip-by-another-name.txt": gzip.compress(TEXT),
    "binary.bin": word2vec_binary(WORDS, NUMBERS, line_feed=False),
    "binary-with-line-feeds.bin": word2vec_binary(WORDS, NUMBERS, line_feed=True),
    "binary.bin.gz": gzip.compress(word2vec_binary(WORDS, NUMBERS, line_feed=True)),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_vectors(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FORMATS[name])
    vectors = load_vectors(path)
    assert vectors.index_to_key == WORDS
    assert np.array_equal(vectors.vectors, NUMBERS)


def test_what_gensim_writes_is_read_back(tmp_path: Path) -> None:
    vectors = load_vectors(_write(tmp_path, TEXT))
    for binary in (True, False):
        vectors.save_word2vec_format(str(tmp_path / f"saved-{binary}"), binary=binary)
        again = load_vectors(tmp_path / f"saved-{binary}")
        assert again.index_to_key == WORDS
        assert np.array_equal(again.vectors, NUMBERS)


def test_the_result_is_gensims(tmp_path: Path) -> None:
    vectors = load_vectors(_write(tmp_path, TEXT))
    assert vectors["bad"].tolist() == NUMBERS[1].tolist()
    assert {word for word, _ in vectors.most_similar("good", topn=2)} == {"bad", "film"}


def _write(folder: Path, data: bytes, name: str = "vectors.txt") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


# Words of a real file may hold anything but a space and a line feed.
ODD_WORDS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters=" \n"), min_size=1, max_size=6), min_size=1, unique=True
)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(words=ODD_WORDS, data=st.data())
def test_any_words_and_numbers_come_back(
    tmp_path_factory: pytest.TempPathFactory, words: list[str], data: st.DataObject
) -> None:
    size = data.draw(st.integers(2, 5))
    numbers = data.draw(st.lists(st.lists(FLOATS, min_size=size, max_size=size), min_size=len(words), max_size=len(words)))
    text = "".join(f"{word} {' '.join(map(repr, row))}\n" for word, row in zip(words, numbers, strict=True))
    folder = tmp_path_factory.mktemp("odd")
    for name, content in (("a.txt", text), ("b.txt", f"{len(words)} {size}\n{text}")):
        vectors = load_vectors(_write(folder, content.encode(), name), cache=False)
        assert vectors.index_to_key == words
        assert np.array_equal(vectors.vectors, np.array(numbers, dtype=np.float32))


@given(data=st.binary(max_size=60))
def test_any_bytes_give_vectors_or_our_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name, content in (("a.txt", data), ("b.txt", b"2 2\n" + data), ("c.txt", b"a 1 2\n" + data), ("d.zip", data)):
        try:
            vectors = load_vectors(_write(folder, content, name), cache=False)
        except EmbeddingError:
            continue
        assert np.isfinite(vectors.vectors).all()


def test_words_may_hold_spaces(tmp_path: Path) -> None:
    vectors = load_vectors(_write(tmp_path, b"a 1 2\n. . . 3 4\nat me@x.org 5 6\n"))
    assert vectors.index_to_key == ["a", ". . .", "at me@x.org"]


def test_of_a_word_that_comes_twice_the_first_vector_counts(tmp_path: Path) -> None:
    vectors = load_vectors(_write(tmp_path, b"a 1 2\nb 3 4\na 5 6\n"))
    assert vectors.index_to_key == ["a", "b"]
    assert vectors["a"].tolist() == [1.0, 2.0]
    assert vectors.duplicates == 1


def test_the_limit_takes_the_first_words(tmp_path: Path) -> None:
    path = _write(tmp_path, TEXT)
    assert load_vectors(path, limit=2).index_to_key == WORDS[:2]
    assert load_vectors(path).index_to_key == WORDS


def test_a_limit_below_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="limit"):
        load_vectors(_write(tmp_path, TEXT), limit=0)


def test_a_few_words_that_are_not_utf8_are_read_as_windows_1252(tmp_path: Path) -> None:
    lines = b"".join(b"w%d 1 2\n" % number for number in range(200))
    assert "–" in load_vectors(_write(tmp_path, lines + b"\x96 3 4\n")).key_to_index


BAD = {
    "empty": (b"", "is empty"),
    "no numbers": (b"just\nwords\n", "does not begin like word vectors"),
    "too short": (TEXT + b"new 1 2\n", r"line 4 of .* has 2 numbers, the first vector has 3"),
    "too long": (TEXT + b"new 1 2 3 4\n", r"line 4 of .* has 4 numbers, the first vector has 3"),
    "a blank line inside": (TEXT + b"\n" + b"new 1 2 3\n", r"line 4 of .* has 0 numbers"),
    "not a number": (TEXT + b"new 1 x 3\n", r"line 4 of .*: value 2 is 'x', not a finite number"),
    "a number in Python's way": (TEXT + b"new 1 1_0 3\n", "'1_0'"),
    "two spaces": (TEXT + b"new 1  3\n", r"line 4"),
    "nan": (TEXT + b"new 1 nan 3\n", "'nan'"),
    "infinity": (TEXT + b"new 1 -inf 3\n", "'-inf'"),
    "too large": (TEXT + b"new 1 1e39 3\n", "'1e39'"),
    "no word": (TEXT + b" 1 2 3\n", "line 4 of .* has no word"),
    "not UTF-8": (TEXT + b"\xff\xfe 1 2 3\n", r"1 of 4 words .* not UTF-8, the first in line 4"),
    "UTF-16": (TEXT.decode().encode("utf-16"), "not a finite number|UTF-8|numbers"),
    "header promises more": (b"4 3\n" + TEXT, "promises 4 words, it holds 3"),
    "header promises less": (b"2 3\n" + TEXT, "promises 2 words, it holds 3"),
    "header of another size": (b"3 4\n" + TEXT, r"line 2 of .* has 3 numbers"),
    "binary cut off": (word2vec_binary(WORDS, NUMBERS, line_feed=False)[:-3], "promises 3 words, it holds 2"),
    "binary nan": (b"1 2\na " + struct.pack("<2f", 1.0, float("nan")), "word 1 .* not finite"),
    "gzip cut off": (gzip.compress(TEXT)[:-9], "cut off"),
    "gzip damaged": (gzip.compress(TEXT)[:-8] + b"\0" * 8, "cannot be decompressed"),
    "bz2 cut off": (bz2.compress(TEXT)[:-9], "cut off"),
    "zip cut off": (b"PK\x03\x04" + TEXT, "no whole .zip archive"),
    "pickle": (b"\x80\x04\x95", "is a pickle, which textlrp never opens"),
    "fastText model": (b"\xba\x16\x4f\x2f\x0c\0\0\0", "give the .vec file"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_with_the_place(tmp_path: Path, case: str) -> None:
    data, message = BAD[case]
    with pytest.raises(EmbeddingError, match=message):
        load_vectors(_write(tmp_path, data))
    assert not list(cache_dir("vectors").glob(".*"))


def test_a_line_number_counts_over_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textlrp.text.vectors_parse.BLOCK_BYTES", 64)
    monkeypatch.setattr("textlrp.text.vectors_parse.LONGEST_LINE", 64)
    good = b"".join(b"word%d 1 2\n" % number for number in range(100))
    assert len(load_vectors(_write(tmp_path, good, "good.txt"))) == 100
    with pytest.raises(EmbeddingError, match="line 101 "):
        load_vectors(_write(tmp_path, good + b"new 1\n" + good))


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match=r"line of over|does not begin"):
        load_vectors(_write(tmp_path, b"a 1 2\n" + b"x" * 3_000_000))


@pytest.mark.parametrize(("suffix", "kind"), [(".gz", "gzip"), (".bz2", "bzip2"), (".xz", "xz")])
def test_a_suffix_that_lies_is_told(tmp_path: Path, suffix: str, kind: str) -> None:
    with pytest.raises(EmbeddingError, match=rf"ends in \{suffix} but is not {kind}-compressed"):
        load_vectors(_write(tmp_path, TEXT, f"vectors{suffix}"))


def test_what_unpacks_to_far_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textlrp.text.vectors_open.FREE_BYTES", 1024**2)
    text = b"a 1 2\n" * 1_000_000
    for path in (_write(tmp_path, gzip.compress(text), "bomb.gz"), zipped(tmp_path / "bomb.zip", bomb_txt=text)):
        with pytest.raises(EmbeddingError, match="is it the right file"):
            load_vectors(path)


def test_a_member_of_a_zip_is_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", small_txt=TEXT, other_txt=b"x 1\n")
    assert load_vectors(path, member="small.txt").index_to_key == WORDS


def test_the_only_member_needs_no_name(tmp_path: Path) -> None:
    assert load_vectors(zipped(tmp_path / "a.zip", only_txt=TEXT)).index_to_key == WORDS


@pytest.mark.parametrize(
    ("member", "message"),
    [(None, "say which with member"), ("smal.txt", "did you mean 'small.txt'"), ("x", "has no member 'x'")],
)
def test_a_zip_lists_its_members(tmp_path: Path, member: str | None, message: str) -> None:
    path = zipped(tmp_path / "a.zip", small_txt=TEXT, other_txt=TEXT)
    with pytest.raises(EmbeddingError, match=rf"{message}.*small\.txt, other\.txt"):
        load_vectors(path, member=member)


def test_a_member_of_a_plain_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match=r"no \.zip archive"):
        load_vectors(_write(tmp_path, TEXT), member="a.txt")


def test_a_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    _write(tmp_path, TEXT, "glove.txt")
    with pytest.raises(EmbeddingError, match=r"did you mean 'glove\.txt'"):
        load_vectors(tmp_path / "glov.txt")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="cannot be read"):
        load_vectors(tmp_path)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'glove-wiki-gigaword-100'.*word2vec-google-news-300"):
        load_vectors("glove-wiki-gigaword-10")


def test_without_a_network_the_error_says_what_else_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from gensim import downloader

    def offline(*_: Any, **__: Any) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(downloader, "load", offline)
    monkeypatch.setattr(downloader, "BASE_DIR", str(tmp_path))
    with pytest.raises(EmbeddingError, match=r"no route to host.*give the path of a file.*glove-twitter-25"):
        load_vectors(NAMED[0])


def test_a_named_set_already_there_needs_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from gensim import downloader

    monkeypatch.setattr(downloader, "BASE_DIR", str(tmp_path))
    (tmp_path / "glove-twitter-25").mkdir()
    (tmp_path / "glove-twitter-25" / "glove-twitter-25.gz").write_bytes(gzip.compress(b"3 3\n" + TEXT))
    assert load_vectors("glove-twitter-25").index_to_key == WORDS


def test_the_second_time_the_vectors_are_mapped_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _write(tmp_path, TEXT)
    load_vectors(path)
    monkeypatch.setattr("textlrp.text.vectors.parse", None)  # to parse again would fail
    vectors = load_vectors(path)
    assert isinstance(vectors.vectors, np.memmap)
    assert vectors.index_to_key == WORDS


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = _write(tmp_path, TEXT)
    load_vectors(path)
    _write(tmp_path, TEXT.replace(b"good", b"fine"))
    os.utime(path, ns=(1, 1))
    assert load_vectors(path).index_to_key[0] == "fine"


@pytest.mark.parametrize("name", ["facts.json", "words.txt", "vectors.npy"])
@pytest.mark.parametrize("damage", [b"", b"\xff", b"{}", None])
def test_a_damaged_cache_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, damage: bytes | None
) -> None:
    monkeypatch.setenv("TEXTLRP_CACHE", str(tmp_path / "cache"))
    path = _write(tmp_path, TEXT)
    load_vectors(path)
    (kept,) = (tmp_path / "cache" / "vectors").iterdir()
    (kept / name).unlink() if damage is None else (kept / name).write_bytes(damage)
    for _ in range(2):
        assert np.array_equal(load_vectors(path).vectors, NUMBERS)


def test_a_full_disk_leaves_nothing_and_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTLRP_CACHE", str(tmp_path / "cache"))

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", full)
    assert load_vectors(_write(tmp_path, TEXT)).index_to_key == WORDS
    assert list((tmp_path / "cache" / "vectors").iterdir()) == []
