"""Agreement with people of every method: on the sample by a lexicon, on texts of their own by rationales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from textlrp.encoding import read
from textlrp.errors import InputError
from textlrp.faithfulness.agreement import Rationale, agreement, lexicon_marks, rationale_marks
from textlrp.faithfulness.batch import Method, explain
from textlrp.faithfulness.sample import Sample, make_sample
from textlrp.faithfulness.state import State, fingerprint
from textlrp.progress import track

if TYPE_CHECKING:
    from textlrp.classifier import TextClassifier

__all__ = ["lexicon_values", "rationale_values"]


def lexicon_values(
    sample: Sample, relevance: Mapping[str, Mapping[int, np.ndarray]], lexicon: Mapping[str, str], classes: Sequence[str]
) -> dict[str, dict[str, np.ndarray]]:
    """Return, by method, the columns lexicon_auprc, … [n]: words of the predicted class are marked 1, of its rival -1."""
    unknown = sorted(set(lexicon.values()) - set(classes))
    if unknown:
        raise InputError(f"the lexicon speaks of the class {unknown[0]!r}; the model's are {', '.join(classes)}")
    winners = sample.logits.argmax(axis=1)
    others = sample.logits.astype(np.float64).copy()
    others[np.arange(len(sample)), winners] = -np.inf
    rivals = np.where((sample.labels >= 0) & (sample.labels != winners), sample.labels, others.argmax(axis=1))
    marks = [
        lexicon_marks(reading, lexicon, classes[winner], classes[rival])
        for reading, winner, rival in zip(sample.readings, winners, rivals, strict=True)
    ]
    result = {}
    for name, rows in relevance.items():
        places = sorted(rows)
        found = agreement([rows[i] for i in places], [marks[i] for i in places])
        whole = {f"lexicon_{key}": np.full(len(sample), np.nan) for key in found}
        for key, each in found.items():
            whole[f"lexicon_{key}"][places] = each
        result[name] = whole
    return result


def rationale_values(
    classifier: TextClassifier,
    rationales: Sequence[Rationale],
    methods: Mapping[str, Method],
    classes: Sequence[str],
    store: State,
) -> dict[str, dict[str, np.ndarray]]:
    """Return, by method, the columns rationale_auprc, … [rationales]: relevance for the label, against its strongest rival."""
    unknown = sorted({each.label for each in rationales} - set(classes))
    if unknown:
        raise InputError(f"a rationale speaks for the class {unknown[0]!r}; the model's are {', '.join(classes)}")
    most = classifier.config_.max_tokens
    readings = [read(each.text, classifier.vocabulary, max_tokens=most) for each in rationales]
    kept = [i for i, each in enumerate(readings) if len(each.ids) >= 2]
    labels = np.array([classes.index(rationales[i].label) for i in kept])
    sample = make_sample(classifier.module, [readings[i] for i in kept], labels)
    rows, others = np.arange(len(sample)), sample.logits.astype(np.float64).copy()
    others[rows, labels] = -np.inf
    weights = np.zeros_like(sample.weights)
    weights[rows, others.argmax(axis=1)] = -1.0
    weights[rows, labels] = 1.0
    sample = Sample(sample.readings, sample.labels, sample.logits, weights, sample.numbers)
    marks = [rationale_marks(readings[i], rationales[i].spans) for i in kept]
    which = fingerprint(classifier.module, sample, {"rationales": len(rationales)})
    result = {}
    for name, method in track(list(methods.items()), "comparing with rationales"):

        def relevance(name: str, method: Method) -> dict[str, np.ndarray]:
            found = explain(name, method, classifier.module, sample, strict=False).relevance
            return {"flat": np.concatenate(found)}

        flat = store.once(name, f"rationales {which}", rows, partial(relevance, name, method))["flat"]
        split = np.split(flat, np.cumsum(sample.lengths)[:-1])
        result[name] = {f"rationale_{key}": each for key, each in agreement(split, marks).items()}
    return result
