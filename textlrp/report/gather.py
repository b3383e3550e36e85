"""One streaming pass over labelled texts: predictions, explanations, and all that the report says of them."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from textlrp.errors import InputError
from textlrp.explanation import Explanation
from textlrp.progress import track
from textlrp.report.tally import Tally
from textlrp.text.tokens import normal_form

if TYPE_CHECKING:
    from textlrp.classifier import TextClassifier
    from textlrp.explaining import Rule

__all__ = ["BINS", "Gathered", "Side", "gather"]

BINS = 20  # places in a text, from its beginning to its end
PHRASES = 300_000  # phrases that are kept at once
UNKNOWN = "<unk>"


@dataclass(frozen=True)
class Side:
    """The words that speak for one class: a tally, and the sign with which its relevance is for that class."""

    name: str
    words: Tally
    phrases: Tally
    sign: int


@dataclass
class Gathered:
    """What one pass found.

    `labels` [n] and `probabilities` [n,C] are kept of every text, explanations only of the `wrong` ones that the model was most
    sure of (surest first) and of some that it got `right`, and relevances of words of a `sample`. `errors` has a tally for each
    (truth, prediction), its relevance being for what was predicted. `places` [BINS] and `net` [BINS]: where relevance lies, as
    shares of all and in favour of the prediction, averaged over `placed` texts. `ledger` sums go towards the prediction.
    """

    classes: tuple[str, ...]
    labels: np.ndarray
    probabilities: np.ndarray
    model: str = ""
    rule: str = ""
    gates: str = ""
    words: dict[str, Tally] = field(default_factory=dict)
    phrases: dict[str, Tally] = field(default_factory=dict)
    errors: dict[tuple[int, int], Tally] = field(default_factory=dict)
    wrong: list[tuple[int, Explanation]] = field(default_factory=list)
    right: list[tuple[int, Explanation]] = field(default_factory=list)
    sample: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    places: np.ndarray = field(default_factory=lambda: np.zeros(BINS))
    net: np.ndarray = field(default_factory=lambda: np.zeros(BINS))
    placed: int = 0
    ledger: Counter[str] = field(default_factory=Counter)
    score: float = 0.0
    tokens: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    unknown_tokens: int = 0
    truncated: int = 0

    @property
    def predicted(self) -> np.ndarray:
        """The predicted class of each text, [n]."""
        return self.probabilities.argmax(axis=1)

    def sides(self) -> list[Side]:
        """Return, for each class in order, the words that speak for it: of two classes by the margin, else by its score."""
        if len(self.classes) == 2:
            tally, phrases = self.words["margin"], self.phrases["margin"]
            return [Side(name, tally, phrases, sign) for name, sign in zip(self.classes, (-1, 1), strict=True)]
        return [Side(name, self.words[name], self.phrases[name], 1) for name in self.classes]


def gather(
    classifier: TextClassifier,
    texts: Sequence[str],
    labels: Sequence[int],
    *,
    rule: Rule = "default",
    gates: str = "all",
    explained: Iterable[Explanation] | None = None,
    batch_size: int = 256,
    most_wrong: int = 100,
    most_right: int = 40,
    sample: int = 600,
    seed: int = 0,
) -> Gathered:
    """Explain every text once, as a stream, and keep sums: memory does not grow with the number of texts, but for labels.

    Of two classes the margin is explained, of more the predicted class; `explained` gives these Explanations, in the order of
    the texts, where they were made before: nothing is explained again. `labels` [n] are indices into `classifier.classes_`.
    Raises InputError where they do not fit, or where there are no texts.
    """
    classes = tuple(str(name) for name in classifier.classes_)
    numbers = np.asarray(labels, dtype=np.int64)
    if len(numbers) != len(texts) or not len(numbers):
        raise InputError(
            f"a report needs texts, and one label for each; there are {len(texts)} texts and {len(numbers)} labels"
        )
    if numbers.min() < 0 or numbers.max() >= len(classes):
        raise InputError(
            f"labels must be indices from 0 to {len(classes) - 1} ({', '.join(classes)}); leave out unlabelled texts"
        )
    found = Gathered(classes, numbers, np.zeros((len(numbers), len(classes)), dtype=np.float32))
    keys = ["margin"] if len(classes) == 2 else list(classes)
    found.words = {key: Tally() for key in keys}
    found.phrases = {key: Tally(most=PHRASES) for key in keys}
    target = "margin" if len(classes) == 2 else "predicted"
    if explained is None:
        explained = classifier.explain_stream(texts, batch_size, target=target, rule=rule, gates=gates)
    keep = _Keep(found, most_wrong, most_right, sample, seed)
    for i, e in enumerate(track(explained, "explaining", total=len(numbers))):
        _add(found, i, e)
        keep.add(i, e)
    keep.finish()
    return found


def _add(found: Gathered, i: int, e: Explanation) -> None:
    """Add one explanation to the sums."""
    found.model, found.rule, found.gates = e.model, e.rule, e.gates
    found.probabilities[i] = list(e.probabilities.values())
    predicted, truth = found.classes.index(e.prediction), int(found.labels[i])
    towards = -1.0 if len(found.classes) == 2 and predicted == 0 else 1.0
    key = "margin" if len(found.classes) == 2 else e.prediction
    words = [normal_form(token.text) if known else UNKNOWN for token, known in zip(e.tokens, e.known, strict=True)]
    starts = [token.start for token in e.tokens]
    found.words[key].add(words, e.relevance, starts, i)
    found.phrases[key].add(*phrases(words, e.relevance, starts), i)
    if predicted != truth:
        found.errors.setdefault((truth, predicted), Tally()).add(words, towards * e.relevance, starts, i)
    _place(found, towards * e.relevance)
    found.ledger.update({name: towards * value for name, value in e.ledger.items()})
    found.score += towards * e.score
    found.tokens += len(words)
    unseen = [normal_form(token.text) for token, known in zip(e.tokens, e.known, strict=True) if not known]
    found.unknown.update(unseen)
    found.unknown_tokens += len(unseen)
    if len(found.unknown) > PHRASES:
        found.unknown = Counter(dict(found.unknown.most_common(PHRASES // 2)))
    found.truncated += e.truncated


def phrases(words: list[str], relevance: np.ndarray, starts: list[int]) -> tuple[list[str], np.ndarray, list[int]]:
    """Return runs of two and three words whose relevances have one sign, with their sums and where they start.

    >>> phrases(["not", "bad", ",", "it"], np.array([1.0, 0.5, 0.1, -0.1]), [0, 4, 7, 9])
    (['not bad'], array([1.5]), [0])
    """
    named = np.fromiter((any(map(str.isalnum, word)) and word[0] != "<" for word in words), dtype=bool, count=len(words))
    sign = np.where(named, np.sign(relevance), 0.0)
    keys: list[str] = []
    at: list[int] = []
    values: list[float] = []
    for size in (2, 3):
        if len(words) < size:
            break
        parts = [sign[k : len(sign) - size + 1 + k] for k in range(size)]
        same = np.flatnonzero(np.abs(np.sum(parts, axis=0)) == size)
        sums = np.convolve(relevance, np.ones(size), "valid")
        keys += [" ".join(words[i : i + size]) for i in same.tolist()]
        at += [starts[i] for i in same.tolist()]
        values += sums[same].tolist()
    return keys, np.asarray(values), at


def _place(found: Gathered, towards: np.ndarray) -> None:
    """Add where the relevance of a text lies, if it has at least one word for each place."""
    total = np.abs(towards).sum()
    if len(towards) < BINS or total == 0:
        return
    bins = np.arange(len(towards)) * BINS // len(towards)
    width = np.bincount(bins, minlength=BINS) * (BINS / len(towards))  # places hold equal numbers of words, but for rounding
    found.places += np.bincount(bins, np.abs(towards), BINS) / total / width
    found.net += np.bincount(bins, towards, BINS) / total / width
    found.placed += 1


class _Keep:
    """Which explanations are kept whole: few, whatever the number of texts."""

    def __init__(self, found: Gathered, most_wrong: int, most_right: int, sample: int, seed: int) -> None:
        self.found, self.most_wrong, self.most_right = found, most_wrong, most_right
        self.heap: list[tuple[float, int, Explanation]] = []
        self.seen_right = 0
        self.random = np.random.default_rng(seed)
        count = len(found.labels)
        self.sampled = frozenset(np.linspace(0, count - 1, min(sample, count)).astype(int).tolist())

    def add(self, i: int, e: Explanation) -> None:
        if e.prediction != self.found.classes[int(self.found.labels[i])]:
            push: Any = heapq.heappush if len(self.heap) < self.most_wrong else heapq.heappushpop
            if self.most_wrong:
                push(self.heap, (e.probabilities[e.prediction], -i, e))
        else:
            self.seen_right += 1
            at = int(self.random.integers(self.seen_right))  # reservoir sampling
            if len(self.found.right) < self.most_right:
                self.found.right.append((i, e))
            elif at < self.most_right:
                self.found.right[at] = (i, e)
        if i in self.sampled:
            sums: dict[str, float] = {}
            for token, relevance, known in zip(e.tokens, e.relevance.tolist(), e.known, strict=True):
                if known:
                    word = normal_form(token.text)
                    sums[word] = sums.get(word, 0.0) + relevance
            self.found.sample.append((i, sums))

    def finish(self) -> None:
        self.found.wrong = [(-i, e) for _, i, e in sorted(self.heap, key=lambda each: (-each[0], -each[1]))]
        self.found.right.sort(key=lambda each: each[0])
