"""How a stream is cut into pieces, and which rows are rejected."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textlrp.corpus.rows import Cutter, Row, parse


def cutter(**changes: object) -> Cutter:
    options = {"size": 3, "classes": ["negative", "positive"], "labelled": False, "longest": 20}
    return Cutter(**{**options, **changes})  # type: ignore[arg-type]


def kept(pieces: list) -> list[tuple[int, str, str, str | None]]:
    return [tuple(row.values()) for piece in pieces for row in parse(piece.payload)[1].to_pylist()]  # type: ignore[misc]


@settings(max_examples=40)
@given(st.lists(st.text(max_size=30), max_size=20), st.integers(1, 5), st.integers(1, 60))
def test_every_row_is_in_one_piece_once(texts: list[str], size: int, most: int) -> None:
    pieces = list(cutter(size=size, most=most)(Row(str(i), text) for i, text in enumerate(texts)))
    numbers = [row[0] for row in kept(pieces)] + [each["row"] for piece in pieces for each in piece.rejects]
    assert sorted(numbers) == list(range(len(texts)))
    assert [piece.number for piece in pieces] == list(range(len(pieces)))
    assert [piece.first for piece in pieces[1:]] == [piece.last for piece in pieces[:-1]]
    assert all(piece.last - piece.first <= size for piece in pieces)


def test_a_piece_ends_when_it_holds_many_characters() -> None:
    pieces = list(cutter(size=100, most=10)(Row(str(i), "x" * 6) for i in range(4)))
    assert [(piece.first, piece.last) for piece in pieces] == [(0, 2), (2, 4)]


def test_equal_rows_have_equal_digests_and_others_do_not() -> None:
    def digest(*rows: Row) -> str:
        return next(iter(cutter()(rows))).digest

    one = digest(Row("1", "a"), Row("2", "b"))
    assert one == digest(Row("1", "a"), Row("2", "b"))
    others = [
        digest(Row("1", "a"), Row("2", "c")),
        digest(Row("1", "a"), Row("3", "b")),
        digest(Row("1", "a"), Row("2", "b", "positive")),
        digest(Row("1", "ab"), Row("2", "")),
        digest(Row("1", "a"), Row("2", None, None, "why")),
    ]
    assert one not in others


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (Row("7", None), "not text: nothing there"),
        (Row("7", 5), "not text: a int"),  # type: ignore[arg-type]
        (Row("7", "x" * 21), "too long: 21 characters; at most 20 are taken"),
        (Row("7", None, None, "line 3: not JSON"), "line 3: not JSON"),
    ],
)
def test_a_bad_row_is_told_with_its_number_and_reason(row: Row, reason: str) -> None:
    pieces = list(cutter()([Row("1", "fine"), row]))
    assert pieces[0].rejects == [{"row": 1, "id": "7", "reason": reason}]
    assert [each[0] for each in kept(pieces)] == [0]


def test_labels_take_the_names_of_classes() -> None:
    rows = [Row("1", "a", "pos"), Row("2", "b", "NEGATIVE"), Row("3", "c", "1"), Row("4", "d"), Row("5", "e", "odd")]
    assert [each[3] for each in kept(list(cutter(size=9)(rows)))] == ["positive", "negative", "positive", None, "odd"]


def test_where_labels_are_needed_rows_without_one_are_rejected() -> None:
    rows = [Row("1", "a", "pos"), Row("2", "b"), Row("3", "c", "odd")]
    piece = next(iter(cutter(labelled=True)(rows)))
    assert [each["reason"] for each in piece.rejects] == [
        "no label",
        "unknown label 'odd'; the model's classes are negative, positive",
    ]


def test_halves_of_surrogate_pairs_are_replaced_as_load_reviews_does() -> None:
    assert kept(list(cutter()([Row("\ud800", "a\udc00b", "\ud800")]))) == [(0, "\ufffd", "a\ufffdb", "\ufffd")]


def test_a_caller_hears_of_rejects_at_once() -> None:
    def stop(reject: dict) -> None:
        raise LookupError(reject["row"])

    def rows():
        yield Row("1", "a")
        yield Row("2", None)
        pytest.fail("the stream was read on")

    with pytest.raises(LookupError, match="1"):
        list(cutter(size=100)(rows(), on_reject=stop))
