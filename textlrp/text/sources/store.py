"""The cache of review data: each source is read once, and kept as one Arrow file per split."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from textlrp.errors import DataError
from textlrp.files import atomic_folder, write_json
from textlrp.resources import cache_dir

if TYPE_CHECKING:
    import datasets

__all__ = ["Part", "Store", "forget", "newest", "open_or_build", "opened", "stamp"]

VERSION = 1
_RECORD = "source.json"


class Part(NamedTuple):
    """One split, ready to be stored."""

    texts: list[str]
    labels: list[int]
    classes: Sequence[str]
    ids: list[str]


class Store(NamedTuple):
    """A folder of the cache, and what its record says: the number of rows by split."""

    folder: Path
    rows: dict[str, int]


def stamp(path: Path, *, files: bool = True) -> str:
    """Return what changes when a file, or anything in a folder, changes: sizes and times (`files=False`: of folders only)."""
    info = path.stat()
    digest = hashlib.sha256(f"{info.st_size if path.is_file() else 0} {info.st_mtime_ns}".encode())
    for folder, subfolders, names in os.walk(path) if path.is_dir() else ():
        subfolders.sort()
        digest.update(f"{folder} {os.stat(folder).st_mtime_ns}".encode("utf-8", "surrogateescape"))
        for name in sorted(names) if files else ():
            try:
                info = os.stat(os.path.join(folder, name))
            except OSError:
                continue
            digest.update(f"{name} {info.st_size} {info.st_mtime_ns}".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def open_or_build(name: str, key: Mapping[str, Any], state: str, build: Callable[[], Mapping[str, Part]]) -> Store:
    """Return the store of the source that `key` describes, built anew where there is none or `state` has changed."""
    digest = hashlib.sha256(json.dumps({**key, "version": VERSION}, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache_dir("reviews") / f"{''.join(c if c.isalnum() else '-' for c in name)[:40]}-{digest}"
    ready = _ready(folder, state)
    if ready is not None:
        return ready
    parts = build()
    try:
        with atomic_folder(folder) as temporary:
            for split, part in parts.items():
                _write(temporary / f"{split}.arrow", part)
            rows = {split: len(part.texts) for split, part in parts.items()}
            write_json(temporary / _RECORD, {"version": VERSION, "source": dict(key), "state": state, "rows": rows})
    except OSError as error:
        raise DataError(
            f"cannot write the cache {str(folder.parent)!r}: {error.strerror or error}; free some space, "
            "or name another folder with TEXTLRP_CACHE"
        ) from error
    return Store(folder, rows)


def newest(name: str, key: Mapping[str, Any]) -> Store | None:
    """Return the store of this name that was built last, with the same options and classes, from whatever path."""
    records = [path for path in cache_dir("reviews").glob(f"{name}-*/{_RECORD}") if not path.parent.name.startswith(".")]
    for record in sorted(records, key=lambda path: path.stat().st_mtime_ns, reverse=True):
        store = _ready(record.parent, None, {each: key[each] for each in ("options", "classes") if each in key})
        if store is not None:
            return store
    return None


def _ready(folder: Path, state: str | None, key: Mapping[str, Any] | None = None) -> Store | None:
    try:
        record = json.loads((folder / _RECORD).read_text("utf-8"))
        rows = {str(split): int(count) for split, count in record["rows"].items()}
        fresh = record["version"] == VERSION and (state is None or record["state"] == state)
        fresh = fresh and all(record["source"][name] == value for name, value in (key or {}).items())
        whole = all((folder / f"{split}.arrow").is_file() for split in rows)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Store(folder, rows) if fresh and whole else None


def opened(store: Store, split: str) -> datasets.Dataset | None:
    """Open a split as a memory map (nothing is read); None where its file is damaged."""
    import datasets
    import pyarrow

    try:
        found = datasets.Dataset.from_file(str(store.folder / f"{split}.arrow"))
    except (OSError, ValueError, pyarrow.ArrowException):
        return None
    return found if len(found) == store.rows[split] else None


def forget(store: Store) -> None:
    """Mark a store as damaged: it is built anew when it is asked for again."""
    (store.folder / _RECORD).unlink(missing_ok=True)


def _write(path: Path, part: Part) -> None:
    import datasets
    import pyarrow

    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=list(part.classes)),
            "id": datasets.Value("string"),
        }
    )
    schema = features.arrow_schema
    with pyarrow.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_stream(sink, schema) as writer:
        for start in range(0, len(part.texts), 1000):
            columns = [part.texts[start : start + 1000], part.labels[start : start + 1000], part.ids[start : start + 1000]]
            arrays = [pyarrow.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_batch(pyarrow.record_batch(arrays, schema=schema))
