"""The methods that are compared, by name: LRP rules and gate rules, baselines, attention, the random control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from torch import nn

from textlrp import baselines, lrp
from textlrp.errors import InputError, MissingPackageError, RelevanceError, unknown_name
from textlrp.faithfulness.attention import attention
from textlrp.faithfulness.batch import Batch, Method, explain
from textlrp.faithfulness.sample import Sample

__all__ = ["CONTROL", "COSTLY", "GROUPS", "Methods", "known_methods", "lrp_method", "register", "select"]

#: Methods whose cost grows with the square of a text's length, or with many samples of it.
COSTLY = ("smoothgrad", "integrated gradients", "occlusion", "LIME", "SHAP")
#: The random order that every other method must beat.
CONTROL = "random"
#: What a name given to `select` may also stand for.
GROUPS = {
    "lrp": "the LRP presets, gates 'all'",
    "gates": "the LRP presets with every gate rule",
    "baselines": "gradient, gradient × input, SmoothGrad, integrated gradients, occlusion, CAM, LIME, SHAP, attention",
    "cheap": "the LRP presets, gradient, gradient × input, CAM and attention: a few passes a text",
    "all": "lrp and baselines",
}
_OWN: dict[str, Method] = {}


@dataclass(frozen=True)
class Methods:
    """The methods that apply to a model, by name, and why others do not."""

    chosen: Mapping[str, Method]
    skipped: Mapping[str, str] = field(default_factory=dict)


def lrp_method(rule: str, gates: str = "all") -> Method:
    """Return the method that explains by the LRP preset `rule` and the gate rule `gates`."""
    composite = lrp.preset(rule).composite
    lrp.gates.gate_rule(gates)

    def method(batch: Batch) -> lrp.Attribution:
        target = lrp.Weights(batch.weights)
        ids, lengths = batch.ids, batch.lengths
        return lrp.attribute(batch.module, ids, lengths, target=target, composite=composite, gates=gates, layers=False)

    return method


def _baseline(name: str, options: Mapping[str, Any], batch: Batch) -> Any:
    method = {**baselines.METHODS, **baselines.LIMITED}[name]
    return method(batch.module, batch.ids, batch.lengths, batch.weights, **options)


def _random(seed: int, batch: Batch) -> list[np.ndarray]:
    """The control: independent normal numbers, drawn anew for each text, batch and model."""
    return [
        np.random.default_rng([seed, int(number), 0xC0]).standard_normal(len(reading.ids))
        for number, reading in zip(batch.numbers, batch.readings, strict=True)
    ]


def _table(options: Mapping[str, Mapping[str, Any]]) -> dict[str, Method]:
    table: dict[str, Method] = {}
    for gates in lrp.GATES:
        for rule in lrp.PRESETS:
            table[f"LRP {rule}" if gates == "all" else f"LRP {rule}:{gates}"] = lrp_method(rule, gates)
    for name in [*baselines.METHODS, *baselines.LIMITED]:
        table[name] = partial(_baseline, name, options.get(name, {}))
    table["attention"] = attention
    return table


def known_methods() -> list[str]:
    """Return the names of the methods: LRP rules (`LRP epsilon`, with another gate rule `LRP epsilon:half`), baselines, own."""
    return [*_table({}), *_OWN]


def register(name: str, method: Method) -> None:
    """Let a method of your own join under `name`, in Python for as long as the program runs.

    `method(batch)` takes a `Batch` and gives the relevance of each of its texts: arrays [T], or one padded array [B,T]. Results
    that are kept for resuming are kept under the name: give a method that has changed another one. To use a method in one
    evaluation alone, give `evaluate(…, own={name: method})` instead.

    >>> register("first word", lambda batch: [[1.0] + [0.0] * (len(r.ids) - 1) for r in batch.readings])
    >>> "first word" in known_methods()
    True
    """
    if not name or name in _table({}) or name in GROUPS or name.startswith(CONTROL):
        raise InputError(f"{name!r} is the name of a method or group of textlrp's own; choose another")
    if not callable(method):
        raise InputError(f"a method is called with a Batch; {type(method).__name__} cannot be called")
    _OWN[name] = method


def select(
    names: Sequence[str],
    module: nn.Module,
    sample: Sample,
    *,
    own: Mapping[str, Method] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    seeds: int = 3,
) -> Methods:
    """Choose methods by name or group, and leave out those that do not apply to `module`, or repeat another one exactly.

    Each method is tried on the two shortest texts of `sample`. The random control is always added, once for each of `seeds`.
    """
    table = {**_table(options or {}), **_OWN, **(own or {})}
    wanted = list(dict.fromkeys(each for name in [*names, *(own or {})] for each in _expand(name, table)))
    few = sample.take(np.argsort(sample.lengths, kind="stable")[:2])
    chosen: dict[str, Method] = {}
    skipped: dict[str, str] = {}
    seen: dict[str, np.ndarray] = {}
    for name in wanted:
        try:
            baselines.ready(name)
            tried = np.concatenate(explain(name, table[name], module, few, strict=not name.startswith("LRP ")).relevance)
        except (RelevanceError, MissingPackageError) as error:
            skipped[name] = str(error)
            continue
        same = [other for other, values in seen.items() if name.startswith("LRP ") and np.array_equal(values, tried)]
        if same:
            skipped[name] = f"the same as {same[0]} on this model"
            continue
        seen[name], chosen[name] = tried, table[name]
    for seed in range(seeds):
        chosen[f"{CONTROL} {seed}"] = partial(_random, seed)
    return Methods(chosen, skipped)


def _expand(name: str, table: Mapping[str, Method]) -> list[str]:
    rules = [f"LRP {rule}" for rule in lrp.PRESETS]
    others = [*baselines.METHODS, *baselines.LIMITED, "attention"]
    groups = {"lrp": rules, "baselines": others, "all": [*rules, *others]}
    groups["gates"] = [each for each in table if each.startswith("LRP ")]
    groups["cheap"] = [*rules, *(each for each in others if each not in COSTLY)]
    if name in groups:
        return groups[name]
    plain = {_plain(each): each for each in table}
    plain |= {_plain(each.removeprefix("LRP ").removesuffix(":all")): each for each in table if each.startswith("LRP ")}
    found = plain.get(_plain(name.removesuffix(":all")))
    if found is None:
        raise unknown_name("method", name, [*GROUPS, *table])
    return [found]


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("×", " x ").replace("*", " x ").split())
