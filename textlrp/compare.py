"""One text under several rules and methods, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from textlrp.comparison import UNACCOUNTED, Compared, Comparison, Skipped
from textlrp.errors import (
    ExplanationError,
    InputError,
    MissingPackageError,
    NumericalError,
    RelevanceError,
    unknown_name,
)
from textlrp.explanation import Explanation
from textlrp.finite import check_finite
from textlrp.progress import track

if TYPE_CHECKING:
    from torch import Tensor

    from textlrp.baselines import Method
    from textlrp.classifier import TextClassifier
    from textlrp.targets import Target

__all__ = ["RULES", "SLOW", "compare", "known_methods"]

#: The LRP rules that are compared where no methods are named.
RULES = ("zero", "epsilon", "gamma", "alpha-beta", "epsilon-gamma")

#: The methods that take seconds: they are used where they are named, or all methods are asked for.
SLOW = ("LIME", "SHAP")

QUICK = 0.1  # seconds: what takes less is run twice, and the faster run counts


def known_methods() -> list[str]:
    """Return the names that `compare` takes: the LRP presets and the baselines.

    >>> known_methods()[-3:]
    ['class activation', 'LIME', 'SHAP']
    """
    from textlrp import lrp
    from textlrp.baselines import LIMITED, METHODS

    return [*lrp.PRESETS, *METHODS, *LIMITED]


def compare(
    classifier: TextClassifier,
    text: str,
    *,
    target: Target = "predicted",
    methods: Sequence[str] | str | None = None,
    gates: str = "all",
) -> Comparison:
    """Explain `text` by each of `methods` (names of LRP presets and of baselines), one after the other.

    Without `methods`, these are LRP's main rules and every baseline that is quick; with "all", LIME and SHAP too. What the
    network or the machine does not allow is then listed as skipped with the reason, but is an error (RelevanceError,
    NumericalError, MissingPackageError) where it was named. A baseline keeps no ledger: what its words do not carry is
    entered as "not accounted for". Names may be written "gradient-x-input", "lime" or "LRP epsilon".

    >>> from textlrp import load
    >>> found = compare(load("imdb-dense"), "A warm, funny film.", methods=["epsilon", "occlusion"])
    >>> [row.method for row in found.rows], found.correlation().shape
    (['LRP epsilon', 'occlusion'], (2, 2))
    """
    chosen, skipped, named = _chosen(methods)
    model = classifier.explain(text, target=target, gates=gates)  # also warms up what is loaded when it is first used
    weights = _weights(classifier, text, target)
    rows = []
    for name in track(chosen, "comparing"):
        try:
            rows.append(_row(classifier, model, name, weights, target, gates))
        except (ExplanationError, MissingPackageError, NumericalError, RelevanceError) as error:
            if named:
                raise
            skipped.append(Skipped(_label(name), str(error)))
    return Comparison(tuple(rows), tuple(skipped))


def _chosen(methods: Sequence[str] | str | None) -> tuple[list[str], list[Skipped], bool]:
    """Return the names to use, those left out, and whether they were named one by one."""
    from textlrp import lrp

    every = known_methods()
    if methods is None or methods == "all":
        usual = [name for name in every if name in RULES or name not in lrp.PRESETS]
        usual.sort(key=lambda name: RULES.index(name) if name in RULES else len(RULES))
        left_out = [] if methods else [name for name in usual if name in SLOW]
        reason = "it takes seconds: name it, or ask for all methods"
        return [name for name in usual if name not in left_out], [Skipped(name, reason) for name in left_out], False
    listed = [methods] if isinstance(methods, str) else list(methods)
    if not listed:
        raise InputError(f"name at least one method to compare. Known: {', '.join(every)}")
    forms = {_form(name): name for name in every}
    for name in listed:
        if _form(name) not in forms:
            raise unknown_name("method", name, every)
    return list(dict.fromkeys(forms[_form(name)] for name in listed)), [], True


def _form(name: str) -> str:
    form = str(name).casefold().replace("×", "x").replace("-", " ").replace("_", " ")
    return " ".join(form.split()).removeprefix("lrp ")


def _label(name: str) -> str:
    from textlrp import lrp

    return f"LRP {name}" if name in lrp.PRESETS else name


def _row(classifier: TextClassifier, model: Explanation, name: str, weights: Any, target: Target, gates: str) -> Compared:
    from textlrp import lrp
    from textlrp.baselines import LIMITED, METHODS, ready

    if name in lrp.PRESETS:
        found, seconds = _timed(lambda: classifier.explain(model.text, target=target, rule=name, gates=gates))
        return Compared(_label(name), found, seconds)
    method = {**METHODS, **LIMITED}[name]
    ready(name)
    relevance, seconds = _timed(lambda: _baseline(classifier, model.text, method, weights))
    words = float(relevance.sum())
    ledger = {"words": words, UNACCOUNTED: model.score - words}
    return Compared(name, replace(model, relevance=relevance, ledger=ledger, rule=name, gates=""), seconds)


def _timed(run: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    found = run()
    seconds = time.perf_counter() - began
    if seconds < QUICK:
        began = time.perf_counter()
        found = run()
        seconds = min(seconds, time.perf_counter() - began)
    return found, seconds


def _weights(classifier: TextClassifier, text: str, target: Target) -> Tensor:
    """Return the weights [1,C] over the logits that make the explained score."""
    import torch

    from textlrp.lrp.targets import start
    from textlrp.targets import engine_target

    ids, lengths = _inputs(classifier, text)
    with torch.no_grad():
        logits = classifier.module(ids, lengths)
    found = start(engine_target(target), logits, [str(name) for name in classifier.classes_])
    assert found.c is not None
    return found.c


def _baseline(classifier: TextClassifier, text: str, method: Method, weights: Tensor) -> np.ndarray:
    """Return the relevance [T] that a baseline gives the tokens of a text."""
    ids, lengths = _inputs(classifier, text)
    found = method(classifier.module, ids, lengths, weights)
    relevance = np.asarray(found[0, : int(lengths[0])].double().cpu().numpy())
    check_finite("relevance", relevance[None])
    return relevance


def _inputs(classifier: TextClassifier, text: str) -> tuple[Tensor, Tensor]:  # -> [1,T], [1]
    from textlrp.encoding import read
    from textlrp.models.batches import Encoded

    reading = read(text, classifier.vocabulary, max_tokens=classifier.config_.max_tokens)
    ids, lengths = Encoded.of([reading.ids]).pad(np.arange(1))
    device = next(classifier.module.parameters()).device
    return ids.to(device), lengths.to(device)
