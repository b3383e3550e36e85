"""evaluate(): how faithful each method's explanations of a classifier are, on texts of a person's choice."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from textlrp.errors import InputError
from textlrp.faithfulness.agreed import lexicon_values, rationale_values
from textlrp.faithfulness.agreement import Rationale, read_lexicon, read_rationales
from textlrp.faithfulness.batch import Method
from textlrp.faithfulness.collect import Collector
from textlrp.faithfulness.deletion import BINS, counts
from textlrp.faithfulness.measures import MEASURES, Subject, check_measures
from textlrp.faithfulness.methods import CONTROL, COSTLY, select
from textlrp.faithfulness.record import Evaluation, pooled
from textlrp.faithfulness.sample import Sample, draw
from textlrp.faithfulness.state import State, fingerprint, weights_digest

if TYPE_CHECKING:
    from textlrp.classifier import TextClassifier

__all__ = ["DEFAULT_LIMITS", "evaluate", "evaluate_sample"]

#: The most texts for measures and methods that cost more than a few passes a text; "tokens": the longest for such methods.
DEFAULT_LIMITS = {"probes": 400, "zero vector": 1000, "stability": 50, "randomisation": 50, "costly": 50, "tokens": 500}


def evaluate(
    classifier: TextClassifier,
    texts: Sequence[str],
    labels: Sequence[int] | None = None,
    *,
    methods: Sequence[str] = ("lrp", "baselines"),
    measures: Sequence[str] | None = None,
    limit: int = 200,
    seed: int = 0,
    own: Mapping[str, Method] | None = None,
    lexicon: Mapping[str, str] | str | Path | None = None,
    rationales: Sequence[Rationale] | str | Path | None = None,
    state: str | Path | None = None,
    target: str = "contrast",
    **how: Any,
) -> Evaluation:
    """Measure how faithful explanations of `classifier` are on a sample of `texts` ([n], with class indices as `labels`).

    - `methods`: names or groups (`textlrp.faithfulness.known_methods()`, `GROUPS`); `own`: methods of your own by name.
    - `measures`: names of `MEASURES`; without, all.
    - `limit`: how many texts are drawn, spread over lengths, a fifth of them misclassified where there are so many; `seed`: all
      randomness.
    - `lexicon` ({word: class} or a file) and `rationales` (a list or a file): what people say.
    - `state`: a folder that makes the run resumable: each (method, measure, chunk of texts) is kept there, whole or not at all.
    - `how`: `bins` (shares or numbers of words), `limits` (see DEFAULT_LIMITS), `limit_of` (texts for some methods), `options`
      (keyword arguments of a baseline, by its name), `seeds` of the random control, `rounds` of the bootstrap, `chunk`.

    >>> import textlrp
    >>> reviews = textlrp.load_reviews("bundled")
    >>> found = evaluate(textlrp.load("imdb-dense"), reviews["text"][:40], reviews["label"][:40],
    ...                  methods=["epsilon", "gradient"], measures=["deletion"], limit=20)
    >>> found.interval("LRP epsilon", "aopc").mean > found.interval("random", "aopc").mean
    True
    """
    sample = draw(classifier, texts, labels, limit=limit, seed=seed, target=target)
    return evaluate_sample(
        classifier,
        sample,
        methods=methods,
        measures=measures,
        seed=seed,
        own=own,
        lexicon=lexicon,
        rationales=rationales,
        state=state,
        target=target,
        **how,
    )


def evaluate_sample(
    classifier: TextClassifier,
    sample: Sample,
    *,
    methods: Sequence[str] = ("lrp", "baselines"),
    measures: Sequence[str] | None = None,
    seed: int = 0,
    own: Mapping[str, Method] | None = None,
    lexicon: Mapping[str, str] | str | Path | None = None,
    rationales: Sequence[Rationale] | str | Path | None = None,
    state: str | Path | None = None,
    target: str = "contrast",
    bins: Sequence[float | int] = BINS,
    limits: Mapping[str, int] | None = None,
    limit_of: Mapping[str, int] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    seeds: int = 3,
    rounds: int = 1000,
    chunk: int = 100,
) -> Evaluation:
    """Measure the methods on a sample that is drawn already; arguments as in `evaluate`."""
    wanted = check_measures(list(MEASURES) if measures is None else measures)
    counts(10, bins)  # says what is wrong with them
    most = {**DEFAULT_LIMITS, **(limits or {})}
    unknown = set(most) - set(DEFAULT_LIMITS)
    if unknown:
        raise InputError(f"limits are for {', '.join(DEFAULT_LIMITS)}, not {', '.join(sorted(unknown))}")
    if isinstance(lexicon, (str, Path)):
        lexicon = read_lexicon(lexicon)
    if isinstance(rationales, (str, Path)):
        rationales = read_rationales(rationales)
    module, classes = classifier.module, [str(each) for each in classifier.classes_]
    chosen = select(methods, module, sample, own=own, options=options, seeds=seeds)
    subject = Subject(module, sample, classifier.vocabulary, seed=seed, bins=bins)
    settings = {"bins": list(bins), "seed": seed, "target": target, "options": {k: dict(v) for k, v in (options or {}).items()}}
    store = State(state, fingerprint(module, sample, settings))
    where = {name: _places(name, sample, most, limit_of or {}) for name in chosen.chosen}
    collector = Collector(subject, chosen.chosen, where, store, most, chunk)
    raw = collector.collect(wanted)
    values, curves, facts = collector.values(raw, wanted)
    if lexicon is not None and "lexicon" in wanted:
        for name, found in lexicon_values(sample, collector.relevance(raw), lexicon, classes).items():
            values[name].update(found)
    if rationales is not None and "rationales" in wanted:
        agreed = rationale_values(classifier, rationales, chosen.chosen, classes, store)
    else:
        agreed = {}
    settings |= {
        "model": classifier.name_ if hasattr(classifier, "name_") else "",
        "weights": weights_digest(module),
        "texts": len(sample),
        "right": int(sample.right.sum()),
        "mean_tokens": float(sample.lengths.mean()),
        "limits": most,
        "seeds": seeds,
        "rounds": rounds,
        "python": platform.python_version(),
        "torch": _torch_version(),
    }
    return Evaluation(
        settings=settings,
        values=pooled(values, CONTROL),
        curves=pooled(curves, CONTROL),
        facts=pooled(facts, CONTROL),
        agreed=pooled(agreed, CONTROL),
        skipped=dict(chosen.skipped),
        rounds=rounds,
        seed=seed,
    )


def _places(name: str, sample: Sample, limits: Mapping[str, int], limit_of: Mapping[str, int]) -> np.ndarray:
    """The texts that a method explains: a prefix of the sample; of costly ones, only texts that are not too long."""
    places = np.arange(len(sample))
    if name in COSTLY:
        places = places[sample.lengths <= limits["tokens"]][: limits["costly"]]
    return places[: limit_of.get(name, len(places))]


def _torch_version() -> str:
    import torch

    return str(torch.__version__)
