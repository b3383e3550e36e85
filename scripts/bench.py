"""What an explanation costs, as a ratio to a prediction of the same texts in the same run.

    python scripts/bench.py [--repeats 9] [--threads 2]

Prints, for each bundled model, the time of `explain_many` over that of `predict_proba` on the bundled reviews (tokenising,
batching and records included), and of `lrp.attribute` over the network alone on one padded batch of 32 texts of 256 ids:
median and spread.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

import textlrp
from textlrp import lrp
from textlrp.classifier import bundled_models


def ratios(one: Callable[[], object], other: Callable[[], object], repeats: int) -> list[float]:
    """Time `one` and `other` in turn; return one/other of each turn, after a warm-up."""
    one(), other()
    found = []
    for _ in range(repeats):
        times = []
        for each in (one, other):
            began = time.perf_counter()
            each()
            times.append(time.perf_counter() - began)
        found.append(times[0] / times[1])
    return found


def shown(values: list[float]) -> str:
    """Median, smallest and largest."""
    return f"{statistics.median(values):5.2f}  ({min(values):.2f} to {max(values):.2f})"


def network(module: torch.nn.Module, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The network alone, without gradients."""
    with torch.inference_mode():
        return module(ids, lengths)


def measured(name: str, texts: list[str], repeats: int) -> str:
    """One row of the table."""
    clf = textlrp.load(name)
    whole = ratios(lambda: clf.explain_many(texts), lambda: clf.predict_proba(texts), repeats)
    ids = torch.from_numpy(np.random.default_rng(0).integers(2, len(clf.vocabulary), (32, 256)))
    lengths = torch.full((32,), 256)
    composite = lrp.Composite(default=lrp.Epsilon(1e-3))
    inner = ratios(
        lambda: lrp.attribute(clf.module, ids, lengths, target=1, composite=composite, layers=False),
        lambda: network(clf.module, ids, lengths),
        repeats,
    )
    long = " ".join(" ".join(texts).split()[:300])
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        clf.explain(long)
        times.append(1000 * (time.perf_counter() - began))
    return f"{name:12} {shown(whole):32} {shown(inner):32} {statistics.median(times):.0f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, {options.threads} threads, {options.repeats} repeats"
    )
    print(f"{'model':12} {'explain_many / predict_proba':32} {'attribute / network alone':32} ms to explain 300 words")
    texts = list(textlrp.load_reviews("bundled")["text"])
    for name in bundled_models():
        print(measured(name, texts, options.repeats))


if __name__ == "__main__":
    main()
