"""The measures by name: what each computes for one method and some texts of a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import nn

from textlrp.errors import RelevanceError, unknown_name
from textlrp.faithfulness.batch import Method, explain
from textlrp.faithfulness.deletion import BINS, curve, falling
from textlrp.faithfulness.network import logits_without
from textlrp.faithfulness.noise import KINDS, Neighbours, variants
from textlrp.faithfulness.randomise import STAGES, scrambled
from textlrp.faithfulness.sample import Sample
from textlrp.faithfulness.statistics import pearson, spearman
from textlrp.text.vocabulary import Vocabulary

__all__ = ["CURVE_OF", "MEASURES", "Subject", "check_measures"]

#: The measures, by name.
MEASURES = {
    "deletion": "words left out, most and least relevant first: AOPC, accuracy, comprehensiveness, sufficiency",
    "zero vector": "words' vectors set to zero, most relevant first",
    "zero vector, least first": "words' vectors set to zero, least relevant first",
    "sensitivity-n": "random sets of words: correlation of their relevance with what the score loses",
    "infidelity": "random sets of words: squared error of their relevance against what the score loses",
    "stability": "the explanation of the same text in other letters, contractions and near words",
    "randomisation": "the explanation of a network with scrambled parameters: it must change",
    "lexicon": "agreement with a lexicon of words and classes, if one is given",
    "rationales": "agreement with spans that people marked, if some are given",
    "cost": "run time and memory",
}
#: Which curve a measure draws: how words are deleted, and whether the most relevant are kept.
CURVE_OF = {
    "deletion": {"deletion": ("leave out", False), "keep": ("leave out", True)},
    "zero vector": {"zero": ("zero vector", False)},
    "zero vector, least first": {"zero keep": ("zero vector", True)},
}


def check_measures(names: Sequence[str]) -> list[str]:
    """Return the names, each known and once.

    >>> check_measures(["deletion", "deletion"])
    ['deletion']
    """
    for name in names:
        if name not in MEASURES:
            raise unknown_name("measure", name, MEASURES)
    return list(dict.fromkeys(names))


@dataclass(eq=False)
class Subject:
    """A network and texts, and what measures need of them once for all methods."""

    module: nn.Module
    sample: Sample
    vocabulary: Vocabulary
    seed: int = 0
    bins: Sequence[float | int] = BINS
    _neighbours: Neighbours | None = field(default=None, init=False)
    _scrambled: dict[str, nn.Module] = field(default_factory=dict, init=False)

    def drawn(self, relevance: Sequence[np.ndarray], places: np.ndarray, how: str, keep: bool) -> np.ndarray:
        """Return the logits [n,P,C] of the texts at `places` as words go in falling order of `relevance`."""
        rows = [self.sample.readings[i].ids for i in places]
        orders = [
            falling(values, seed=[self.seed, int(self.sample.numbers[i])]) for values, i in zip(relevance, places, strict=True)
        ]
        return curve(self.module, rows, orders, bins=self.bins, how=how, keep=keep)

    def stability(self, name: str, method: Method, relevance: Sequence[np.ndarray], places: np.ndarray) -> np.ndarray:
        """Return the correlations [n,kinds] with the explanations of noisy variants; NaN where a variant is predicted
        otherwise, does not exist, or nothing varies."""
        if self._neighbours is None:
            try:
                self._neighbours = Neighbours(self.module, self.vocabulary)
            except RelevanceError:
                self._neighbours = None
        found = np.full((len(places), len(KINDS)), np.nan)
        rows, owners = [], []
        for i, place in enumerate(places):
            generator = np.random.default_rng([self.seed, int(self.sample.numbers[place]), 0x7A])
            noisy = variants(self.sample.readings[place], self.vocabulary, self._neighbours, generator)
            for kind, reading in noisy.items():
                rows.append(reading)
                owners.append((i, list(KINDS).index(kind)))
        if not rows:
            return found
        base = self.sample.take(places)
        of = np.array([i for i, _ in owners])
        noise = self._asked(rows, base, of, shift=1)
        same = noise.logits.argmax(axis=1) == base.logits[of].argmax(axis=1)
        chosen = np.flatnonzero(same)
        if len(chosen):
            explained = explain(name, method, self.module, noise.take(chosen), strict=False).relevance
            for k, values in zip(chosen, explained, strict=True):
                row, column = owners[k]
                found[row, column] = pearson(relevance[row], values)
        return found

    def _asked(self, readings: Sequence, base: Sample, of: np.ndarray, *, shift: int) -> Sample:  # type: ignore[type-arg]
        """Variants of texts of `base`, explained for the same score; `shift` makes other numbers of their texts' numbers."""
        logits = logits_without(self.module, [each.ids for each in readings], [np.zeros(len(each.ids)) for each in readings])
        return Sample(tuple(readings), base.labels[of], logits, base.weights[of], base.numbers[of] + shift * 1_000_003)

    def randomisation(self, name: str, method: Method, relevance: Sequence[np.ndarray], places: np.ndarray) -> np.ndarray:
        """Return rank correlations [n,1+stages]: asked for again, and of the network scrambled ever further (STAGES)."""
        base = self.sample.take(places)
        again = Sample(base.readings, base.labels, base.logits, base.weights, base.numbers + 1_000_003)
        found = np.full((len(places), 1 + len(STAGES)), np.nan)
        modules = [self.module]
        for stage in STAGES:
            if stage not in self._scrambled:
                self._scrambled[stage] = scrambled(self.module, stage, seed=self.seed)
            modules.append(self._scrambled[stage])
        for column, module in enumerate(modules):
            for i, values in enumerate(explain(name, method, module, again, strict=False).relevance):
                found[i, column] = spearman(relevance[i], values)
        return found
