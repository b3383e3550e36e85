"""A folder (or archive) with one sub-folder per class, below `train` and `test` or not."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from textlrp.errors import DataError
from textlrp.progress import track
from textlrp.text.sources.archive import Member, _junk, members
from textlrp.text.sources.decode import decode, well_formed
from textlrp.text.sources.labels import natural_key
from textlrp.text.sources.tables import Options, Rows

__all__ = ["SPLITS", "list_tree", "read_tree", "split_name"]

SPLITS = {
    **{"train": "train", "training": "train", "test": "test", "testing": "test"},
    **{"validation": "validation", "valid": "validation", "val": "validation", "dev": "validation"},
}
TEXTS = (".txt", ".text", ".md", "")


def split_name(name: str) -> str | None:
    """Return the split a file or folder is named after, None where it is not.

    >>> split_name("dev"), split_name("train-00000-of-00002"), split_name("trainers")
    ('validation', 'train', None)
    """
    stem = name.casefold()
    return SPLITS.get(stem) or SPLITS.get(stem.replace("_", "-").replace(".", "-").split("-")[0])


def read_tree(path: Path, options: Options) -> dict[str, Rows]:
    """Read all texts of a folder or archive by split; a tree without splits is one split, `train`.

    A text's id is its path; texts are sorted by class, then by path, numbers by their value.
    """
    found = [
        (member.name.parts, _decode(member, path, options)) for member in track(members(path, _is_text), f"reading {path.name}")
    ]
    return arrange(found, path, labelled=options.labelled)


def list_tree(path: Path, options: Options) -> dict[str, Rows]:
    """Return what `read_tree` does of a folder, with the path of each file (below the folder) in place of its text.

    Nothing is opened; the names of the files are all that is kept.
    """
    found = []
    for folder, subfolders, files in os.walk(path):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for file in files:
            name = PurePosixPath(*Path(folder, file).relative_to(path).parts)
            if not _junk(name) and _is_text(name):
                found.append((name.parts, str(name)))
    return arrange(found, path, labelled=options.labelled)


def arrange(found: list[tuple[tuple[str, ...], str]], path: Path, *, labelled: bool) -> dict[str, Rows]:
    """Sort files, given as the parts of their path and their text, into splits, classes and order."""
    if not found:
        raise DataError(
            f"{str(path)!r} holds no texts: it needs a sub-folder for each class with files such as 1.txt, "
            "or a table such as train.csv"
        )
    while (
        len({parts[0] for parts, _ in found}) == 1
        and all(len(parts) > 2 for parts, _ in found)
        and split_name(found[0][0][0]) is None
    ):
        found = [(parts[1:], text) for parts, text in found]
    by_split: dict[str, list[tuple[str, tuple[str, ...], str]]] = {}
    with_splits = any(len(parts) > 2 and split_name(parts[0]) in ("train", "test") for parts, _ in found)
    for parts, text in found:
        split = split_name(parts[0]) if with_splits else "train"
        inner = parts[1:] if with_splits else parts
        if split is None or len(inner) < 2:
            continue  # a README beside the folders of the classes is not a review
        by_split.setdefault(split, []).append((inner[0], parts, text))
    if not by_split:
        if labelled:
            raise DataError(
                f"{str(path)!r} holds texts but no sub-folder for each class; make them, "
                "or read without labels (labelled=False)"
            )
        return {"train": _rows([("", parts, text) for parts, text in found])}
    return {split: _rows(rows) for split, rows in by_split.items()}


def _rows(rows: list[tuple[str, tuple[str, ...], str]]) -> Rows:
    rows.sort(key=lambda row: [natural_key(part) for part in row[1]])
    return Rows(
        [text for _, _, text in rows],
        [well_formed(label) or None for label, _, _ in rows],  # a name on a disk may be no Unicode
        [well_formed("/".join(parts)) for _, parts, _ in rows],
    )


def _is_text(name: PurePosixPath) -> bool:
    return name.suffix.lower() in TEXTS or name.suffix[1:].isdigit()


def _decode(member: Member, path: Path, options: Options) -> str:
    where = f"{str(member.name)!r} in {str(path)!r}"
    return decode(member.data, where, encoding=options.encoding, errors=options.errors)
