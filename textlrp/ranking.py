"""The words of a corpus, ranked by the relevance that many explanations of one target gave them."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, NamedTuple

from textlrp.errors import InputError, unknown_name
from textlrp.explanation import Explanation
from textlrp.text.tokens import normal_form

__all__ = ["RankedTop", "Ranking", "WordRank", "rank"]

UNKNOWN = "<unk>"
By = Literal["mean", "total"]


@dataclass(frozen=True)
class WordRank:
    """What one word did in a corpus.

    `mean` is its relevance per occurrence, `total` the sum over all; it occurs `occurrences` times in `texts` texts.
    `positive_share` is the sum of its positive relevances over the sum of all its absolute ones: 1 where it always spoke
    for the target, 0 where always against (None where it never said anything). `standard_error` is that of the mean,
    with texts drawn independently and occurrences in one text not (None for fewer than two texts).
    """

    word: str
    mean: float
    total: float
    texts: int
    occurrences: int
    positive_share: float | None
    standard_error: float | None

    def interval(self, z: float = 1.96) -> tuple[float, float] | None:
        """Give the confidence interval of the mean, mean ± z · standard error (95 % by default), where there is one."""
        if self.standard_error is None:
            return None
        return self.mean - z * self.standard_error, self.mean + z * self.standard_error


class RankedTop(NamedTuple):
    """The strongest words on both sides, strongest first."""

    positive: list[WordRank]
    negative: list[WordRank]


@dataclass(frozen=True)
class Ranking:
    """The words of a corpus, from the most positive mean relevance to the most negative; `ranking["good"]` is one of them.

    `counted` is the number of explanations; words that stand in fewer than `min_texts` of them are not listed.
    """

    words: tuple[WordRank, ...]
    target: str
    counted: int
    min_texts: int
    model: str = ""
    rule: str = ""
    gates: str = ""

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Iterator[WordRank]:
        return iter(self.words)

    def __getitem__(self, word: str) -> WordRank:
        names = (word, normal_form(word))
        found = next((each for each in self.words if each.word in names), None)
        if found is None:
            raise unknown_name("word", word, (each.word for each in self.top(10, by="total").positive))
        return found

    def top(self, k: int = 10, *, by: By = "mean") -> RankedTop:
        """Give the `k` strongest words for and against the target, strongest first, by `mean` or by `total` relevance."""
        if isinstance(k, bool) or not isinstance(k, int) or k < 0:
            raise InputError(f"top(k) needs a whole number of words from 0, not {k!r}")
        if by not in ("mean", "total"):
            raise unknown_name("order", by, ["mean", "total"])
        positive = sorted((each for each in self.words if getattr(each, by) > 0), key=lambda each: -getattr(each, by))
        negative = sorted((each for each in self.words if getattr(each, by) < 0), key=lambda each: getattr(each, by))
        return RankedTop(positive[:k], negative[:k])

    def rows(self, k: int | None = None, *, by: By = "mean") -> list[dict[str, Any]]:
        """Give the words as dicts with a `side` (positive, negative, or neither): the top `k` of both, or all of them."""
        if k is None:
            return [{"side": _side(each.mean), **asdict(each)} for each in self.words]
        top = self.top(k, by=by)
        return [{"side": side, **asdict(each)} for side, words in zip(top._fields, top, strict=True) for each in words]

    def to_dict(self, k: int | None = None, *, by: By = "mean") -> dict[str, Any]:
        """Give the ranking as lists, numbers and strings: how it was made, then the rows."""
        made = {"target": self.target, "model": self.model, "rule": self.rule, "gates": self.gates}
        return {**made, "texts": self.counted, "min_texts": self.min_texts, "words": self.rows(k, by=by)}

    def to_json(self, k: int | None = None, *, by: By = "mean", indent: int | None = 2) -> str:
        """Give the ranking as JSON in ASCII; what is not known (a standard error of one text) is null."""
        return json.dumps(self.to_dict(k, by=by), indent=indent, allow_nan=False)

    def to_csv(self, k: int | None = None, *, by: By = "mean", spreadsheet_safe: bool = True) -> str:
        """Give the rows as CSV with a header line; what is not known is an empty field.

        With `spreadsheet_safe`, a word that a spreadsheet would take for a formula ("=1+1", "@sum") gets a ' in front,
        and a control character is shown as its picture.
        """
        from textlrp.highlight.plain import visible

        out = io.StringIO()
        names = ["side", *(each.name for each in fields(WordRank))]
        writer = csv.DictWriter(out, names, lineterminator="\n")
        writer.writeheader()
        for row in self.rows(k, by=by):
            word = visible(row["word"]) if spreadsheet_safe else row["word"]
            formula = spreadsheet_safe and len(word) > 1 and word[0] in "=+-@"
            writer.writerow({**row, "word": f"'{word}" if formula else word})
        return out.getvalue()


def rank(explanations: Iterable[Explanation], *, min_texts: int = 1, merge_unknown: bool = True) -> Ranking:
    """Rank the words of many explanations by their mean relevance; the explanations are read once, one at a time.

    They must explain one target (target="positive" or "margin", not "predicted", whose sign would mean a different class
    in each text) with one model and rule: relevances of different targets cannot be averaged, so a mixture raises
    InputError. Words are compared by normal form. Words that the model did not know are one word to it: they are ranked
    together as <unk>, or each by itself without `merge_unknown`. Memory grows with the number of distinct words.

    The mean of a word is the ratio Σ s / Σ n of its relevance s and its number of occurrences n in each of the m texts
    that hold it; its variance is m / (m - 1) · Σ (s - mean · n)² / (Σ n)² (the ratio estimator of Cochran, Sampling
    Techniques, 1977, section 2.11).

    >>> from textlrp.text.tokens import tokenise
    >>> def explained(text, relevance):
    ...     return Explanation(text, tokenise(text), relevance, "positive", sum(relevance), {"words": sum(relevance)})
    >>> ranking = rank([explained("good film", [2.0, -0.5]), explained("Good plot", [1.0, 0.0])])
    >>> [(each.word, each.mean, each.texts) for each in ranking.top(1).positive]
    [('good', 1.5, 2)]
    """
    if isinstance(min_texts, bool) or not isinstance(min_texts, int) or min_texts < 1:
        raise InputError(f"min_texts needs a whole number from 1, not {min_texts!r}")
    made: tuple[str, str, str, str] | None = None
    counted = 0
    sums: dict[str, list[float]] = {}
    forms: dict[str, str] = {}
    for e in explanations:
        if not isinstance(e, Explanation):
            raise InputError(f"only explanations can be ranked, not {type(e).__name__}; make them with explain_many(texts)")
        made = _same(made, (e.target, e.model, e.rule, e.gates))
        counted += 1
        for word, (total, occurrences, positive, absolute) in _words(e, forms, merge_unknown).items():
            kept = sums.get(word)
            if kept is None:
                kept = sums[word] = [0.0] * 8
            values = (1.0, occurrences, total, positive, absolute, total * total, total * occurrences, occurrences**2)
            for i, value in enumerate(values):
                kept[i] += value
    if made is None:
        raise InputError("there are no explanations to rank: the data set is empty")
    words = [_word_rank(word, kept) for word, kept in sums.items() if kept[0] >= min_texts]
    words.sort(key=lambda each: -each.mean)
    target, model, rule, gates = made
    return Ranking(tuple(words), target, counted, min_texts, model, rule, gates)


def _words(e: Explanation, forms: dict[str, str], merge_unknown: bool) -> dict[str, list[float]]:
    """For each word of a text: relevance, occurrences, positive part, absolute sum."""
    found: dict[str, list[float]] = {}
    for token, relevance, known in zip(e.tokens, e.relevance.tolist(), e.known, strict=True):
        if merge_unknown and not known:
            word = UNKNOWN
        else:
            word = forms.get(token.text) or forms.setdefault(token.text, normal_form(token.text))
        kept = found.get(word)
        if kept is None:
            kept = found[word] = [0.0, 0.0, 0.0, 0.0]
        kept[0] += relevance
        kept[1] += 1.0
        kept[2] += max(relevance, 0.0)
        kept[3] += abs(relevance)
    return found


def _word_rank(word: str, kept: list[float]) -> WordRank:
    texts, n, total, positive, absolute, ss, sn, nn = kept
    mean = total / n
    error = None
    if texts > 1:
        squares = max(ss - 2 * mean * sn + mean * mean * nn, 0.0)
        error = math.sqrt(texts / (texts - 1) * squares) / n
    share = positive / absolute if absolute > 0 else None
    return WordRank(word, mean, total, int(texts), int(n), share, error)


def _same(made: tuple[str, str, str, str] | None, now: tuple[str, str, str, str]) -> tuple[str, str, str, str]:
    if made is None or made == now:
        return now
    for what, one, other in zip(("target", "model", "rule", "gate rule"), made, now, strict=True):
        if one != other:
            advice = "; explain all texts with one target, such as target='margin'" if what == "target" else ""
            raise InputError(f"explanations with different {what}s cannot be ranked together: {one!r} and {other!r}{advice}")
    raise AssertionError


def _side(mean: float) -> str:
    return "positive" if mean > 0 else "negative" if mean < 0 else "neither"
