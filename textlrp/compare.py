"""One text under several rules and methods: relevance side by side, rank correlation, conservation, run time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from textlrp.errors import unknown_name
from textlrp.explanation import Explanation

if TYPE_CHECKING:
    from textlrp.classifier import TextClassifier
    from textlrp.targets import Target

__all__ = ["DEFAULT", "Compared", "Comparison", "compare", "known_methods"]

#: The LRP rules and other methods that are compared where none are named.
DEFAULT = ("zero", "epsilon", "gamma", "alpha-beta", "epsilon-gamma")


@dataclass(frozen=True)
class Compared:
    """What one method said: its relevance as an Explanation, and how long it took in seconds."""

    method: str
    explanation: Explanation
    seconds: float

    @property
    def conserved(self) -> float:
        """Relevance of the words over the explained score: 1 where the words carry all of it."""
        score = self.explanation.score
        return float(self.explanation.relevance.sum() / score) if score else float("nan")


@dataclass(frozen=True)
class Comparison:
    """Several methods on one text and target."""

    rows: tuple[Compared, ...]

    def correlation(self) -> np.ndarray:
        """Spearman's rank correlation of the methods' relevances, [methods, methods]; NaN where a method says nothing."""
        from scipy.stats import rankdata

        ranks = np.array([rankdata(row.explanation.relevance) for row in self.rows])  # [M,T]
        centred = ranks - ranks.mean(axis=1, keepdims=True)
        lengths = np.sqrt((centred**2).sum(axis=1))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(centred @ centred.T / np.outer(lengths, lengths))

    def to_html(self) -> str:
        """One page: the text once for each method, each on its own scale."""
        from textlrp.highlight.html import page

        labels = [f"{row.method} · {1000 * row.seconds:.0f} ms · words carry {row.conserved:.0%}" for row in self.rows]
        return page([row.explanation for row in self.rows], title="The same text, several methods", labels=labels, scale="each")


def known_methods() -> list[str]:
    """Return the names that `compare` takes: the LRP presets and the baselines."""
    from textlrp import lrp
    from textlrp.baselines import METHODS

    return [*lrp.PRESETS, *METHODS]


def compare(
    classifier: TextClassifier, text: str, *, target: Target = "predicted", methods: Sequence[str] | None = None
) -> Comparison:
    """Explain `text` by each of `methods` (names of LRP presets and of baselines), one after the other.

    A baseline keeps no ledger: what its words do not carry is entered as "not accounted for".
    """
    from textlrp import lrp
    from textlrp.baselines import METHODS

    chosen = list(methods) if methods is not None else [name for name in DEFAULT if name in lrp.PRESETS] + list(METHODS)
    for name in chosen:
        if name not in lrp.PRESETS and name not in METHODS:
            raise unknown_name("method", name, known_methods())
    model = classifier.explain(text, target=target)  # also warms up what is loaded when it is first used
    rows = []
    for name in chosen:
        began = time.perf_counter()
        if name in METHODS:
            relevance = _baseline(classifier, model, name)
            seconds = time.perf_counter() - began
            words = float(relevance.sum())
            ledger = {"words": words, "not accounted for": model.score - words}
            explanation = replace(model, relevance=relevance, ledger=ledger, rule=name, gates="")
            rows.append(Compared(name, explanation, seconds))
        else:
            explanation = classifier.explain(text, target=target, rule=name)
            rows.append(Compared(f"LRP {name}", explanation, time.perf_counter() - began))
    return Comparison(tuple(rows))


def _baseline(classifier: TextClassifier, explained: Explanation, name: str) -> np.ndarray:
    """The relevance [T] that a baseline gives the tokens of a text for the target that was explained."""
    import torch

    from textlrp.baselines import METHODS
    from textlrp.encoding import read
    from textlrp.models.batches import Encoded

    reading = read(explained.text, classifier.vocabulary, max_tokens=classifier.config_.max_tokens)
    ids, lengths = Encoded.of([reading.ids]).pad(np.arange(1))
    device = next(classifier.module.parameters()).device
    names = [str(each) for each in classifier.classes_]
    plus, _, minus = explained.target.partition(" - ") if explained.target not in names else (explained.target, "", "")
    weights = torch.zeros(1, len(names), device=device)
    weights[0, names.index(plus)] = 1.0
    if minus:
        weights[0, names.index(minus)] = -1.0
    found = METHODS[name](classifier.module, ids.to(device), lengths.to(device), weights)
    return found[0, : len(reading.ids)].double().cpu().numpy()
