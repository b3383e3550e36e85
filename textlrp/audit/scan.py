"""A pass over the words of texts, without the network: who holds what, with which label; copies; capitals."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from textlrp.progress import track
from textlrp.text.tokens import normal_form, tokenise

__all__ = ["Scan", "scan"]

_ENDS = frozenset(".!?:\"'()-*")


class Scan:
    """What a pass found, for each word of an `index` (word → number): `texts` [C,K] of each class that hold it, its occurrences
    `inside` sentences [K] and those with a `capitals` [K]; `copies` (text, earlier text) and the `prints` of all texts.
    """

    def __init__(self, index: Mapping[str, int], classes: int) -> None:
        self.index = index
        self.texts = np.zeros((classes, len(index)))
        self.inside, self.capitals = np.zeros(len(index)), np.zeros(len(index))
        self.counts = np.zeros(classes, dtype=np.int64)
        self.prints: dict[bytes, int] = {}
        self.copies: list[tuple[int, int]] = []

    def add(self, i: int, text: str, label: int) -> np.ndarray:
        """Add a text, and return the numbers of the words it holds, each once."""
        index, found, inside, capitals = self.index, [], [], []
        forms = []
        loud = text.upper() == text
        begin = True
        for token in tokenise(text):
            word = normal_form(token.text)
            forms.append(word)
            number = index.get(word, -1)
            if number >= 0:
                found.append(number)
                if not begin and not loud:
                    inside.append(number)
                    if token.text[0].isupper():
                        capitals.append(number)
            begin = token.text[-1] in _ENDS or token.text[0] == "<"
        np.add.at(self.inside, inside, 1)
        np.add.at(self.capitals, capitals, 1)
        unique = np.unique(np.asarray(found, dtype=np.int64))
        self.texts[label, unique] += 1
        self.counts[label] += 1
        if forms:
            mark = hashlib.blake2b("\0".join(forms).encode("utf-8", "replace"), digest_size=12).digest()
            if self.prints.setdefault(mark, i) != i:
                self.copies.append((i, self.prints[mark]))
        return unique


def scan(
    texts: Sequence[str],
    labels: Sequence[int] | np.ndarray,
    index: Mapping[str, int],
    *,
    classes: int,
    then: Callable[[int, np.ndarray], None] | None = None,
    what: str = "reading words",
) -> Scan:
    """Read all texts once; `then` is called with the number of each text and the words it holds.

    >>> found = scan(["Good film", "Bad film"], [1, 0], {"film": 0, "good": 1}, classes=2)
    >>> found.texts.tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    found = Scan(index, classes)
    for i, text in enumerate(track(texts, what, total=len(texts))):
        unique = found.add(i, text, int(labels[i]))
        if then is not None:
            then(i, unique)
    return found
