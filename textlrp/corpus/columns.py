"""Texts to columns: predictions, relevance and ledger of many texts as flat arrays, without a Python object for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from textlrp import lrp
from textlrp.corpus.tokens import Reader, Readings
from textlrp.explaining import composite_of
from textlrp.explanation import LARGEST
from textlrp.models.batches import Encoded, length_batches, probabilities
from textlrp.targets import engine_target, target_names

if TYPE_CHECKING:
    from textlrp.classifier import TextClassifier
    from textlrp.corpus.settings import Settings

WINDOW = 2048  # texts that are sorted by length together, as in `TextClassifier.explain_stream`

__all__ = ["Columns", "Shape", "explain_columns", "shape_of"]


@dataclass(frozen=True)
class Shape:
    """What all shards of a run share: the classes, the entries of the ledger, the rule's name, the type of relevance."""

    classes: tuple[str, ...]
    ledger: tuple[str, ...]
    rule: str
    relevance: str  # "float32" or "float64": what the network computes in, so that nothing is lost


@dataclass(frozen=True, eq=False)
class Columns:
    """Explanations of n texts of N tokens in all, as they were `read`.

    `relevance` is [N]; `target`, `score` and `predicted` are [n], `probabilities` [n,C], `ledger` [n,L]. `wrong` names the
    texts with numbers that are not finite.
    """

    read: Readings
    relevance: np.ndarray
    target: list[str]
    score: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray
    ledger: np.ndarray
    wrong: dict[int, str]


def shape_of(classifier: TextClassifier, settings: Settings) -> Shape:
    """Explain two words to see what comes out; a wrong rule, target or gate name raises its error here, before any work."""
    read = Reader(classifier.vocabulary, max_tokens=None)(["a b"])
    found = _attribute(classifier, Encoded(read.ids, read.offsets), np.arange(1), settings)
    classes = tuple(str(name) for name in classifier.classes_)
    kind = str(found.tokens.dtype).removeprefix("torch.")
    rule = composite_of(settings.rule, classifier.config_.arch)[1]
    return Shape(classes, tuple(found.ledger), rule, "float64" if kind == "float64" else "float32")


def explain_columns(
    classifier: TextClassifier, texts: Sequence[str], settings: Settings, shape: Shape, *, reader: Reader | None = None
) -> Columns:
    """Explain texts in batches of like length; which texts share a batch is a matter of the texts alone.

    A `reader` that is used again remembers what it has read.
    """
    reader = reader or Reader(classifier.vocabulary, max_tokens=classifier.config_.max_tokens)
    read = reader(texts)
    encoded = Encoded(read.ids, read.offsets)
    n, offsets = len(texts), read.offsets
    relevance = np.zeros(int(offsets[-1]), dtype=shape.relevance)
    score = np.zeros(n)
    logits = np.zeros((n, len(shape.classes)))
    ledger = np.zeros((n, len(shape.ledger)))
    for window in range(0, n, WINDOW):
        lengths = encoded.lengths[window : window + WINDOW]
        for batch in length_batches(lengths, most_texts=settings.batch_size):
            batch = batch + window
            found = _attribute(classifier, encoded, batch, settings)
            values = found.tokens.cpu().numpy()
            width = np.arange(values.shape[1])
            inside = width < encoded.lengths[batch][:, None]
            relevance[(offsets[batch][:, None] + width)[inside]] = values[inside]
            score[batch] = found.score.double().cpu().numpy()
            logits[batch] = found.output.double().cpu().numpy()
            ledger[batch] = np.stack([found.ledger[name].double().cpu().numpy() for name in shape.ledger], axis=1)
    return Columns(
        read=read,
        relevance=relevance,
        target=target_names(settings.target, logits, shape.classes) if n else [],
        score=score,
        predicted=logits.argmax(axis=1),
        probabilities=probabilities(logits, temperature=classifier.config_.temperature),
        ledger=ledger,
        wrong=_wrong(offsets, relevance, score, logits, ledger),
    )


def _attribute(classifier: TextClassifier, encoded: Encoded, batch: np.ndarray, settings: Settings) -> Any:
    """Explain one batch, as `textlrp.explaining.explain_batch` does."""
    ids, lengths = encoded.pad(batch)
    if not ids.shape[1]:
        ids = ids.new_zeros(len(batch), 1)  # nothing but empty texts: one column of padding, so that the words are looked up
    device = next(classifier.module.parameters()).device
    return lrp.attribute(
        classifier.module,
        ids.to(device),
        lengths.to(device),
        target=engine_target(settings.target),
        composite=composite_of(settings.rule, classifier.config_.arch)[0],
        gates=settings.gates,
        classes=[str(name) for name in classifier.classes_],
        layers=False,
    )


def _wrong(
    offsets: np.ndarray, relevance: np.ndarray, score: np.ndarray, logits: np.ndarray, ledger: np.ndarray
) -> dict[int, str]:
    """The texts whose numbers are NaN, infinite or too large to be summed, with what is wrong."""
    found: dict[int, str] = {}
    tokens = np.repeat(np.arange(len(score)), np.diff(offsets))
    checks = (
        ("relevance", np.unique(tokens[_beyond(relevance)])),
        ("score", np.flatnonzero(_beyond(score))),
        ("logits", np.flatnonzero(_beyond(logits).any(axis=1))),
        ("ledger", np.flatnonzero(_beyond(ledger).any(axis=1))),
    )
    for name, texts in checks:
        for i in texts.tolist():
            found.setdefault(i, f"its {name} is NaN, infinite or beyond {LARGEST:g}")
    return found


def _beyond(values: np.ndarray) -> np.ndarray:
    if values.dtype == np.float32:
        return ~np.isfinite(values)
    return ~(np.abs(values) <= LARGEST)
