"""The words of each class, over a corpus."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from textlrp.explanation import Explanation
from textlrp.ranking import Ranking, rank

__all__ = ["class_words"]


def class_words(explanations: Iterable[Explanation], *, min_texts: int = 2) -> dict[str, Ranking]:
    """Rank the words of each class over the documents that are predicted to be of it; no label is needed.

    The explanations are all of the predicted class's score (target "predicted"), or all of its margin over the next
    ("winner"). Classes come in the model's order; one that no document is predicted to be of is left out.

    >>> import textlrp
    >>> texts = ["A wonderful film.", "A wonderful cast.", "An awful plot.", "An awful bore."]
    >>> found = class_words(textlrp.load("imdb-dense").explain_many(texts))
    >>> {name: ranking.top(1).positive[0].word for name, ranking in found.items()}
    {'negative': 'awful', 'positive': 'wonderful'}
    """
    groups: dict[str, list[Explanation]] = {}
    order: list[str] = []
    for e in explanations:
        order = order or list(e.probabilities)
        groups.setdefault(e.prediction, []).append(replace(e, target=e.prediction))
    return {name: rank(groups[name], min_texts=min_texts) for name in order if name in groups}
