"""From labelled texts to what training needs: a split, words counted once, ids under the final vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from textlrp.errors import DataError, InputError, TrainingError
from textlrp.models.batches import Encoded
from textlrp.progress import track
from textlrp.text.tokens import words
from textlrp.text.vocabulary import Vocabulary

__all__ = ["Numbered", "check_labelled", "number_words", "split"]


class Numbered:
    """Texts as numbers of the words in the order in which they were first seen: each text is tokenised once."""

    def __init__(self, encoded: Encoded, seen: Sequence[str]) -> None:
        self.encoded, self.seen = encoded, seen

    def counts(self, indices: np.ndarray) -> dict[str, int]:
        """Return how often each word comes in some of the texts."""
        chosen = np.zeros(len(self.encoded), dtype=bool)
        chosen[indices] = True
        numbers = self.encoded.flat[np.repeat(chosen, self.encoded.lengths)]
        counts = np.bincount(numbers, minlength=len(self.seen))
        return {word: int(count) for word, count in zip(self.seen, counts, strict=True) if count}

    def vocabulary(self, indices: np.ndarray, *, min_count: int, max_words: int) -> Vocabulary:
        """Return the vocabulary of some of the texts."""
        found = self.counts(indices)
        vocabulary = Vocabulary.from_counts(found, min_count=min_count, max_size=max_words)
        if len(vocabulary) <= 2:
            raise DataError(
                f"no word occurs {min_count} times or more in the {len(indices):,} training texts: give more, or min_count=1"
            )
        return vocabulary

    def encode(self, indices: np.ndarray, vocabulary: Vocabulary, *, max_tokens: int | None) -> Encoded:
        """Return some of the texts under the final vocabulary, each cut after `max_tokens`."""
        table = np.asarray(vocabulary.encode(self.seen), dtype=np.int32)
        return Encoded.of(table[self.encoded[index][:max_tokens]] for index in indices)


def number_words(texts: Sequence[str]) -> Numbered:
    """Tokenise all texts and number their words.

    >>> number_words(["A film", "a good film"]).seen
    ['a', 'film', 'good']
    """
    numbers: dict[str, int] = {}
    encoded = Encoded.of(
        [numbers.setdefault(word, len(numbers)) for word in words(text)] for text in track(texts, "reading texts")
    )
    return Numbered(encoded, list(numbers))


def check_labelled(texts: Sequence[str], labels: Sequence[int] | np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Return the labels as int64 [n]; texts that are no strings and labels that are no class are refused by their position."""
    values = np.asarray(labels)
    if isinstance(texts, str) or len(texts) != len(values) or values.ndim != 1:
        raise InputError(f"texts and labels must be two lists of the same length, not {len(texts):,} and {values.shape}")
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"text {position} is a {type(text).__name__}, not a string; convert it, or leave it out")
    if len(values) and not np.issubdtype(values.dtype, np.integer):
        raise InputError(f"labels must be whole numbers from 0 to {len(classes) - 1}, not {values.dtype}")
    wrong = np.flatnonzero((values < 0) | (values >= len(classes)))
    if len(wrong):
        first = int(wrong[0])
        raise InputError(
            f"text {first} has the label {values[first]}; labels go from 0 to {len(classes) - 1}: "
            "leave out texts without a label"
        )
    return values.astype(np.int64)


def split(labels: np.ndarray, *, share: float, classes: Sequence[str], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of training and validation texts; each class gives the same share, and keeps at least one text.

    Where the texts are too few for a validation part, it is the training part itself.

    >>> [part.tolist() for part in split(np.array([0, 0, 0, 0, 1, 1, 1, 1]), share=0.25, classes=["a", "b"], seed=0)]
    [[0, 1, 3, 4, 5, 6], [2, 7]]
    """
    if not 0.0 <= share <= 0.9:
        raise InputError(f"the validation share is {share}; it must lie from 0 to 0.9")
    check_classes(labels, classes)
    random = np.random.default_rng(seed)
    held: list[np.ndarray] = []
    for number in range(len(classes)):
        members = random.permutation(np.flatnonzero(labels == number))
        held.append(members[: min(round(share * len(members)), len(members) - 1)])
    validation = np.sort(np.concatenate(held))
    training = np.setdiff1d(np.arange(len(labels)), validation)
    return training, validation if len(validation) else training


def check_classes(labels: np.ndarray, classes: Sequence[str]) -> None:
    """Refuse labels that leave a class without a text."""
    counts = np.bincount(labels, minlength=len(classes))
    if len(classes) < 2 or (counts > 0).sum() < 2:
        only = classes[int(counts.argmax())] if len(labels) else "none"
        raise TrainingError(f"the training texts have one class only ({only!r}); a classifier needs texts of two or more")
    if (counts == 0).any():
        raise TrainingError(
            f"no training text has the class {classes[int(counts.argmin())]!r}: leave the class out, or add texts"
        )
