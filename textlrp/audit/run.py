"""The audit: which words carry decisions, which of them should not, and what deleting them does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from textlrp.audit.clusters import cluster
from textlrp.audit.deletion import deletion_effects, insertion_effects
from textlrp.audit.evidence import Overuse, holm, overrepresented, recalibrate
from textlrp.audit.kinds import KINDS, kind_of
from textlrp.audit.record import Audit, Duplicates, Finding, KindEffect
from textlrp.audit.scan import Scan, scan
from textlrp.errors import InputError
from textlrp.report.gather import UNKNOWN, Gathered, gather

if TYPE_CHECKING:
    from textlrp.classifier import TextClassifier

__all__ = ["audit"]

LEVEL = 0.05  # chance of any false alarm in one audit
FEWEST = 10  # held-out texts that must hold a word for its labels to be tested
WEIGHT = 0.1  # a word carries decisions if its relevance in a text is this share of the mean score


def audit(
    classifier: TextClassifier,
    texts: Sequence[str],
    labels: Sequence[int],
    *,
    training: tuple[Sequence[str], Sequence[int]] | None = None,
    gathered: Gathered | None = None,
    level: float = LEVEL,
    k: int = 5,
    deletions: int = 2000,
    seed: int = 0,
) -> Audit:
    """Find the words that carry decisions and should not, on held-out texts and, if they are given, on the training texts.

    Two tests raise alarms, and the chance that one audit raises any by mistake is at most `level` (Holm's correction over all
    tests). *Overuse*: the labels of the held-out texts that hold the word do not support what the model makes of it, and at
    most half of its relevance by the best estimate. *Only in training*: among the training texts of the class it speaks for,
    the word is more than twice as frequent as among such held-out texts; this one finds words that held-out texts do not hold
    at all, and needs `training`. Only words count whose relevance in a text is at least a tenth of the mean score, and whose
    deletion changes a prediction.

    The `watch` list, `k` a kind, is no alarm: the strongest names, numbers, ratings, markup, and rare words that cannot be
    tested. Deletion is measured on `deletions` texts a word at most. `gathered` is what `gather` found on the same texts, if
    it has run. A `level` that is no chance raises InputError.
    """
    if not 0 < level <= 1:
        raise InputError(f"the level is a chance above 0, and at most 1, not {level!r}")
    found = gathered or gather(classifier, texts, labels, seed=seed)
    held_out = _Source(classifier, texts, found, "held-out", test_labels=True)
    sources = [held_out]
    if training is not None:
        seen = gather(classifier, *training, most_wrong=0, most_right=0, sample=0, seed=seed)
        sources.append(_Source(classifier, training[0], seen, "training", test_labels=False))
    candidates = _overuse(held_out)
    tests = len(candidates)
    if training is not None:
        more, count = _only_in_training(sources[1], held_out)
        candidates, tests = candidates + more, tests + count
    adjusted = holm(np.array([each.p for each in candidates]), max(tests, 1))
    candidates = [replace(each, adjusted=float(p)) for each, p in zip(candidates, adjusted, strict=True)]
    best: dict[str, Finding] = {}
    for each in sorted(candidates, key=lambda each: each.p):
        best.setdefault(each.word, each)
    suspects = [each for each in best.values() if each.adjusted <= level]
    passed = [each for each in best.values() if each.adjusted > level][:k]
    watch = [*passed, *_watch(held_out, k, {each.word for each in (*suspects, *passed)}, best)]
    measured = _measured(classifier, sources, [*suspects, *watch], deletions)
    inserted = insertion_effects(classifier, texts, {each.word: found.classes.index(each.speaks_for) for each in suspects})
    alarms = []
    for each in measured[: len(suspects)]:
        assert each.effect is not None
        carries = each.effect.flips > 0 or inserted[each.word] > 0
        alarms.append(replace(each, alarm=carries, effect=replace(each.effect, inserted=inserted[each.word])))
    order = lambda each: (-each.effect.flips if each.effect else 0, -each.relevance)  # noqa: E731
    return Audit(
        alarms=tuple(sorted((each for each in alarms if each.alarm), key=order)),
        watch=tuple([each for each in alarms if not each.alarm] + measured[len(suspects) :]),
        kinds=_kinds(classifier, held_out, deletions),
        duplicates=_duplicates(held_out, sources[1] if training is not None else None),
        clusters=cluster(found.sample, found.labels, found.predicted, found.classes, seed=seed),
        tests=tests,
        level=level,
        texts=len(texts),
        training=None if training is None else len(training[0]),
    )


@dataclass
class _Source:
    """One set of texts: what the network said of it, what its words are, and which of them carry decisions."""

    classifier: TextClassifier
    texts: Sequence[str]
    found: Gathered
    name: str
    test_labels: bool

    def __post_init__(self) -> None:
        found = self.found
        strength: dict[str, tuple[float, int, float]] = {}  # word -> total for its class, class, texts
        for number, side in enumerate(found.sides()):
            totals, texts = side.sign * side.words.column("total"), side.words.column("texts")
            for word, total, count in zip(side.words.index, totals.tolist(), texts.tolist(), strict=True):
                if word != UNKNOWN and total > strength.get(word, (0.0,))[0]:
                    strength[word] = (total, number, count)
        self.words = list(strength)
        rows = np.array(list(strength.values())).reshape(-1, 3)
        self.total, self.side, self.count = rows[:, 0], rows[:, 1].astype(int), rows[:, 2]
        self.relevance = self.total / np.maximum(self.count, 1)
        odds = np.log(np.clip(found.probabilities, 1e-7, 1 - 1e-7)).astype(float)
        self.odds = odds - np.log1p(-np.clip(found.probabilities, 1e-7, 1 - 1e-7).astype(float))  # [n,C]
        self.floor = WEIGHT * abs(found.score) / len(found.labels)
        self.carries = self.relevance >= max(self.floor, 1e-9)
        self.test: Overuse | None = None
        then = self._tested if self.test_labels else None
        if self.test_labels:
            self._prepare()
        index = {word: i for i, word in enumerate(self.words)}
        self.scan: Scan = scan(
            self.texts, found.labels, index, classes=len(found.classes), then=then, what=f"reading {self.name} words"
        )

    def _prepare(self) -> None:
        fits = [recalibrate(self.odds[:, c], self.found.labels == c) for c in range(len(self.found.classes))]
        slope, shift = np.array(fits).T
        self.odds = self.odds * slope + shift
        tested = self.carries & (self.count >= FEWEST)  # chosen without a look at the labels
        self.tested = np.flatnonzero(tested)
        self.number = np.full(len(self.words), -1)
        self.number[self.tested] = np.arange(len(self.tested))
        scale = np.maximum(slope, 0.0)[self.side[self.tested]] / self.classifier.config_.temperature
        self.claimed = self.relevance[self.tested] * scale  # in recalibrated log odds
        self.test = Overuse(len(self.tested))

    def _tested(self, i: int, unique: np.ndarray) -> None:
        assert self.test is not None
        chosen = unique[self.number[unique] >= 0]
        side = self.side[chosen]
        self.test.add(self.number[chosen], self.odds[i, side], side == self.found.labels[i])

    def kind(self, i: int) -> str:
        """The kind of the word of that number."""
        return kind_of(self.words[i], occurrences=int(self.scan.inside[i]), capitals=int(self.scan.capitals[i]))

    def finding(self, i: int, *, test: str, p: float, evidence: str) -> Finding:
        """A finding on the word of that number; whether it is an alarm is decided later."""
        return Finding(
            word=self.words[i],
            kind=self.kind(i),
            speaks_for=self.found.classes[self.side[i]],
            relevance=float(self.relevance[i]),
            texts=int(self.count[i]),
            source=self.name,
            test=test,
            p=p,
            adjusted=1.0,
            alarm=False,
            evidence=evidence,
        )


def _overuse(source: _Source) -> list[Finding]:
    assert source.test is not None
    test, p, found = source.test, source.test.p(), []
    p = np.where(test.unsupported() >= source.claimed / 2, p, 1.0)
    for k, i in enumerate(source.tested.tolist()):
        texts = max(test.texts[k], 1.0)
        said = (
            f"{test.hits[k] / texts:.0%} of the {texts:,.0f} held-out texts with it are {source.found.classes[source.side[i]]}"
        )
        evidence = f"{said}; the model expects {test.expected[k] / texts:.0%}"
        found.append(source.finding(i, test="overuse", p=float(p[k]), evidence=evidence))
    return found


def _only_in_training(training: _Source, held_out: _Source) -> tuple[list[Finding], int]:
    """The findings on words that carry decisions in training, and how many tests stand behind them: all words, for each class.

    Which words are looked at depends on how often they are in the training texts, so all that could have been count as tested.
    """
    where = {word: i for i, word in enumerate(held_out.words)}
    at = np.array([where.get(word, -1) for word in training.words], dtype=int)
    counts = np.where(at >= 0, held_out.scan.texts[:, at] if len(held_out.words) else 0.0, 0.0)  # [C,K]
    here = training.scan.texts
    tests = int(((here + counts) >= 5).sum())
    found = []
    for i in np.flatnonzero(training.carries).tolist():
        c = training.side[i]
        a, b, n, m = here[c, i], counts[c, i], training.scan.counts[c], held_out.scan.counts[c]
        if a + b < 5 or not n:
            continue
        p = float(overrepresented(a, b, int(n), int(m)))
        name = training.found.classes[c]
        evidence = f"in {a / n:.1%} of the {name} training texts, in {b / max(m, 1):.1%} of the {name} held-out ones"
        found.append(training.finding(i, test="only in training", p=p, evidence=evidence))
    return found, max(tests, len(found))


def _watch(source: _Source, k: int, known: set[str], tested: dict[str, Finding]) -> list[Finding]:
    """The strongest words of each kind, and rare ones, which nothing could test."""
    found: list[Finding] = []
    kinds = np.array([source.kind(i) for i in range(len(source.words))])
    rare = source.carries & (source.count < FEWEST) & (source.count >= 2)
    groups = [(kind, np.flatnonzero(kinds == kind), source.total) for kind in KINDS]
    groups.append(("rare", np.flatnonzero(rare), source.relevance))
    for _, members, value in groups:
        chosen = [i for i in members[np.argsort(-value[members], kind="stable")].tolist() if source.words[i] not in known][:k]
        for i in chosen:
            known.add(source.words[i])
            count = int(source.count[i])
            evidence = f"in {count:,} held-out text{'s' if count != 1 else ''}" + (
                ", too few to test" if count < FEWEST else ""
            )
            found.append(tested.get(source.words[i]) or source.finding(i, test="", p=1.0, evidence=evidence))
    return found


def _measured(classifier: TextClassifier, sources: list[_Source], findings: list[Finding], most: int) -> list[Finding]:
    """The findings with the effect of their deletion from the texts where they were found."""
    effects = {}
    for source in sources:
        groups = {each.word: frozenset([each.word]) for each in findings if each.source == source.name}
        if groups:
            measured = deletion_effects(classifier, source.texts, source.found.labels.tolist(), groups, most_texts=most)
            effects.update({(source.name, word): effect for word, effect in measured.items()})
    return [replace(each, effect=effects[each.source, each.word]) for each in findings]


def _kinds(classifier: TextClassifier, source: _Source, most: int) -> tuple[KindEffect, ...]:
    """What deleting all names, all numbers, … of the held-out texts does."""
    kinds = [source.kind(i) for i in range(len(source.words))]
    members = {kind: [i for i, its in enumerate(kinds) if its == kind] for kind in KINDS}
    groups = {kind: frozenset(source.words[i] for i in numbers) for kind, numbers in members.items() if numbers}
    effects = deletion_effects(classifier, source.texts, source.found.labels.tolist(), groups, most_texts=most)
    whole = source.total.sum() or 1.0
    found = []
    for kind, effect in effects.items():
        numbers = sorted(members[kind], key=lambda i: -source.total[i])
        share = float(source.total[numbers].sum() / whole)
        found.append(KindEffect(kind, len(numbers), share, effect, tuple(source.words[i] for i in numbers[:6])))
    return tuple(found)


def _duplicates(held_out: _Source, training: _Source | None) -> Duplicates:
    right = held_out.found.predicted == held_out.found.labels
    labels, copies = held_out.found.labels, held_out.scan.copies
    again = {i for i, _ in copies}
    shared = None
    if training is not None:
        inside = {i for mark, i in held_out.scan.prints.items() if mark in training.scan.prints}
        shared = len(inside) + sum(first in inside for _, first in copies)
        again |= inside
    alone = np.array([i not in again for i in range(len(labels))])
    return Duplicates(
        copies=len(copies),
        conflicting=sum(bool(labels[i] != labels[first]) for i, first in copies),
        in_training=shared,
        accuracy=float(right.mean()),
        accuracy_without=float(right[alone].mean()) if alone.any() else None,
    )
