"""The Large Movie Review Dataset (Maas et al., ACL 2011), in its official layout: where it lies, and how it is read."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from textlrp.errors import DataError
from textlrp.files import expanded
from textlrp.progress import track
from textlrp.text.sources.archive import is_archive, members
from textlrp.text.sources.decode import decode
from textlrp.text.sources.tables import Options, Rows

__all__ = ["CLASSES", "SPLITS", "find_imdb", "from_hub", "is_imdb", "read_imdb"]

CLASSES = ("negative", "positive")
SPLITS = ("train", "test", "unsup")
HOME = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
_HUB = "stanfordnlp/imdb"
_FOLDERS = {"neg": "negative", "pos": "positive", "unsup": None}
_MEMBER = re.compile(r"(?:^|/)(train|test)/(neg|pos|unsup)/(\d+)_(\d+)\.txt$")
_NAMES = ("aclImdb", "aclImdb_v1.tar.gz", "aclImdb.tar.gz", "aclImdb_v1", "imdb")


def find_imdb(data_dir: str | os.PathLike[str] | None) -> Path | None:
    """Return the folder or archive of IMDB in `data_dir`, else in TEXTLRP_DATA; None where neither is given.

    Either may be the `aclImdb` folder, the archive, or a folder that holds one of them; else DataError.
    """
    said = "the data folder" if data_dir is not None else "TEXTLRP_DATA, the folder"
    given = data_dir if data_dir is not None else os.environ.get("TEXTLRP_DATA")
    if not given:
        return None
    place = expanded(given)
    if place.is_file() and is_archive(place):
        return place
    for candidate in (place, *(place / name for name in _NAMES)):
        if is_imdb(candidate):
            return candidate
    here = "does not exist" if not place.exists() else "holds neither aclImdb/ nor aclImdb_v1.tar.gz"
    raise DataError(f"IMDB is not found: {said} {str(given)!r}, {here}; get it from {HOME}, or give another folder")


def is_imdb(path: Path) -> bool:
    """Tell whether a path is the official folder, or an archive of the official name."""
    if path.is_dir():
        return any((path / split / "neg").is_dir() and (path / split / "pos").is_dir() for split in ("train", "test"))
    return is_archive(path) and path.name.lower().startswith("aclimdb") and path.is_file()


def read_imdb(path: Path, options: Options) -> dict[str, Rows]:
    """Read all reviews of the folder or archive in one pass, by split; sorted by class (negative first), then by number.

    A review's id is its path without `.txt`, as `train/neg/0_3`: review 0, rated 3 of 10.
    """
    found: dict[str, list[tuple[int, int, str, str]]] = {split: [] for split in SPLITS}
    for member in track(members(path, _is_review), "reading IMDB", total=100_000):
        place = _MEMBER.search(str(member.name))
        if place is None:
            continue
        split, folder, number, rating = place.groups()
        text = decode(member.data, f"{str(member.name)!r} in {str(path)!r}", encoding=options.encoding, errors=options.errors)
        row = (list(_FOLDERS).index(folder), int(number), f"{split}/{folder}/{number}_{rating}", text)
        found["unsup" if folder == "unsup" else split].append(row)
    if not any(found.values()):
        raise DataError(f"{str(path)!r} holds no reviews such as aclImdb/train/pos/0_9.txt; get the archive from {HOME}")
    return {split: _rows(rows) for split, rows in found.items() if rows}


def _rows(rows: list[tuple[int, int, str, str]]) -> Rows:
    rows.sort()
    names = list(_FOLDERS.values())
    return Rows([text for *_, text in rows], [names[folder] for folder, *_ in rows], [id_ for _, _, id_, _ in rows])


def _is_review(name: PurePosixPath) -> bool:
    return _MEMBER.search(str(name)) is not None


def from_hub() -> dict[str, Rows]:
    """Get IMDB through the `datasets` package (it downloads); DataError with the next step where that fails."""
    import warnings

    import datasets

    from textlrp.resources import cache_dir

    theirs = Path(datasets.config.HF_DATASETS_CACHE)
    has_it = (theirs / _HUB.replace("/", "___")).is_dir()
    bars = datasets.utils.logging.is_progress_bar_enabled()
    datasets.utils.logging.disable_progress_bar()
    try:
        if not has_it:
            _reach(datasets.config.HF_ENDPOINT)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            hub: Any = datasets.load_dataset(_HUB, cache_dir=str(theirs if has_it else cache_dir("datasets")))
        names = {"train": "train", "test": "test", "unsup": "unsupervised"}
        return {ours: _hub_rows(hub[name], ours) for ours, name in names.items()}
    except Exception as error:
        raise DataError(
            f"IMDB is not here, and it cannot be downloaded ({type(error).__name__}: {_short(error)}); get {HOME} "
            "and name its folder with data_dir (--data-dir) or the environment variable TEXTLRP_DATA"
        ) from error
    finally:
        if bars:
            datasets.utils.logging.enable_progress_bar()


def _reach(address: str) -> None:
    """Ask for one answer, so that a machine without a network is told at once (the hub's client tries for half a minute)."""
    import urllib.error
    import urllib.request

    if not address.startswith(("https://", "http://")):
        return
    with contextlib.suppress(urllib.error.HTTPError):  # an error over HTTP is an answer
        urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=10).close()  # noqa: S310


def _short(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]


def _hub_rows(part: Any, split: str) -> Rows:
    labels = [CLASSES[label] if label in (0, 1) else None for label in part["label"][:]]
    return Rows(list(part["text"][:]), labels, [f"{split}/{number}" for number in range(len(labels))])
