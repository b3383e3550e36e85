"""A million texts: explained as a stream into Parquet shards, resumed where it stopped, on one machine or on a cluster."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textlrp.corpus.failures import CorpusError, CorpusInterrupted
    from textlrp.corpus.mapping import mapper
    from textlrp.corpus.reading import Corpus, open_corpus, read
    from textlrp.corpus.run import Finished, explain_corpus

_HOME = {
    "Corpus": "reading",
    "CorpusError": "failures",
    "CorpusInterrupted": "failures",
    "Finished": "run",
    "explain_corpus": "run",
    "mapper": "mapping",
    "open_corpus": "reading",
    "read": "reading",
}

__all__ = [
    "Corpus",
    "CorpusError",
    "CorpusInterrupted",
    "Finished",
    "explain_corpus",
    "mapper",
    "open_corpus",
    "read",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'textlrp.corpus' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"textlrp.corpus.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
