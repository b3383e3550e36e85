"""How far explanations differ between threads, batches, paddings and number formats; and trainings with one seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import textlrp
from textlrp import lrp
from textlrp.encoding import read
from textlrp.models.batches import Encoded, length_batches

__all__ = ["compare"]

#: How far a relevance may be off, as a share of the largest in its text; bfloat16 keeps 8 bits of each number.
TOLERANCES = {"bfloat16": 0.5}
MODELS = ("imdb-dense", "imdb-lstm", "imdb-gru", "imdb-cnn")


def compare(texts: list[str]) -> dict[str, Any]:
    """Return a row for each model and variation, and what two trainings with one seed agree in."""
    rows = []
    for name in MODELS:
        torch.set_num_threads(1)
        reference = explain(textlrp.load(name), texts)
        for variation, run in VARIATIONS.items():
            try:
                rows.append({"model": name, "variation": variation, **difference(reference, run(name, texts))})
            except (RuntimeError, textlrp.errors.TextLRPError) as error:
                rows.append({"model": name, "variation": variation, "error": str(error)[:200]})
            finally:
                torch.set_num_threads(1)
            print(rows[-1], flush=True)
    return {"texts": len(texts), "rows": rows, "training": [trained(arch) for arch in ("dense", "lstm")]}


Result = tuple[list[np.ndarray], np.ndarray, np.ndarray]  # relevance of each text, scores [n], predicted classes [n]


def explain(model: Any, texts: list[str], *, batch: int = 64, extra: int = 0) -> Result:
    """Explain the margin of each text; `extra` columns of padding are added to every batch."""
    encoded = Encoded.of([read(text, model.vocabulary, max_tokens=model.config_.max_tokens).ids for text in texts])
    relevance: list[Any] = [None] * len(texts)
    device = next(model.module.parameters()).device
    scores, predicted = np.zeros(len(texts)), np.zeros(len(texts), dtype=int)
    for indices in length_batches(encoded.lengths, most_texts=batch):
        ids, lengths = encoded.pad(indices)
        ids = torch.nn.functional.pad(ids, (0, extra))
        composite = lrp.PRESETS["epsilon"].composite
        given = ids.to(device), lengths.to(device)
        found = lrp.attribute(model.module, *given, target="margin", composite=composite, layers=False)
        tokens = found.tokens.double().cpu().numpy()
        for row, i in enumerate(indices.tolist()):
            relevance[i] = tokens[row, : int(lengths[row])]
        scores[indices] = found.score.double().cpu().numpy()
        predicted[indices] = found.output.argmax(1).cpu().numpy()
    return relevance, scores, predicted


def difference(one: Result, other: Result) -> dict[str, float]:
    """Return the largest differences: of a relevance by the largest in its text, of scores, and how many predictions change."""
    pairs = list(zip(one[0], other[0], strict=True))
    shares = [np.abs(a - b).max(initial=0.0) / max(np.abs(a).max(initial=0.0), 1e-12) for a, b in pairs]
    return {
        "relevance": float(max(shares)),
        "median": float(np.median(shares)),
        "score": float(np.abs(one[1] - other[1]).max()),
        "predictions": int((one[2] != other[2]).sum()),
    }


def _threads(name: str, texts: list[str]) -> Result:
    torch.set_num_threads(2)
    return explain(textlrp.load(name), texts)


def _gpu(name: str, texts: list[str]) -> Result:
    model = textlrp.load(name)
    model.module.cuda()
    return explain(model, texts)


def _cast(kind: torch.dtype) -> Callable[[str, list[str]], Result]:
    def run(name: str, texts: list[str]) -> Result:
        model = textlrp.load(name)
        model.module.to(kind)
        return explain(model, texts)

    return run


VARIATIONS: dict[str, Callable[[str, list[str]], Result]] = {
    "the same again": lambda name, texts: explain(textlrp.load(name), texts),
    "2 threads": _threads,
    "batches of 1": lambda name, texts: explain(textlrp.load(name), texts, batch=1),
    "batches of 7": lambda name, texts: explain(textlrp.load(name), texts, batch=7),
    "batches of 256": lambda name, texts: explain(textlrp.load(name), texts, batch=256),
    "37 more columns of padding": lambda name, texts: explain(textlrp.load(name), texts, extra=37),
    "float64": _cast(torch.float64),
    "bfloat16": _cast(torch.bfloat16),
}
if torch.cuda.is_available():
    VARIATIONS["GPU"] = _gpu


def trained(arch: str) -> dict[str, Any]:
    """Train twice with one seed and once with another; say whether the weights agree to the bit."""
    reviews = textlrp.load_reviews("bundled")
    texts, labels = list(reviews["text"]), list(reviews["label"])
    runs = [textlrp.TextClassifier(arch, epochs=3, seed=seed).fit(texts, labels) for seed in (0, 0, 1)]
    states = [list(run.module.state_dict().values()) for run in runs]
    same = [all(torch.equal(a, b) for a, b in zip(states[0], state, strict=True)) for state in states[1:]]
    return {"arch": arch, "same_seed_same_weights": same[0], "other_seed_same_weights": same[1]}
