"""Which column holds the texts and which the labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textlrp.errors import DataError, InputError, unknown_name

__all__ = ["Columns", "find_columns"]

TEXT = (
    *("text", "texts", "review", "reviews", "content", "sentence", "body", "comment", "comments", "message", "document"),
    *("tweet", "utterance", "reviewtext", "reviewbody", "reviewcontent", "fulltext"),
)
LABEL = (
    *("label", "labels", "sentiment", "class", "category", "target", "stars", "star", "rating", "ratings", "starrating"),
    *("score", "polarity", "emotion", "intent", "topic", "y"),
)
ID = ("id", "reviewid", "textid", "uid", "uuid")


class Columns(NamedTuple):
    """The names of the columns of a table; `label` and `id` may be missing."""

    text: str
    label: str | None
    id: str | None


def find_columns(
    names: Sequence[str], where: str, *, text_column: str | None = None, label_column: str | None = None, labelled: bool = True
) -> Columns:
    """Return the columns of a table: those named, else those whose names say what they are; `label_column=""`: no labels.

    >>> find_columns(["ID", "Review_Text", "Stars"], "a.csv")
    Columns(text='Review_Text', label='Stars', id='ID')
    """
    for given in (text_column, label_column or None):
        if given is not None and given not in names:
            error = unknown_name("column", given, [_short(name) for name in names])
            raise type(error)(f"{where}: {error}")
    if text_column is not None and text_column == label_column:
        raise InputError(f"{where}: the column {text_column!r} cannot hold both the texts and the labels")
    text = text_column or _guess(names, TEXT, "text", where, [label_column])
    if text is None:
        raise _not_found(names, "text", where)
    label = None if label_column == "" else label_column or _guess(names, LABEL, "label", where, [text])
    if label is None and labelled:
        raise _not_found(names, "label", where)
    others = [name for name in names if _plain(name) in ID and name not in (text, label)]
    return Columns(text, label, others[0] if len(others) == 1 else None)


def _guess(names: Sequence[str], known: Sequence[str], what: str, where: str, taken: Sequence[str | None]) -> str | None:
    found = [name for name in names if _plain(name) in known and name not in taken]
    if len(found) > 1:
        either = " or ".join(repr(_short(name)) for name in found[:5])
        raise DataError(
            f"{where}: the {what} may be in {either}; name the column with {what}_column. Columns: {_listed(names)}"
        )
    return found[0] if found else None


def _not_found(names: Sequence[str], what: str, where: str) -> DataError:
    otherwise = ", or read the texts alone with labelled=False" if what == "label" else ""
    return DataError(
        f"{where}: no column looks like the {what}; name it with {what}_column{otherwise}. "
        f"Columns: {_listed(names)} (a file without a header line needs one, such as text,label)"
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 30:,} more" if len(names) > 30 else ""
    return (", ".join(map(_short, names[:30])) or "none") + more


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _short(name: str) -> str:
    return name if len(name) <= 40 else name[:39] + "…"
