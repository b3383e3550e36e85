"""The words of each class, over a corpus."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from textlrp.explanation import Explanation
from textlrp.ranking import Ranking, rank

__all__ = ["class_words"]


def class_words(explanations: Iterable[Explanation], *, min_texts: int | None = None) -> dict[str, Ranking]:
    """Rank the words of each class over the documents that are predicted to be of it; no label is needed.

    The explanations are all of the predicted class's score (target "predicted"), or all of its margin over the next
    ("winner"). Listed are words that stand in `min_texts` documents of the class (None: in 1 of 33, and in three at least).
    Classes come in the model's order; one that no document is predicted to be of is left out.

    >>> import textlrp
    >>> texts = ["A wonderful film.", "A wonderful cast.", "An awful plot.", "An awful bore."]
    >>> found = class_words(textlrp.load("imdb-dense").explain_many(texts), min_texts=1)
    >>> {name: ranking.top(1).positive[0].word for name, ranking in found.items()}
    {'negative': 'awful', 'positive': 'wonderful'}
    """
    groups: dict[str, list[Explanation]] = {}
    order: list[str] = []
    for e in explanations:
        order = order or list(e.probabilities)
        groups.setdefault(e.prediction, []).append(replace(e, target=e.prediction))
    least = {name: min_texts or max(3, math.ceil(0.03 * len(group))) for name, group in groups.items()}
    return {name: rank(groups[name], min_texts=least[name]) for name in order if name in groups}
