"""recommend(): which LRP rule and gate rule suit a person's own model and texts, found within a time budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from textlrp import lrp
from textlrp.errors import InputError
from textlrp.faithfulness.batch import Method, explain
from textlrp.faithfulness.columns import curves, deletion_values
from textlrp.faithfulness.measures import Subject
from textlrp.faithfulness.methods import select
from textlrp.faithfulness.sample import draw
from textlrp.faithfulness.statistics import Interval, interval, means, resamples
from textlrp.highlight import plain
from textlrp.progress import track

if TYPE_CHECKING:
    from textlrp.classifier import TextClassifier

__all__ = ["Candidate", "Recommendation", "recommend"]

CRITERION = "separation"
KEEPING = tuple(name for name, gate in lrp.GATES.items() if gate.conserves)
FIRST = 10  # texts in the first round
KEEP = 0.05  # a candidate whose chance to be better than the leader is below this is dropped


@dataclass(frozen=True)
class Candidate:
    """A rule and a gate rule, what they reached on how many texts, and how far they lie behind the winner (paired)."""

    rule: str
    gates: str
    value: Interval
    behind: Interval
    texts: int


@dataclass(frozen=True)
class Recommendation:
    """The rule and gate rule that win on a sample, how sure that is, and how to use them.

    `confidence`: the share of bootstrap rounds in which the winner beats the best other candidate on the texts that both were
    measured on; `settled`: whether it is 95 % or more. `candidates`: all, the best first. `same`: candidates that give exactly
    the explanations of another one.
    """

    rule: str
    gates: str
    confidence: float
    candidates: tuple[Candidate, ...]
    same: Mapping[str, str]
    texts: int
    seconds: float
    default: tuple[str, str]

    @property
    def settled(self) -> bool:
        """Whether the winner is ahead of every other candidate in 95 % of the rounds or more."""
        return self.confidence >= 0.95

    @property
    def usage(self) -> str:
        """How to explain with the winner, in Python."""
        return f'classifier.explain(text, rule="{self.rule}", gates="{self.gates}")'

    def sentence(self) -> str:
        """Say what was found, and how sure it is, in one or two sentences."""
        found = f"rule {self.rule!r} with gates {self.gates!r}"
        if (self.rule, self.gates) == self.default:
            found += ", the default,"
        if len(self.candidates) == 1:
            return f"{found} stands alone: every other rule gives the same explanations, or cannot be applied."
        second = self.candidates[1]
        other, behind = f"{second.rule!r} with gates {second.gates!r}", second.behind
        ahead, low, high = plain.fixed(-behind.mean), plain.fixed(-behind.high), plain.fixed(-behind.low)
        if ahead == low == high == plain.fixed(0):
            return f"{found} is level with {other}: on {second.texts} texts they differ by nothing, and either will do."
        bounds = f"(95 %: {low} to {high}, {second.texts} texts)"
        sure = f"in {self.confidence:.0%} of the bootstrap rounds it is the better one"
        if ahead == plain.fixed(0) or not (behind.high < 0 or self.settled):
            more = "more texts or a larger --budget may tell them apart"
            return f"{found} is level with {other}: the difference is {ahead} logits {bounds}; {sure}: {more}."
        end = "." if self.settled else ": more texts or a larger --budget may turn the order round."
        return f"{found} separates best: ahead of {other} by {ahead} logits {bounds}; {sure}{end}"

    def to_dict(self) -> dict[str, Any]:
        """Give the recommendation as plain JSON."""
        rows = [
            {
                "rule": each.rule,
                "gates": each.gates,
                CRITERION: list(each.value),
                "behind": list(each.behind),
                "texts": each.texts,
            }
            for each in self.candidates
        ]
        return {
            "rule": self.rule,
            "gates": self.gates,
            "confidence": self.confidence,
            "settled": self.settled,
            "usage": self.usage,
            "texts": self.texts,
            "seconds": self.seconds,
            "candidates": rows,
            "same": dict(self.same),
        }


def recommend(
    classifier: TextClassifier,
    texts: Sequence[str],
    labels: Sequence[int] | None = None,
    *,
    budget: float = 60.0,
    rules: Sequence[str] | None = None,
    gates: Sequence[str] | None = None,
    most_texts: int = 1000,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> Recommendation:
    """Find the LRP rule and gate rule that separate best on `texts`, in about `budget` seconds.

    A candidate is judged by the score of a text with only its most relevant words left minus the score without them, the
    mean over ERASER's bins: it is high where relevance finds both what suffices and what is needed. All candidates (`rules` ×
    `gates`, by default every preset with every gate rule but "zero", which does not conserve) are measured on a few texts, the
    clearly worse ones dropped, and the rest measured on twice as many, until budget or texts are used up, or one is left.

    >>> import textlrp
    >>> reviews = textlrp.load_reviews("bundled")
    >>> recommend(textlrp.load("imdb-dense"), reviews["text"][:40], rules=["epsilon", "z-plus"], budget=10).rule
    'epsilon'
    """
    if not 0 < budget < float("inf"):
        raise InputError(f"the budget is a number of seconds above 0, not {budget}")
    from textlrp.explaining import composite_of

    began = clock()
    for rule in rules or ():
        lrp.preset(rule)
    for gate in gates or ():
        lrp.gates.gate_rule(gate)
    names = [
        f"LRP {rule}" if gate == "all" else f"LRP {rule}:{gate}"
        for gate in (gates or KEEPING)
        for rule in (rules or lrp.PRESETS)
    ]
    sample = draw(classifier, texts, labels, limit=min(most_texts, len(texts)), seed=seed)
    chosen = select(names, classifier.module, sample, seeds=0)
    if not chosen.chosen:
        raise InputError(f"no LRP rule applies to this model: {next(iter(chosen.skipped.values()))}")
    subject = Subject(classifier.module, sample, classifier.vocabulary, seed=seed)
    values = _halving(subject, chosen.chosen, deadline=began + budget, clock=clock, seed=seed)
    same = {name: why for name, why in chosen.skipped.items() if why.startswith("the same as")}
    default = composite_of("default", classifier.config_.arch)[1], "all"
    return _conclude(values, same, default=default, seed=seed, seconds=clock() - began)


def _halving(
    subject: Subject, methods: Mapping[str, Method], *, deadline: float, clock: Callable[[], float], seed: int
) -> dict[str, np.ndarray]:
    """Return the criterion [n] of each candidate, NaN where it was dropped before; at least the first texts are measured."""
    n = len(subject.sample)
    values = {name: np.full(n, np.nan) for name in methods}
    alive, done, size = list(methods), 0, min(FIRST, n)
    while done < n:
        places = np.arange(done, min(done + size, n))
        began = clock()
        for name in track(alive, f"{len(alive)} candidates on {len(places)} texts"):
            values[name][places] = _criterion(subject, name, methods[name], places)
        done, size = int(places[-1]) + 1, done + len(places)
        spent = clock() - began
        alive = _kept({name: values[name][:done] for name in alive}, seed=seed)
        left = deadline - clock()
        each = spent / max(len(places), 1)  # seconds a text for all that were alive: an upper bound for the next round
        size = min(size, int(left / each)) if each > 0 else size
        if len(alive) < 2 or left <= 0 or size < 1:
            break
    return values


def _criterion(subject: Subject, name: str, method: Method, places: np.ndarray) -> np.ndarray:
    texts = subject.sample.take(places)
    relevance = explain(name, method, subject.module, texts, strict=False).relevance
    drawn = {
        curve: subject.drawn(relevance, places, "leave out", keep) for curve, keep in (("deletion", False), ("keep", True))
    }
    return deletion_values(curves(drawn, texts), texts)[CRITERION]


def _kept(values: Mapping[str, np.ndarray], *, seed: int) -> list[str]:
    """The candidates that beat the leader in a share KEEP of the bootstrap rounds, or are the leader."""
    names = list(values)
    rows = np.stack([values[name] for name in names], axis=1)
    leader = int(rows.mean(axis=0).argmax())
    found = means(rows - rows[:, leader : leader + 1], resamples(len(rows), seed=seed))
    return [name for k, name in enumerate(names) if k == leader or float((found[:, k] >= 0).mean()) >= KEEP]


def _conclude(
    values: Mapping[str, np.ndarray], same: Mapping[str, str], *, default: tuple[str, str], seed: int, seconds: float
) -> Recommendation:
    seen = {name: int(np.isfinite(each).sum()) for name, each in values.items()}
    longest = max(seen.values())
    finalists = [name for name, count in seen.items() if count == longest]
    winner = max(finalists, key=lambda name: float(np.nanmean(values[name])))
    drawn = resamples(len(values[winner]), seed=seed)
    candidates, confidence = [], 1.0
    for name, each in values.items():
        rule, _, gates = name.removeprefix("LRP ").partition(":")
        behind = each - values[winner]
        candidates.append(Candidate(rule, gates or "all", interval(each, drawn), interval(behind, drawn), seen[name]))
        if name != winner:
            rounds = means(behind, drawn)
            confidence = min(confidence, float((rounds < 0).mean()))
    candidates.sort(key=lambda each: (-each.texts, -each.behind.mean))
    rule, gates = candidates[0].rule, candidates[0].gates
    return Recommendation(rule, gates, confidence, tuple(candidates), dict(same), longest, seconds, default)
