"""The work itself: for each method and chunk of texts the relevance, and from it each measure, kept as it is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from textlrp.faithfulness.batch import Method, explain
from textlrp.faithfulness.columns import curves, deletion_values
from textlrp.faithfulness.cost import cost
from textlrp.faithfulness.measures import CURVE_OF, Subject
from textlrp.faithfulness.methods import CONTROL, COSTLY
from textlrp.faithfulness.probes import infidelity, sensitivity, subsets, without_subsets
from textlrp.faithfulness.state import State
from textlrp.progress import track

__all__ = ["Collector"]

Arrays: TypeAlias = dict[str, np.ndarray]
#: By method: a list of (places, {measure: its arrays}).
Raw: TypeAlias = dict[str, list[tuple[np.ndarray, dict[str, Arrays]]]]
QUARTER = 4  # costly methods are asked about a quarter of the texts for what needs several explanations a text
REFERENCE = 4  # texts of about the median length on which run time and memory are measured


@dataclass(eq=False)
class Collector:
    """One evaluation at work: which method explains which texts, and where results are kept."""

    subject: Subject
    methods: Mapping[str, Method]
    where: Mapping[str, np.ndarray]
    store: State
    limits: Mapping[str, int]
    chunk: int = 100

    def collect(self, measures: Sequence[str]) -> Raw:
        """Do, or read from the store, all that the measures need."""
        raw: Raw = {name: [] for name in self.methods}
        jobs = list(self._jobs())
        for name, places in track(jobs, "measuring explanations"):
            raw[name].append((places, self._one(name, places, measures)))
        if {"sensitivity-n", "infidelity"} & set(measures):
            list(self._probes())
        return raw

    def _jobs(self) -> Iterator[tuple[str, np.ndarray]]:
        """All methods on the first texts, then all on the next ones: what is done at any time can be compared."""
        jobs = []
        for name, places in self.where.items():
            size = max(self.chunk // 10, 1) if name in COSTLY else self.chunk
            jobs += [(name, places[begin : begin + size]) for begin in range(0, len(places), size)]
        yield from sorted(jobs, key=lambda job: int(job[1][0]) // self.chunk)

    def _one(self, name: str, places: np.ndarray, measures: Sequence[str]) -> dict[str, Arrays]:
        done = {"relevance": self.store.once(name, "relevance", places, partial(self._relevance, name, places))}
        rows = _rows(done["relevance"])
        for measure in measures:
            for curve, (how, keep) in CURVE_OF.get(measure, {}).items():
                few = places[places < self.limits["zero vector"]] if how == "zero vector" else places
                if len(few):
                    draw = partial(self._curve, rows[: len(few)], few, how, keep)
                    done[curve] = self.store.once(name, curve, few, draw)
            if measure in ("stability", "randomisation"):
                few = places[places < self.limits[measure] // (QUARTER if name in COSTLY else 1)]
                if len(few) and not (name.startswith(CONTROL) and name != f"{CONTROL} 0"):
                    done[measure] = self.store.once(name, measure, few, partial(self._other, measure, name, rows, few))
            if measure == "cost" and not name.startswith(CONTROL) and places[0] == self.where[name][0]:
                done["cost"] = self.store.once(name, "cost", self._reference(), partial(self._cost, name))
        return done

    def _relevance(self, name: str, places: np.ndarray) -> Arrays:
        found = explain(name, self.methods[name], self.subject.module, self.subject.sample.take(places), strict=False)
        lengths = np.array([len(each) for each in found.relevance], dtype=np.int64)
        return {"flat": np.concatenate(found.relevance), "lengths": lengths, "residual": found.residual, "failed": found.failed}

    def _curve(self, rows: Sequence[np.ndarray], places: np.ndarray, how: str, keep: bool) -> Arrays:
        return {"logits": self.subject.drawn(rows, places, how, keep)}

    def _other(self, measure: str, name: str, rows: Sequence[np.ndarray], places: np.ndarray) -> Arrays:
        judge = self.subject.stability if measure == "stability" else self.subject.randomisation
        return {"values": judge(name, self.methods[name], rows[: len(places)], places)}

    def _reference(self) -> np.ndarray:
        lengths = self.subject.sample.lengths
        return np.sort(np.argsort(np.abs(lengths - np.median(lengths)), kind="stable")[:REFERENCE])

    def _cost(self, name: str) -> Arrays:
        texts = self.subject.sample.take(self._reference())
        seconds, megabytes = cost(lambda: explain(name, self.methods[name], self.subject.module, texts, strict=False))
        return {"ms": np.array(1000 * seconds / len(texts)), "mb": np.array(megabytes)}

    # ------------------------------------------------------------------ random sets of words

    def _probes(self) -> Iterator[tuple[np.ndarray, list[np.ndarray], np.ndarray]]:
        """Yield places, random sets and drops of the score, chunk by chunk; asked of the network once for all methods."""
        sample = self.subject.sample
        most = min(len(sample), self.limits["probes"])
        for begin in range(0, most, self.chunk):
            places = np.arange(begin, min(begin + self.chunk, most))
            masks = [
                subsets(len(sample.readings[i].ids), seed=[self.subject.seed, int(sample.numbers[i]), 0x5E]) for i in places
            ]
            found = self.store.once("(random sets)", "logits", places, partial(self._without, places, masks))
            scores = (found["logits"].astype(np.float64) * sample.weights[places][:, None, None]).sum(-1)
            yield places, masks, sample.scores[places][:, None, None] - scores

    def _without(self, places: np.ndarray, masks: Sequence[np.ndarray]) -> Arrays:
        rows = [self.subject.sample.readings[i].ids for i in places]
        return {"logits": without_subsets(self.subject.module, rows, masks)}

    # ------------------------------------------------------------------ what follows without asking anything

    def relevance(self, raw: Raw) -> dict[str, dict[int, np.ndarray]]:
        """Return each method's relevance [T] by the place of the text in the sample."""
        return {
            name: {int(i): row for places, done in parts for i, row in zip(places, _rows(done["relevance"]), strict=True)}
            for name, parts in raw.items()
        }

    def values(
        self, raw: Raw, measures: Sequence[str]
    ) -> tuple[dict[str, Arrays], dict[str, Arrays], dict[str, dict[str, Any]]]:
        """Return, by method: columns [n] (NaN where a text was not measured), curves [n,P], and facts."""
        sample, n = self.subject.sample, len(self.subject.sample)
        values: dict[str, Arrays] = {}
        lines: dict[str, Arrays] = {}
        facts: dict[str, dict[str, Any]] = {}
        relevance = self.relevance(raw)
        probes = list(self._probes()) if {"sensitivity-n", "infidelity"} & set(measures) else []
        for name, parts in raw.items():
            values[name], lines[name], facts[name] = {}, {}, {}
            for places, done in parts:
                _put(lines[name], places, {"right": sample.right[places, None].astype(np.float64)}, n)
                for key, each in done.items():
                    if "logits" in each:
                        few = places[: len(each["logits"])]
                        _put(lines[name], few, curves({key: each["logits"]}, sample.take(few)), n)
                if "stability" in done:
                    few = places[: len(done["stability"]["values"])]
                    _put(values[name], few, {"stability": _mean(done["stability"]["values"])}, n)
                if "randomisation" in done:
                    found = done["randomisation"]["values"].copy()
                    found[:, 0] = np.nan_to_num(found[:, 0])  # an explanation that ranks nothing repeats nothing
                    _put(lines[name], places[: len(found)], {"randomisation": found}, n)
                if "cost" in done:
                    facts[name] |= {key: float(each) for key, each in done["cost"].items()}
            values[name] |= deletion_values(lines[name], sample)
            facts[name] |= self._carried(raw[name], relevance[name])
            _put_probes(values[name], relevance[name], probes, measures, n)
        return values, lines, facts

    def _carried(self, parts: Any, relevance: Mapping[int, np.ndarray]) -> dict[str, float]:
        """How much of the score the words carry (the median over the texts), and what no ledger entry holds (the worst)."""
        scores = self.subject.sample.scores
        shares = np.array([row.sum() / scores[i] for i, row in relevance.items() if scores[i]])
        residual = np.concatenate([done["relevance"]["residual"] for _, done in parts])
        failed = np.concatenate([done["relevance"]["failed"] for _, done in parts])
        found = {"carried": float(np.median(shares)) if len(shares) else float("nan")}
        if failed.any():
            found["failed"] = float(failed.mean())
        if np.isfinite(residual).all():
            places = np.concatenate([places for places, _ in parts])
            found["unaccounted"] = float((np.abs(residual) / np.maximum(np.abs(scores[places]), 1.0)).max())
        return found


def _rows(stored: Arrays) -> list[np.ndarray]:
    return np.split(stored["flat"], np.cumsum(stored["lengths"])[:-1])


def _mean(values: np.ndarray) -> np.ndarray:  # [n,K] -> [n]
    seen = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(seen, values, 0.0).sum(axis=1) / seen.sum(axis=1))


def _put(into: Arrays, places: np.ndarray, found: Mapping[str, np.ndarray], n: int) -> None:
    for name, each in found.items():
        into.setdefault(name, np.full((n, *each.shape[1:]), np.nan))[places] = each


def _put_probes(into: Arrays, relevance: Mapping[int, np.ndarray], probes: Any, measures: Sequence[str], n: int) -> None:
    judges: dict[str, Any] = {"sensitivity": sensitivity} if "sensitivity-n" in measures else {}
    if "infidelity" in measures:
        judges |= {"infidelity": infidelity, "infidelity_scaled": partial(infidelity, scaled=True)}
    for places, masks, drops in probes:
        for i, mask, drop in zip(places, masks, drops, strict=True):
            if int(i) in relevance:
                for name, judge in judges.items():
                    into.setdefault(name, np.full(n, np.nan))[i] = judge(relevance[int(i)], mask, drop)
