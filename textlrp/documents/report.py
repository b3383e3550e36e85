"""All that `textlrp topics` tells of a classifier of documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from textlrp.documents.neighbours import Neighbours, neighbours
from textlrp.documents.plot import plot
from textlrp.documents.targets import TargetsCompared, compare_targets
from textlrp.documents.vectors import WEIGHTINGS, document_vectors
from textlrp.documents.words import class_words
from textlrp.encoding import check_texts
from textlrp.errors import InputError
from textlrp.ranking import Ranking

if TYPE_CHECKING:
    from textlrp.classifier import TextClassifier
    from textlrp.explaining import Rule

__all__ = ["TopicsReport", "report_topics"]


@dataclass(frozen=True, eq=False)
class TopicsReport:
    """What is told of a classifier of documents.

    `words` of each class; `vectors` [n, E] of the documents by how they were made, and how well their `neighbours` tell the
    classes; the `targets` compared; `labels` [n] and the model's `accuracy` on them.
    """

    accuracy: float
    labels: np.ndarray
    classes: tuple[str, ...]
    words: dict[str, Ranking]
    vectors: dict[str, np.ndarray]
    neighbours: dict[str, Neighbours]
    targets: TargetsCompared

    def plot(self, *, form: str = "png") -> bytes:
        """Draw the documents on the two principal components of their vectors, a panel for each way of making them."""
        notes = {name: f"neighbours right: {100 * each.power:.1f} %" for name, each in self.neighbours.items()}
        return plot(self.vectors, self.labels, self.classes, notes=notes, form=form)

    def to_dict(self, top: int = 10, *, by: Literal["mean", "total"] = "mean") -> dict[str, Any]:
        """Give numbers, lists and words; vectors are left out."""
        return {
            "accuracy": self.accuracy,
            "documents": len(self.labels),
            "words": {name: each.to_dict(top, by=by) for name, each in self.words.items()},
            "neighbours": {name: each.to_dict() for name, each in self.neighbours.items()},
            "targets": self.targets.to_dict(),
        }


def report_topics(
    classifier: TextClassifier,
    texts: Iterable[str],
    labels: Sequence[int] | np.ndarray,
    *,
    rule: Rule = "default",
    gates: str = "all",
    min_texts: int | None = None,
    seed: int = 0,
) -> TopicsReport:
    """Explain labelled documents by the class each is predicted to be of; `labels` [n] are indices into `classes_`.

    Labels are used for the accuracies alone. Ways of making vectors that the model does not allow are left out. Raises
    InputError where labels do not fit, and what `neighbours` and `compare_targets` raise.
    """
    listed, truth = check_texts(texts), np.asarray(labels)
    classes = tuple(str(name) for name in classifier.classes_)
    if truth.shape != (len(listed),) or not len(listed) or truth.min() < 0 or truth.max() >= len(classes):
        raise InputError(f"each document needs a label from 0 to {len(classes) - 1}, one of {', '.join(classes)}")
    targets = compare_targets(classifier, listed, rule=rule, gates=gates, seed=seed)
    explained = classifier.explain_many(listed, rule=rule, gates=gates)
    names = np.array([classes.index(e.prediction) for e in explained])
    ways = [name for name in WEIGHTINGS if name != "elements" or not len(getattr(classifier.module, "ngrams", ()))]
    vectors = {name: document_vectors(classifier, listed, weighting=name, rule=rule, gates=gates) for name in ways}
    return TopicsReport(
        accuracy=float((names == truth).mean()),
        labels=truth,
        classes=classes,
        words=class_words(explained, min_texts=min_texts),
        vectors=vectors,
        neighbours={name: neighbours(each, truth, seed=seed) for name, each in vectors.items()},
        targets=targets,
    )
