"""A batch function for `datasets.Dataset.map`, `ray.data` and their like: columns in, columns out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from textlrp.corpus.rows import Cutter, Row, parse
from textlrp.corpus.settings import BATCH, Settings
from textlrp.errors import InputError, unknown_name

if TYPE_CHECKING:
    from textlrp.corpus.shard import Explainer

__all__ = ["Mapper", "mapper"]


def mapper(
    model: str | os.PathLike[str],
    *,
    text_column: str = "text",
    target: str | None = None,
    rule: str = "default",
    gates: str = "all",
    batch_size: int = BATCH,
    longest: int = 1_000_000,
) -> Mapper:
    """Return a function from a dict of columns to a dict of columns, for `dataset.map(mapper("imdb-dense"), batched=True)`.

    It adds `prediction`, `probabilities`, `target`, `score`, `tokens`, `starts`, `ends`, `relevance`, `known`, `read_to` and
    `ledger`, as in the shards of `explain_corpus`, and `reject`: the reason where a row cannot be explained, and then None in
    the others. It can be pickled: only the name of the model goes along, which each process loads once.

    >>> found = mapper("imdb-dense", target="positive")({"text": ["A warm, funny film.", None]})
    >>> found["prediction"], found["reject"]
    (['positive', None], [None, 'not text: nothing there'])
    """
    if not isinstance(model, str | os.PathLike):
        raise InputError("mapper takes the name of a bundled model or a checkpoint folder; save the classifier first")
    return Mapper(
        os.fspath(model),
        text_column,
        target,
        {"rule": rule, "gates": gates, "batch_size": batch_size, "longest": longest},
    )


class Mapper:
    """A batch function that explains; made by `mapper`."""

    def __init__(self, model: str, text_column: str, target: str | None, options: dict[str, Any]) -> None:
        self.model, self.text_column, self.target, self.options = model, text_column, target, options
        self._explainer: Explainer | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_explainer": None}

    def _ready(self) -> Explainer:
        if self._explainer is None:
            from pathlib import Path

            from textlrp.classifier import load
            from textlrp.corpus.columns import shape_of
            from textlrp.corpus.shard import Explainer

            classifier = load(self.model)
            target = self.target or ("margin" if len(classifier.classes_) == 2 else "predicted")
            settings = Settings(target=target, **self.options)
            self._explainer = Explainer.of(classifier, settings, shape_of(classifier, settings), Path())
        return self._explainer

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Explain a batch: `batch[text_column]` is a list or array of texts."""
        if self.text_column not in batch:
            raise unknown_name("column", self.text_column, batch)
        explainer = self._ready()
        texts = list(batch[self.text_column])
        size = max(1, len(texts))
        cut = Cutter(size=size, classes=[], labelled=False, longest=explainer.settings.longest, most=1 << 62)
        names: list[str] = _fields(explainer)
        found: dict[str, list[Any]] = {name: [None] * len(texts) for name in (*names, "reject")}
        for piece in cut(Row("", text) for text in texts):
            about, rows = parse(piece.payload)
            table, rejects = explainer.table(rows)
            for name in names:
                column = found[name]
                for at, value in zip(table["row"].to_pylist(), table[name].to_pylist(), strict=True):
                    column[at] = value
            for each in (*about["rejects"], *rejects):
                found["reject"][each["row"]] = each["reason"]
        return found


def _fields(explainer: Explainer) -> list[str]:
    from textlrp.corpus.shard import schema

    names = schema(explainer.shape, with_text=False).names
    return [name for name in names if name not in ("row", "id", "label", "characters")]
