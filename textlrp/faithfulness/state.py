"""Results kept in a folder, one file for each method, measure and chunk of texts, so that a long run can be resumed."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from textlrp.faithfulness.sample import Sample
from textlrp.files import atomic_path

__all__ = ["State", "fingerprint", "weights_digest"]

VERSION = 1  # raised when stored results would mean something else
Arrays = dict[str, np.ndarray]


def fingerprint(module: nn.Module, sample: Sample, settings: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits that change with the network's weights, the texts, their labels and the settings."""
    digest = hashlib.sha256(json.dumps([VERSION, settings, weights_digest(module)], sort_keys=True).encode())
    for reading in sample.readings:
        digest.update(reading.ids.tobytes() + b"|")
    digest.update(sample.labels.tobytes() + sample.weights.tobytes())
    return digest.hexdigest()[:16]


def weights_digest(module: nn.Module) -> str:
    """Return 12 hexadecimal digits that change with the network's weights, to tell which model was measured."""
    digest = hashlib.sha256()
    for name, weight in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:12]


class State:
    """A store of arrays by (method, measure, texts); without a folder, nothing outlives the program."""

    def __init__(self, folder: str | Path | None, key: str) -> None:
        self._folder = None if folder is None else Path(folder) / key
        self._kept: dict[tuple[str, str, str], Arrays] = {}

    def once(self, method: str, measure: str, places: np.ndarray, compute: Callable[[], Arrays]) -> Arrays:
        """Return what was kept for these texts, else compute it and keep it, whole or not at all."""
        which = hashlib.sha256(np.asarray(places, dtype=np.int64).tobytes()).hexdigest()[:12]
        key = (method, measure, which)
        if key not in self._kept:
            path = None if self._folder is None else self._folder / _slug(method) / f"{_slug(measure)}-{which}.npz"
            found = None if path is None else _read(path)
            if found is None:
                found = compute()
                if path is not None:
                    _write(path, found)
            self._kept[key] = found
        return self._kept[key]


def _slug(name: str) -> str:
    """A name as a file may have it: what is not plain becomes "-", with four digits that keep different names apart."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:4]}"


def _read(path: Path) -> Arrays | None:
    """The arrays of a file, None where it is absent or damaged: then they are computed again."""
    try:
        with open(path, "rb") as handle, np.load(handle, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _write(path: Path, arrays: Arrays) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        np.savez(handle, **arrays)  # type: ignore[arg-type]
