"""The texts on which explanations are judged: drawn by length and correctness, each with the question that is explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from textlrp.encoding import Reading, check_texts, read
from textlrp.errors import DataError, InputError

if TYPE_CHECKING:
    from torch import nn

    from textlrp.classifier import TextClassifier

__all__ = ["Sample", "contrast", "draw", "make_sample"]

POOL = 2.5  # texts that are looked at for each text that is drawn
LENGTHS = 5  # strata of length


@dataclass(frozen=True, eq=False)
class Sample:
    """Texts as the network reads them, their labels, logits and the weights [n,C] of the logits that make the explained score.

    `labels` [n] are class indices, -1 where there is none; `numbers` [n] are the rows of the data they come from. Every prefix
    of a drawn sample is spread over lengths and correctness as the whole is.
    """

    readings: tuple[Reading, ...]
    labels: np.ndarray
    logits: np.ndarray
    weights: np.ndarray
    numbers: np.ndarray

    def __len__(self) -> int:
        return len(self.readings)

    @property
    def lengths(self) -> np.ndarray:
        """The number of tokens of each text, int64 [n]."""
        return np.array([len(each.ids) for each in self.readings], dtype=np.int64)

    @property
    def right(self) -> np.ndarray:
        """Which predictions agree with their label, bool [n]; a text without a label counts as rightly classified."""
        return (self.labels < 0) | (self.labels == self.logits.argmax(axis=1))

    @property
    def scores(self) -> np.ndarray:
        """The explained scores, float64 [n]."""
        return (self.logits.astype(np.float64) * self.weights).sum(axis=1)

    def take(self, places: np.ndarray | Sequence[int]) -> Sample:
        """Return the sample of the texts at `places`."""
        chosen = np.asarray(places, dtype=np.int64)
        readings = tuple(self.readings[i] for i in chosen)
        return Sample(readings, self.labels[chosen], self.logits[chosen], self.weights[chosen], self.numbers[chosen])


def contrast(logits: np.ndarray, labels: np.ndarray, *, target: str = "contrast") -> np.ndarray:
    """Return the weights [n,C] of the logits whose weighted sum is explained.

    - "contrast": predicted class minus its rival: the label's class where the prediction is wrong, else the strongest other.
    - "class": the logit of the label's class; where the prediction is wrong, with a minus (without a label: the predicted
      class), so that the words that led to the prediction always have the most relevance.

    A relevance that is linear in the score, as LRP's is, orders words under either as Arras et al. (2016, 2017) delete them:
    in falling order of the relevance for the true class where the prediction is right, in rising order where it is wrong.

    >>> contrast(np.array([[2.0, 1.0], [2.0, 1.0]]), np.array([0, 1])).tolist()
    [[1.0, -1.0], [1.0, -1.0]]
    >>> contrast(np.array([[2.0, 1.0], [2.0, 1.0]]), np.array([0, 1]), target="class").tolist()
    [[1.0, 0.0], [0.0, -1.0]]
    """
    count, rows = logits.shape[1], np.arange(len(logits))
    if count < 2:
        raise InputError("faithfulness is measured on models with two logits or more; this one has a single one")
    predicted = logits.argmax(axis=1)
    others = logits.astype(np.float64).copy()
    others[rows, predicted] = -np.inf
    wrong = (labels >= 0) & (labels != predicted)
    weights = np.zeros(logits.shape, dtype=np.float32)
    if target == "contrast":
        weights[rows, np.where(wrong, labels, others.argmax(axis=1))] = -1.0
        weights[rows, predicted] = 1.0
    elif target == "class":
        weights[rows, np.where(wrong, labels, predicted)] = np.where(wrong, -1.0, 1.0)
    else:
        raise InputError(f"target is 'contrast' or 'class', not {target!r}")
    return weights


def make_sample(
    module: nn.Module,
    readings: Sequence[Reading],
    labels: Sequence[int] | np.ndarray | None = None,
    *,
    numbers: np.ndarray | None = None,
    target: str = "contrast",
) -> Sample:
    """Predict texts and make the sample that holds them all, in their order; texts of fewer than two tokens are an error."""
    from textlrp.faithfulness.network import logits_without

    if not readings or min(len(each.ids) for each in readings) < 2:
        raise DataError("faithfulness needs texts of two tokens or more, and one text at least")
    given = np.full(len(readings), -1) if labels is None else np.asarray(labels, dtype=np.int64)
    logits = logits_without(module, [each.ids for each in readings], [np.zeros(len(each.ids)) for each in readings])
    rows = np.arange(len(readings)) if numbers is None else numbers
    return Sample(tuple(readings), given, logits, contrast(logits, given, target=target), rows)


def draw(
    classifier: TextClassifier,
    texts: Sequence[str],
    labels: Sequence[int] | np.ndarray | None = None,
    *,
    limit: int = 200,
    seed: int = 0,
    wrong: float = 0.2,
    target: str = "contrast",
) -> Sample:
    """Draw at most `limit` texts of two tokens or more: spread evenly over lengths, a share `wrong` of them misclassified.

    Of a large data set, a pool of 2.5 · `limit` texts (at least 500), drawn at random, is read and predicted. Where there are
    fewer misclassified texts than asked for, all of the pool are taken. The same seed draws the same texts.
    """
    if limit < 1:
        raise InputError(f"limit is the number of texts, at least 1, not {limit}")
    given: Any = [-1] * len(texts) if labels is None else labels
    if len(given) != len(texts):
        raise InputError(f"{len(texts)} texts but {len(given)} labels; give one label a text")
    generator = np.random.default_rng([seed, 0x5A])
    order = generator.permutation(len(texts))[: max(int(POOL * limit), 500)]
    rows = [int(i) for i in order]
    most = classifier.config_.max_tokens
    readings = [read(text, classifier.vocabulary, max_tokens=most) for text in check_texts(texts[i] for i in rows)]
    kept = [k for k, reading in enumerate(readings) if len(reading.ids) >= 2]
    if not kept:
        raise DataError("none of the texts has two tokens or more; name a data set that holds some")
    numbers = np.array([rows[k] for k in kept])
    chosen = np.array([int(given[rows[k]]) for k in kept], dtype=np.int64)
    if chosen.max() >= len(classifier.classes_):
        raise InputError(f"labels must be indices below {len(classifier.classes_)}, or -1 where there is none")
    pool = make_sample(classifier.module, [readings[k] for k in kept], chosen, numbers=numbers, target=target)
    return pool.take(_spread(pool.lengths, pool.right, limit, wrong, generator))


def _spread(lengths: np.ndarray, right: np.ndarray, limit: int, wrong: float, generator: np.random.Generator) -> np.ndarray:
    """Choose and order places so that each prefix is spread evenly over the strata of length and correctness."""
    edges = np.quantile(lengths, np.linspace(0, 1, LENGTHS + 1)[1:-1])
    stratum = np.searchsorted(edges, lengths, side="left")
    ordered = {}
    for side in (True, False):
        keys = np.full(len(lengths), np.inf)
        for level in range(LENGTHS):
            members = generator.permutation(np.flatnonzero((right == side) & (stratum == level)))
            keys[members] = (np.arange(len(members)) + 0.5) / max(len(members), 1)
        ordered[side] = np.argsort(keys, kind="stable")[: int((right == side).sum())]
    few = min(len(ordered[False]), max(round(limit * wrong), limit - len(ordered[True])))
    many = min(len(ordered[True]), limit - few)
    places = np.concatenate([ordered[True][:many], ordered[False][:few]])
    keys = np.concatenate([(np.arange(many) + 0.5) / max(many, 1), (np.arange(few) + 0.5) / max(few, 1)])
    return np.asarray(places[np.argsort(keys, kind="stable")])
