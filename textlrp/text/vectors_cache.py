"""Word vectors on disk after the first reading: an .npy that is mapped into memory, and the words."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from textlrp.files import atomic_folder
from textlrp.resources import cache_dir

__all__ = ["cache_key", "recall", "remember"]

VERSION = 1


def cache_key(path: Path, member: str | None, limit: int | None) -> str:
    """Return the name under which the vectors of a file are kept; it changes when the file does."""
    state = path.stat()
    parts = (VERSION, str(path.resolve()), state.st_size, state.st_mtime_ns, member, limit)
    return hashlib.sha256(json.dumps(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def recall(key: str) -> tuple[list[str], np.ndarray, int] | None:
    """Return words, vectors [n,E] (mapped, read-only), the number of duplicates; None where they are missing or damaged."""
    try:
        folder = cache_dir("vectors") / key
        facts: Any = json.loads((folder / "facts.json").read_text("utf-8"))
        words = (folder / "words.txt").read_bytes().decode("utf-8").split("\n")
        vectors = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
        if facts["version"] != VERSION or vectors.dtype != np.float32 or vectors.shape != (len(words), facts["size"]):
            return None
        return words, vectors, int(facts["duplicates"])
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None


def remember(key: str, words: list[str], blocks: list[np.ndarray], duplicates: int) -> bool:
    """Write the vectors, whole or not at all; return whether there was room for them."""
    size = blocks[0].shape[1]
    try:
        with atomic_folder(cache_dir("vectors") / key) as folder:
            with open(folder / "vectors.npy", "wb") as handle:
                header = {"descr": "<f4", "fortran_order": False, "shape": (len(words), size)}
                np.lib.format.write_array_header_1_0(handle, header)
                for block in blocks:
                    handle.write(np.ascontiguousarray(block, dtype="<f4").tobytes())
            (folder / "words.txt").write_bytes("\n".join(words).encode("utf-8"))
            (folder / "facts.json").write_text(json.dumps({"version": VERSION, "size": size, "duplicates": duplicates}))
    except OSError:  # a full or read-only disk: the vectors are in memory all the same
        return False
    return True
