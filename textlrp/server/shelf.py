"""The models of a server: named at its start, each loaded once when it is first needed; no request can name a path."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textlrp.errors import CheckpointError, InputError, unknown_name
from textlrp.resources import bundled

if TYPE_CHECKING:
    from textlrp.classifier import TextClassifier
    from textlrp.models.config import ModelConfig

__all__ = ["FIRST", "Shelf"]

FIRST = "imdb-lstm"  # the bundled model that stands first


class Shelf:
    """Bundled names and checkpoint folders, by the names that requests use: a folder is called by its last part.

    What is no model raises `UnknownNameError` or `CheckpointError` at once, before a server starts.

    >>> Shelf(["imdb-dense"]).names
    ('imdb-dense',)
    """

    def __init__(self, models: Sequence[str] = ()) -> None:
        from textlrp.classifier import bundled_models

        known = bundled_models()
        self._where: dict[str, str] = {}
        self._about: dict[str, dict[str, Any]] = {}
        self._loaded: dict[str, TextClassifier] = {}
        for given in models or sorted(known, key=lambda name: (name != FIRST, name)):
            self._put(given, known)
        self._locks = {name: threading.Lock() for name in self._where}

    def _put(self, given: str, known: list[str]) -> None:
        folder = Path(given)
        if not folder.is_dir():
            if given in known:
                folder = bundled("models", given)
            elif os.sep in given or folder.exists():
                raise CheckpointError(f"{given!r} is no checkpoint folder; give the folder that `textlrp train --out` wrote")
            else:
                raise unknown_name("model", given, [*known, "or a checkpoint folder"])
        if str(folder.resolve()) in self._where.values():
            return
        name, again = folder.resolve().name, 2
        while name in self._where:
            name, again = f"{folder.resolve().name}-{again}", again + 1
        from textlrp.explaining import DEFAULT_RULES

        config = _config(folder)
        self._where[name] = str(folder.resolve())
        classes = [str(each) for each in config.classes]
        self._about[name] = {"name": name, "arch": config.arch, "classes": classes, "rule": DEFAULT_RULES[config.arch]}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the models, in the order they were given; the first is the one taken where none is named."""
        return tuple(self._where)

    def about(self) -> list[dict[str, Any]]:
        """Say of each model its name, architecture, classes and default rule, without loading it."""
        return [dict(each) for each in self._about.values()]

    def name_of(self, name: str | None) -> str:
        """Give `name`, or the first where it is None; any other raises `UnknownNameError`."""
        if name is None:
            return self.names[0]
        if name not in self._where:
            raise unknown_name("model", name, self.names)
        return name

    def get(self, name: str) -> TextClassifier:
        """Give a model; the first call loads it, and others wait meanwhile."""
        with self._locks[self.name_of(name)]:
            if name not in self._loaded:
                from textlrp.classifier import load

                classifier = load(self._where[name])
                classifier.name_ = name  # an answer must not tell where its model lies
                self._loaded[name] = classifier
            return self._loaded[name]


def _config(folder: Path) -> ModelConfig:
    """The configuration of a checkpoint, without its weights."""
    from textlrp.models.checkpoint import is_checkpoint
    from textlrp.models.config import ModelConfig
    from textlrp.models.untrusted import member, read_object

    if not is_checkpoint(folder):
        raise CheckpointError(
            f"{str(folder)!r} is not a checkpoint of textlrp; give the folder that `textlrp train --out` wrote"
        )
    try:
        return ModelConfig.from_dict(read_object(member(folder, "config.json", most_bytes=16_000_000)).get("model", {}))
    except InputError as error:
        raise CheckpointError(f"the configuration in {str(folder)!r} does not describe a model: {error}") from None
