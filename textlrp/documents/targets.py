"""Which target finds the words that decide between many classes: a class's score, or its margin over the next class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from textlrp.encoding import check_texts, read
from textlrp.errors import InputError
from textlrp.faithfulness.deletion import curve, falling
from textlrp.models.batches import Encoded, predict_logits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textlrp.classifier import TextClassifier
    from textlrp.explaining import Rule

__all__ = ["SHARES", "TARGETS", "TargetsCompared", "compare_targets"]

#: The shares of a document's words that are deleted.
SHARES = (0.02, 0.05, 0.1, 0.2, 0.3)
#: The targets that are compared, and what each asks.
TARGETS = {"predicted": "the score of the predicted class", "winner": "its margin over the next class"}
RANDOM = "random words"


@dataclass(frozen=True, eq=False)
class TargetsCompared:
    """What deleting the most relevant words did, for each target and for random words.

    `stays[name]` [n, shares] tells of each document whether its predicted class is the same without them. `agreement` [n] is
    the correlation of the words' relevances for the winner and for the runner-up: near 1, the score of a class says little
    about why it is this class and not that one.
    """

    shares: tuple[float, ...]
    stays: Mapping[str, np.ndarray]
    agreement: np.ndarray

    @property
    def kept(self) -> dict[str, list[float]]:
        """The share of documents whose class stays, for each target and each share of deleted words."""
        return {name: each.mean(axis=0).tolist() for name, each in self.stays.items()}

    def mean(self, name: str) -> float:
        """Give the mean of `kept` over the shares: the lower, the better the target finds what decides."""
        return float(self.stays[name].mean())

    def difference(self, one: str = "predicted", other: str = "winner") -> tuple[float, float]:
        """Give mean(one) − mean(other), and the half-width of its 95 % interval (the same documents, paired)."""
        gap = (self.stays[one].astype(float) - self.stays[other]).mean(axis=1)
        error = gap.std(ddof=1) / np.sqrt(len(gap)) if len(gap) > 1 else float("nan")
        return float(gap.mean()), float(1.96 * error)

    def in_words(self) -> str:
        """Say which target won, in one sentence."""
        gap, half = self.difference()
        spread = "" if np.isnan(half) else f" ± {100 * half:.1f}"  # of one document there is none
        size = f"by {100 * abs(gap):.1f}{spread} points of documents kept"
        if not abs(gap) > half:
            verdict = f"no difference between the two targets can be told ({size})"
        elif gap > 0:
            verdict = f"the margin over the next class finds the words that decide better than the class's own score, {size}"
        else:
            verdict = f"the class's own score finds the words that decide better than its margin over the next, {size}"
        mean = self.mean_agreement()
        found = "nowhere varies enough to be correlated" if mean is None else f"correlates at {mean:+.2f}"
        return f"{verdict}; relevance for the winner and for the runner-up {found}."

    def mean_agreement(self) -> float | None:
        """Return the mean correlation over the documents that have one; None where none has."""
        known = self.agreement[~np.isnan(self.agreement)]
        return float(known.mean()) if len(known) else None

    def to_dict(self) -> dict[str, Any]:
        """Give numbers and lists."""
        gap, half = self.difference()
        found = {
            "shares": list(self.shares),
            "kept": self.kept,
            "predicted_minus_winner": [gap, None if np.isnan(half) else half],
        }
        return {**found, "agreement": self.mean_agreement()}


def compare_targets(
    classifier: TextClassifier,
    texts: Iterable[str],
    *,
    shares: Sequence[float] = SHARES,
    rule: Rule = "default",
    gates: str = "all",
    seed: int = 0,
) -> TargetsCompared:
    """Delete the words that each target calls most relevant, and see whether the predicted class stays.

    A class's score may rise with words that raise the scores of all classes; its margin over the next class cannot. Of each
    document, `shares` of the words are left out, at least one and not all (Arras et al. 2016); documents of one word are
    skipped. Raises InputError where none is left, or where the model knows fewer than three classes (then the two are one
    question).

    >>> from textlrp.classifier import TextClassifier
    >>> texts = ["red apple pie", "blue sea salt", "green oak leaf"] * 20
    >>> c = TextClassifier("dense", epochs=20, validation=0.2).fit(texts, ["food", "sea", "wood"] * 20)
    >>> compare_targets(c, texts[:6], shares=(0.3,)).stays["winner"].shape
    (6, 1)
    """
    if len(classifier.classes_) < 3:
        raise InputError(
            f"targets are compared where there are three classes or more; this model has {len(classifier.classes_)}"
        )
    listed = check_texts(texts)
    longest = classifier.config_.max_tokens
    readings = [read(text, classifier.vocabulary, max_tokens=longest) for text in listed]
    readings = [each for each in readings if len(each.ids) > 1]
    if not readings:
        raise InputError("no document has two words or more, so none can be deleted")
    kept = [each.text for each in readings]
    logits = predict_logits(classifier.module, Encoded.of([each.ids for each in readings]))
    winners = logits.argmax(axis=1)
    relevance = {
        target: [e.relevance for e in classifier.explain_many(kept, target=target, rule=rule, gates=gates)]
        for target in TARGETS
    }
    random = np.random.default_rng(seed)
    relevance[RANDOM] = [random.random(len(each.ids)) for each in readings]
    rows = [each.ids for each in readings]
    stays = {}
    for name, values in relevance.items():
        left = curve(classifier.module, rows, [falling(each, seed=seed) for each in values], bins=shares)  # [n,shares,C]
        stays[name] = left.argmax(axis=2) == winners[:, None]
    next_class = [a - b for a, b in zip(relevance["predicted"], relevance["winner"], strict=True)]  # R of the runner-up
    agreement = np.array([_correlation(a, b) for a, b in zip(relevance["predicted"], next_class, strict=True)])
    return TargetsCompared(tuple(shares), stays, agreement)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    if a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])
