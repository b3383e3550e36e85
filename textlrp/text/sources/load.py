"""`load_reviews`: the one way to review data."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from textlrp.errors import DataError, unknown_name
from textlrp.text.sources.decode import check_codec
from textlrp.text.sources.find import Source, find_source, split_spec
from textlrp.text.sources.imdb import CLASSES, SPLITS, find_imdb
from textlrp.text.sources.splits import train_validation
from textlrp.text.sources.store import Store, forget, newest, open_or_build, opened
from textlrp.text.sources.tables import Options

if TYPE_CHECKING:
    import datasets

__all__ = ["SourceInfo", "list_sources", "load_reviews"]


class SourceInfo(NamedTuple):
    """A data set that has a name: what it is, its splits and classes, and where it lies (None: not on this machine)."""

    name: str
    about: str
    splits: tuple[str, ...]
    classes: tuple[str, ...]
    where: str | None


def load_reviews(
    spec: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    labelled: bool = True,
    classes: Sequence[str] | None = None,
    validation: float = 0.1,
    seed: int = 0,
    encoding: str = "utf-8",
    errors: str = "strict",
) -> datasets.Dataset:
    """Return review data as a `datasets.Dataset` with the columns `text`, `label` (a ClassLabel; -1: no label) and `id`.

    `spec` is `imdb` (that is `imdb:train`, all 25,000), `imdb:test`, `imdb:unsup` (no labels), `bundled`, or the path of a
    CSV, TSV, JSON, JSON lines or Parquet file, of a folder or archive (.zip, .tar, .tar.gz) with a sub-folder for each class
    (below `train` and `test` or not), or of a folder with `train.csv`, `test.csv` and the like. `:SPLIT` after a name or path
    chooses the split; `:validation`, where there is none, is the share `validation` of `train`, stratified, drawn by `seed`.

    The columns of a table are guessed by their names, or named. Class names are the labels as written, sorted (numbers by
    value), or `classes` in their order: then a label may differ in case or be a class's number, and an unknown one is an error.
    `labelled=False` allows rows without labels, with `label_column=""` none is looked for. `encoding` and `errors` ("strict",
    "replace", "ignore") are Python's.

    IMDB is looked for in `data_dir`, else TEXTLRP_DATA, else in the cache, else it comes through the `datasets` package.
    A source is read once and cached as Arrow (below TEXTLRP_CACHE); it is read again when its size or time changes.

    Raises DataError for what cannot be read or used, UnknownNameError for an unknown name, split, column or label.

    >>> reviews = load_reviews("bundled")
    >>> reviews.features["label"].names
    ['negative', 'positive']
    """
    options = Options(text_column, label_column, labelled, check_codec(encoding, errors), errors)
    name, split = split_spec(os.fspath(spec))
    try:
        source = find_source(name, split, options, data_dir=data_dir, classes=classes)
        found = _open(source, name)
    except OSError as error:
        raise DataError(f"cannot read {name!r}: {error.strerror or error}") from error
    if isinstance(found, str):
        return train_validation(_whole(source, found, name), share=validation, seed=seed)[1]
    return found


def _open(source: Source, name: str) -> datasets.Dataset | str:
    """Open the split that is asked for; "train" where it is a validation part still to be cut from it."""
    store = _store(source)
    if source.split in store.rows:
        return _whole(source, source.split, name)
    if source.split == "validation" and "train" in store.rows:
        return "train"
    raise unknown_name(f"split of {name!r}", source.split, [*store.rows, *(["validation"] if "train" in store.rows else [])])


def _store(source: Source) -> Store:
    if source.name == "imdb" and source.key["path"] is None:
        cached = newest("imdb", source.key)
        if cached is not None:
            return cached
    return open_or_build(source.name, source.key, source.state, source.build)


def _whole(source: Source, split: str, name: str) -> datasets.Dataset:
    for _ in range(2):
        store = _store(source)
        found = opened(store, split)
        if found is not None:
            return found
        forget(store)
    raise DataError(
        f"the cache of {name!r} in {str(store.folder)!r} cannot be read; remove that folder, "
        "or set TEXTLRP_CACHE to another disk"
    )


def list_sources(*, data_dir: str | os.PathLike[str] | None = None) -> list[SourceInfo]:
    """List the data sets that have a name, and where they lie."""
    from textlrp.resources import bundled

    try:
        place = find_imdb(data_dir)
        cached = newest("imdb", {}) if place is None else None
        where = str(place) if place else str(cached.folder) if cached else None
    except DataError:
        where = None
    own = bundled("reviews.jsonl")
    return [
        SourceInfo("imdb", "Large Movie Review Dataset (Maas et al., ACL 2011)", (*SPLITS, "validation"), CLASSES, where),
        SourceInfo(
            "bundled", "film reviews written for textlrp", ("train", "validation"), CLASSES, str(own) if own.exists() else None
        ),
    ]
