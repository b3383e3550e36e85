"""Runs without worker processes, for what does not depend on them: the pieces are explained in the test's own process."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import textlrp
from textlrp.corpus import run as corpus_run
from textlrp.corpus import worker


@pytest.fixture(scope="session")
def dense() -> textlrp.TextClassifier:
    torch.set_num_threads(1)
    return textlrp.load("imdb-dense")


load = functools.lru_cache(textlrp.load)


def engine(name: str, task: dict[str, Any], workers: int, address: str | None) -> Callable[[Iterator[Any]], Any]:
    explainer = worker.load(task)
    return lambda pieces: (explainer(piece.payload, piece.digest) for piece in pieces)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine of every run in this test is this process; bundled models are loaded once."""
    monkeypatch.setattr(corpus_run, "_engine", engine)
    monkeypatch.setattr("textlrp.classifier.load", lambda name: (textlrp.load if Path(name).is_dir() else load)(name))


@pytest.fixture(scope="session")
def bundled_texts() -> list[str]:
    return list(textlrp.load_reviews("bundled")["text"])


@pytest.fixture(scope="session")
def few(bundled_texts: list[str]) -> list[str]:
    return bundled_texts[:60]


@pytest.fixture(scope="session")
def whole(few: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The undisturbed run over `few`, in shards of 10 rows."""
    out = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus_run, "_engine", engine)
        corpus_run.explain_corpus("imdb-dense", few, out, shard_size=10)
    return out


@pytest.fixture(scope="session")
def tiny(few: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A checkpoint that is loaded in no time."""
    folder = tmp_path_factory.mktemp("tiny") / "model"
    labels = list(textlrp.load_reviews("bundled")["label"])[: len(few)]
    textlrp.TextClassifier("dense", epochs=1).fit(few, labels).save(folder)
    return str(folder)


@pytest.fixture(scope="session")
def whole_tiny(few: list[str], tiny: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The undisturbed run over `few` with the tiny model, in shards of 10 rows."""
    out = tmp_path_factory.mktemp("whole-tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus_run, "_engine", engine)
        corpus_run.explain_corpus(tiny, few, out, shard_size=10)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a run."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


@pytest.fixture(name="contents")
def contents_of() -> Callable[[Path], dict[str, bytes]]:
    return contents
