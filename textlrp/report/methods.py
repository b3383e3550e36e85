"""How far other rules and methods agree on some of a report's texts, what they conserve, and how long they take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from textlrp.compare import compare
from textlrp.comparison import Comparison, Skipped
from textlrp.errors import InputError
from textlrp.highlight.compare_html import Row, about_view, cell, milliseconds, row_view, share, words_view
from textlrp.highlight.scale import limits
from textlrp.text.tokens import tokenise

if TYPE_CHECKING:
    from textlrp.classifier import TextClassifier

__all__ = ["MOST_TOKENS", "Agreement", "compare_examples", "methods_view"]

FEWEST_TOKENS, MOST_TOKENS = 20, 400  # of a text on which methods are compared: occlusion takes time with the square


@dataclass(frozen=True)
class Agreement:
    """What several methods said of some texts, the methods in one order throughout.

    `correlation` [M,M] is the mean of Spearman's rank correlation over the texts, `conserved` and `accounted` [M] are medians
    of shares of the score, `seconds` [M] means. `example` is the comparison on the shortest text, `index` that text's place.
    """

    methods: tuple[str, ...]
    correlation: np.ndarray
    conserved: np.ndarray
    accounted: np.ndarray
    seconds: np.ndarray
    texts: int
    example: Comparison
    index: int
    skipped: tuple[Skipped, ...] = ()


def compare_examples(classifier: TextClassifier, texts: Sequence[str], *, count: int = 8, seed: int = 0) -> Agreement | None:
    """Compare the methods on `count` texts that `seed` draws from those of 20 to 400 tokens, or None where there is none.

    Of two classes the margin is explained, of more the predicted class.
    """
    if count < 1:
        raise InputError(f"methods are compared on at least 1 text, not {count}")
    chosen = _drawn(texts, count, seed)
    if not chosen:
        return None
    target = "margin" if len(classifier.classes_) == 2 else "predicted"
    found = [(i, compare(classifier, texts[i], target=target)) for i in chosen]
    return agreement(found)


def agreement(found: Sequence[tuple[int, Comparison]]) -> Agreement:
    """Sum up comparisons, each with its text's place; a method counts where it was used on every text."""
    everywhere = set.intersection(*({row.method for row in each.rows} for _, each in found))
    kept = []
    for i, each in found:
        kept.append((i, Comparison(tuple(row for row in each.rows if row.method in everywhere), each.skipped)))
    skipped = {one.method: one for _, each in kept for one in each.skipped}
    with np.errstate(invalid="ignore"):
        correlation = np.mean([each.correlation() for _, each in kept], axis=0)
    table = np.array([[[row.conserved, row.accounted, row.seconds] for row in each.rows] for _, each in kept])  # [texts,M,3]
    index, example = min(kept, key=lambda each: len(each[1].rows[0].explanation.tokens))
    return Agreement(
        methods=tuple(row.method for row in example.rows),
        correlation=correlation,
        conserved=np.median(table[:, :, 0], axis=0),
        accounted=np.median(table[:, :, 1], axis=0),
        seconds=table[:, :, 2].mean(axis=0),
        texts=len(kept),
        example=example,
        index=index,
        skipped=tuple(skipped.values()),
    )


def _drawn(texts: Sequence[str], count: int, seed: int) -> list[int]:
    """Return the places of the texts that the seed draws, of those whose length allows it."""
    chosen: list[int] = []
    for i in np.random.default_rng(seed).permutation(len(texts)).tolist():
        if FEWEST_TOKENS <= len(tokenise(texts[i])) <= MOST_TOKENS:
            chosen.append(i)
        if len(chosen) == count:
            break
    return chosen


def methods_view(found: Agreement) -> dict[str, Any]:
    """Give what is shown of it: plain strings for a template."""
    rows = [Row(row.method, row.explanation, row.seconds, row.conserved, row.accounted) for row in found.example.rows]
    full = limits([row.explanation for row in rows], "each")
    drawn = [row_view(row, limit, True) for row, limit in zip(rows, full, strict=True)]
    return {
        "texts": f"{found.texts:,}",
        "fewest": f"{FEWEST_TOKENS:,}",
        "most": f"{MOST_TOKENS:,}",
        "number": f"{found.index + 1:,}",
        "about": about_view(rows[0].explanation),
        "names": list(found.methods),
        "rows": drawn,
        "figures": [
            (row["method"], row["profile"], share(conserved), share(accounted), milliseconds(seconds))
            for row, conserved, accounted, seconds in zip(
                drawn, found.conserved.tolist(), found.accounted.tolist(), found.seconds.tolist(), strict=True
            )
        ],
        "matrix": [
            [cell(value, own=i == j) for j, value in enumerate(line)] for i, line in enumerate(found.correlation.tolist())
        ],
        "words": words_view(rows, full),
        "skipped": [(each.method, each.reason) for each in found.skipped],
    }
