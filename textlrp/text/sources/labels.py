"""From labels as they were written to class numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from textlrp.errors import DataError, InputError, unknown_name
from textlrp.text.sources.decode import well_formed

__all__ = ["UNLABELLED", "class_numbers", "label_name", "natural_key"]

UNLABELLED = -1
_ALIASES = {"neg": "negative", "pos": "positive", "negative": "neg", "positive": "pos"}


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts names as people do.

    >>> sorted(["10 stars", "9 stars", "-1"], key=natural_key)
    ['-1', '9 stars', '10 stars']
    """
    if re.fullmatch(r"-\d{1,18}", name):
        return [(-1, int(name), "")]
    return [
        (0, int(part), "") if part.isdigit() and part.isascii() else (1, 0, part)
        for part in re.split(r"([0-9]{1,18})", name)
        if part
    ]


def label_name(value: Any) -> str | None:
    """Return the class name of one label as it was read, None for a missing one.

    >>> [label_name(value) for value in (1, 2.0, True, " good ", "", None, float("nan"))]
    ['1', '2', 'true', 'good', None, None, None]
    """
    if value is None or value != value:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return well_formed(str(value)).strip() or None


def class_numbers(
    labels: Iterable[str | None], where: str, *, classes: Sequence[str] | None = None, labelled: bool = True
) -> tuple[list[int], list[str]]:
    """Return the class number of each label (-1 where it is missing), and the class names.

    Names are sorted naturally, or given by `classes` (then a label may also differ in case or, unless names begin with numbers
    of their own, be a class number).
    With `labelled`, a missing label or fewer than two classes is a DataError.
    """
    found = list(labels)
    missing = found.count(None)
    if labelled and missing:
        first = found.index(None) + 1
        raise DataError(
            f"{where}: {missing} of {len(found)} rows have no label (the first is row {first}); "
            "fill or remove them, or read the texts without labels (labelled=False)"
        )
    counts = Counter(name for name in found if name is not None)
    if classes is None:
        names = sorted(counts, key=natural_key)
        if labelled and len(names) < 2:
            raise DataError(
                f"{where}: all {len(found)} rows have the one label {names[0]!r}; a classifier needs two classes at least"
            )
        if labelled and len(names) == len(found) >= 10:
            raise DataError(
                f"{where}: each of the {len(found)} rows has a label of its own (such as {names[0][:40]!r}); "
                "is it the column of the labels? Name the right one with label_column"
            )
        numbers = {name: number for number, name in enumerate(names)}
    else:
        names = list(classes)
        if len(set(names)) != len(names):
            raise InputError(f"the classes {names} hold a name twice")
        numbers = {name: _number(name, names, where) for name in counts}
    return [UNLABELLED if name is None else numbers[name] for name in found], names


def _number(label: str, classes: list[str], where: str) -> int:
    if label in classes:
        return classes.index(label)
    folded = [name.casefold() for name in classes]
    for form in (label.casefold(), _ALIASES.get(label.casefold(), "")):
        if folded.count(form) == 1:
            return folded.index(form)
    counted = any(re.match(r"-?\d", name) for name in classes)  # where 3 means the class "3" or "3 stars", not the fourth
    if not counted and label.isascii() and label.isdigit() and int(label) < len(classes):
        return int(label)
    error = unknown_name("label", label, classes)
    raise type(error)(f"{where}: {error}")
