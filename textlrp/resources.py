"""Where the files that ship with textlrp lie, and where it keeps its cache."""

from __future__ import annotations

import os
from pathlib import Path

from textlrp.errors import DataError

__all__ = ["bundled", "cache_dir"]


def bundled(*parts: str) -> Path:
    """Return the path of a file or folder that ships with textlrp.

    In an installed wheel it lies in the package, in a checkout in `data/` at the top.

    >>> bundled("reviews.jsonl").name
    'reviews.jsonl'
    """
    package = Path(__file__).resolve().parent
    for root in (package / "_data", package.parent / "data"):
        if root.is_dir():
            return root.joinpath(*parts)
    raise DataError("the files that ship with textlrp are missing; install the package again")


def cache_dir(*parts: str) -> Path:
    """Return (and create) a folder of the cache: `TEXTLRP_CACHE`, else the user's cache folder."""
    root = os.environ.get("TEXTLRP_CACHE")
    if root:
        base = Path(root).expanduser()
    else:
        import platformdirs

        base = Path(platformdirs.user_cache_dir("textlrp", appauthor=False))
    folder = base.joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
