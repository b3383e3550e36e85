"""Use word vectors: how well they cover a text, and the table that a model begins with."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from textlrp.errors import EmbeddingError
from textlrp.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from gensim.models import KeyedVectors

__all__ = ["Coverage", "coverage", "covered_words", "embedding_matrix", "vector_of"]

UNKNOWN_WORDS = ("<unk>", "<UNK>")


def _spellings(word: str) -> Iterator[str]:
    """Yield the spellings under which a word is looked up: as it is, without accents, then with capitals, for cased vectors."""
    yield word
    if not word.isascii():
        plain = "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
        if plain:
            yield plain
    yield word.capitalize()
    yield word.upper()


def vector_of(vectors: KeyedVectors, word: str) -> np.ndarray | None:  # [E]
    """Return the vector of a word (or of its spelling without accents or with capitals), None where there is none.

    fastText vectors give one to any word that shares an n-gram with theirs.
    """
    numbers = vectors.key_to_index
    for spelling in _spellings(word):
        if spelling in numbers:
            return np.asarray(vectors.vectors[numbers[spelling]])
    if hasattr(vectors, "vectors_ngrams") and word in vectors:
        return np.asarray(vectors.get_vector(word))
    return None


@dataclass(frozen=True)
class Coverage:
    """How much of a text has word vectors: of its different words, and of its running words."""

    words: int
    covered_words: int
    tokens: int
    covered_tokens: int
    missing: tuple[tuple[str, int], ...]  # the most frequent words without vector, with their counts

    @property
    def vocabulary_share(self) -> float:
        """The share of the different words that have a vector, 0 to 1."""
        return self.covered_words / self.words if self.words else 0.0

    @property
    def text_share(self) -> float:
        """The share of the running text that has a vector, 0 to 1."""
        return self.covered_tokens / self.tokens if self.tokens else 0.0

    def __str__(self) -> str:
        missing = ", ".join(word for word, _ in self.missing[:10])
        return (
            f"vectors for {self.covered_words:,} of {self.words:,} words ({self.vocabulary_share:.1%}), "
            f"{self.text_share:.2%} of the running text" + (f"; most frequent without: {missing}" if missing else "")
        )


def coverage(vectors: KeyedVectors, counts: Mapping[str, int], *, most_missing: int = 20) -> Coverage:
    """Say how much of the vocabulary, and of the running text, of `counts` (word to count) has a vector.

    >>> from gensim.models import KeyedVectors
    >>> vectors = KeyedVectors(2)
    >>> vectors.add_vectors(["good"], [[1.0, 2.0]])
    >>> print(coverage(vectors, {"good": 3, "film": 1}))
    vectors for 1 of 2 words (50.0%), 75.00% of the running text; most frequent without: film
    """
    missing = [(word, count) for word, count in counts.items() if vector_of(vectors, word) is None]
    missing.sort(key=lambda pair: (-pair[1], pair[0]))
    tokens = sum(counts.values())
    lost = sum(count for _, count in missing)
    return Coverage(len(counts), len(counts) - len(missing), tokens, tokens - lost, tuple(missing[:most_missing]))


def covered_words(vocabulary: Vocabulary, vectors: KeyedVectors) -> np.ndarray:  # [V] bool
    """Say of each entry of the vocabulary whether `embedding_matrix` gives it a vector of its own; never of padding."""
    return np.array([_entry(vectors, number, word) is not None for number, word in enumerate(vocabulary.words)], dtype=bool)


def embedding_matrix(
    vocabulary: Vocabulary, vectors: KeyedVectors, *, seed: int, dimension: int | None = None
) -> np.ndarray:  # [V,E] float32
    """Return the table of word vectors of a vocabulary: float32 [V,E], row 0 (padding) zero.

    A word without vector gets a random one, normal with mean 0 and the standard deviation of the others, by `seed`; the unknown
    entry gets the vector of `<unk>` where there is one. Raises EmbeddingError where `dimension` is given and does not fit.
    """
    size = int(vectors.vector_size)
    if dimension is not None and dimension != size:
        raise EmbeddingError(
            f"the word vectors have {size} dimensions, the model {dimension}; choose vectors or a model that fit"
        )
    rows: dict[int, Any] = {}
    for number, word in enumerate(vocabulary.words):
        vector = _entry(vectors, number, word)
        if vector is not None:
            rows[number] = vector
    known = np.stack(list(rows.values())) if rows else np.full((1, 2), (-0.1, 0.1), dtype=np.float32)
    matrix = np.random.default_rng(seed).standard_normal((len(vocabulary), size), dtype=np.float32) * known.std(
        dtype=np.float64
    )
    matrix = matrix.astype(np.float32)
    if rows:
        matrix[list(rows)] = known
    matrix[Vocabulary.PAD] = 0.0
    return matrix


def _entry(vectors: KeyedVectors, number: int, word: str) -> np.ndarray | None:
    """Return the vector of an entry of the vocabulary."""
    if number == Vocabulary.PAD:
        return None
    if number == Vocabulary.UNK:
        found = next((name for name in UNKNOWN_WORDS if name in vectors.key_to_index), None)
        return None if found is None else np.asarray(vectors.vectors[vectors.key_to_index[found]])
    return vector_of(vectors, word)
