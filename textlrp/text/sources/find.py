"""What a name or path means: IMDB, the bundled reviews, or a person's own file, folder or archive."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from textlrp.errors import DataError, InputError, UnknownNameError, unknown_name
from textlrp.files import exists, expanded
from textlrp.resources import bundled
from textlrp.text.sources import imdb
from textlrp.text.sources.archive import ARCHIVES, is_archive
from textlrp.text.sources.folders import SPLITS, read_tree, split_name
from textlrp.text.sources.labels import class_numbers, natural_key
from textlrp.text.sources.store import Part, stamp
from textlrp.text.sources.tables import TABLES, Options, Rows, is_table, read_table

__all__ = ["NAMES", "Source", "find_source", "split_spec"]

NAMES = ("bundled", "imdb")


class Source(NamedTuple):
    """Something to read: its name in the cache, what identifies it, its state, and how to read it."""

    name: str
    key: Mapping[str, Any]
    state: str
    build: Callable[[], Mapping[str, Part]]
    split: str


def split_spec(spec: str) -> tuple[str, str | None]:
    """Split `NAME:SPLIT` or `PATH:SPLIT`; a path that exists is taken as it is.

    >>> split_spec("imdb:test"), split_spec("imdb")
    (('imdb', 'test'), ('imdb', None))
    """
    head, colon, tail = spec.rpartition(":")
    if colon and head in NAMES:
        return head, tail
    if spec in NAMES or not colon or exists(expanded(spec)) or not head or not exists(expanded(head)):
        return spec, None
    return head, tail


def find_source(
    name: str,
    split: str | None,
    options: Options,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    classes: Sequence[str] | None = None,
) -> Source:
    """Return the source that a name or path means; DataError or UnknownNameError where it means nothing."""
    key: dict[str, Any] = {"options": options._asdict(), "classes": list(classes) if classes is not None else None}
    if name == "imdb":
        _no_columns(options, "imdb")
        return _imdb(imdb.find_imdb(data_dir), split, options, key, classes)
    if name == "bundled":
        _no_columns(options, "bundled")
        path = bundled("reviews.jsonl")
        options = Options("text", "label")
        key = {**key, "path": str(path), "options": options._asdict()}
        return _tables("bundled", [path], split, "train", options, key, classes)
    path = expanded(name)
    if not name or not exists(path):
        raise _nothing(name)
    key["path"] = str(path.resolve())
    if imdb.is_imdb(path):
        _no_columns(options, name)
        return _imdb(path, split, options, key, classes)
    cached = f"file-{path.name}"
    if path.is_file() and is_table(path):
        return _tables(cached, [path], split, "train", options, key, classes)
    if path.is_dir() and (tables := _tables_in(path)):
        wanted = SPLITS.get(split or "train", split or "train")
        chosen = wanted if wanted in tables else "train" if wanted == "validation" or split is None else None
        if chosen is None or chosen not in tables:
            raise unknown_name(f"split of {name!r}", split or "train", tables)
        return _tables(cached, tables[chosen], split, chosen, options, {**key, "split": chosen}, classes)
    if path.is_dir() or is_archive(path):
        _no_columns(options, name)

        def build() -> Mapping[str, Part]:
            return _parts(read_tree(path, options), repr(str(path)), options, classes)

        return Source(cached, key, stamp(path), build, SPLITS.get(split or "train", split or "train"))
    kinds = ", ".join((*TABLES, *ARCHIVES))
    if not path.is_file():
        raise DataError(
            f"{name!r} is neither a file nor a folder; give one of {kinds}, or a folder with a sub-folder for each class"
        )
    raise DataError(f"unknown kind of file: {name!r}; known: {kinds}. Save the table as CSV or JSON lines")


def _imdb(path: Path | None, split: str | None, options: Options, key: dict[str, Any], classes: Sequence[str] | None) -> Source:
    names = list(classes) if classes is not None else list(imdb.CLASSES)
    options = options._replace(labelled=False)  # what has no label is a split of its own, so this asks for nothing more
    key = {**key, "path": str(path.resolve()) if path else None, "classes": names, "options": options._asdict()}

    def build() -> Mapping[str, Part]:
        found = imdb.read_imdb(path, options) if path else imdb.from_hub()
        return _parts(found, "imdb", options, names)

    return Source("imdb", key, stamp(path, files=False) if path else "", build, split or "train")


def _tables(
    name: str,
    paths: list[Path],
    split: str | None,
    stored: str,
    options: Options,
    key: dict[str, Any],
    classes: Sequence[str] | None,
) -> Source:
    def build() -> Mapping[str, Part]:
        rows = [read_table(path, options) for path in paths]
        joined = Rows(*(list(chain.from_iterable(column)) for column in zip(*rows, strict=True)))
        return _parts({stored: joined}, repr(str(paths[0] if len(paths) == 1 else paths[0].parent)), options, classes)

    wanted = split or stored
    return Source(name, key, " ".join(stamp(path) for path in paths), build, SPLITS.get(wanted, wanted))


def _tables_in(folder: Path) -> dict[str, list[Path]]:
    """The tables that lie in a folder, by the split they are named after; a single table needs no such name."""
    found: dict[str, list[Path]] = {}
    tables = sorted(
        (path for path in folder.iterdir() if path.is_file() and is_table(path)), key=lambda path: natural_key(path.name)
    )
    for path in tables:
        split = split_name(path.name.split(".")[0])
        if split is not None:
            found.setdefault(split, []).append(path)
    if not found and len(tables) == 1 and not any(path.is_dir() for path in folder.iterdir()):
        found["train"] = tables
    return found


def _parts(found: Mapping[str, Rows], where: str, options: Options, classes: Sequence[str] | None) -> dict[str, Part]:
    if classes is None:
        together = [label for rows in found.values() for label in rows.labels]
        _, classes = class_numbers(together, where, labelled=options.labelled)
    parts = {}
    for split, rows in found.items():
        numbers, names = class_numbers(rows.labels, where, classes=classes, labelled=options.labelled)
        parts[split] = Part(rows.texts, numbers, names, rows.ids)
    return parts


def _no_columns(options: Options, name: str) -> None:
    if options.text_column is not None or options.label_column:
        raise InputError(f"{name!r} has no columns to name; leave out text_column and label_column")


def _nothing(name: str) -> Exception:
    if Path(name).name == name and not Path(name).suffix and name.split(":")[0].isidentifier():
        error = unknown_name("data set", name.split(":")[0], NAMES)
        return UnknownNameError(f"{error}; or give the path of a file or folder (there is no {name!r} here)")
    return DataError(f"there is no file or folder {name!r}; give its path, or one of the data sets {', '.join(NAMES)}")
