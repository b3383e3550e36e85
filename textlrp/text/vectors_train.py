"""Train word vectors on texts of one's own, with gensim."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from textlrp.errors import EmbeddingError, InputError, unknown_name
from textlrp.progress import track
from textlrp.text.tokens import words

if TYPE_CHECKING:
    from gensim.models import KeyedVectors

__all__ = ["KINDS", "train_sentences", "train_vectors"]

KINDS = ("fasttext", "word2vec")
_LONGEST_SENTENCE = 10_000  # gensim silently drops what comes after


def train_vectors(
    texts: Iterable[str],
    *,
    kind: str = "word2vec",
    dimension: int = 100,
    window: int = 5,
    min_count: int = 5,
    epochs: int = 5,
    negative: int = 5,
    seed: int = 0,
    workers: int = 1,
) -> KeyedVectors:
    """Train skip-gram vectors (Mikolov et al. 2013; fastText: Bojanowski et al. 2017) on `texts`; no labels needed.

    With one worker the same texts and seed give the same vectors. Raises EmbeddingError where no word is
    seen `min_count` times.

    >>> vectors = train_vectors(["a good film"] * 20, dimension=4, epochs=1)
    >>> sorted(vectors.key_to_index), vectors.vector_size
    (['a', 'film', 'good'], 4)
    """
    if isinstance(texts, str):
        raise InputError("train_vectors takes a list of texts, not one string")
    _check(kind, dimension=dimension, window=window, min_count=min_count, epochs=epochs, negative=negative, workers=workers)
    return train_sentences(
        (words(text) for text in track(texts, "reading texts")),
        kind=kind,
        dimension=dimension,
        window=window,
        min_count=min_count,
        epochs=epochs,
        negative=negative,
        seed=seed,
        workers=workers,
    )


def train_sentences(
    texts: Iterable[Sequence[str]],
    *,
    kind: str = "word2vec",
    dimension: int = 100,
    window: int = 5,
    min_count: int = 5,
    epochs: int = 5,
    negative: int = 5,
    seed: int = 0,
    workers: int = 1,
) -> KeyedVectors:
    """Do as `train_vectors` does with texts that are lists of words already."""
    _check(kind, dimension=dimension, window=window, min_count=min_count, epochs=epochs, negative=negative, workers=workers)
    sentences = []
    for read in texts:
        sentences += [read[at : at + _LONGEST_SENTENCE] for at in range(0, len(read), _LONGEST_SENTENCE)]
    from gensim.models import FastText, Word2Vec

    model = (FastText if kind == "fasttext" else Word2Vec)(
        sg=1, vector_size=dimension, window=window, min_count=min_count, negative=negative, seed=seed, workers=workers
    )
    if sentences:
        model.build_vocab(sentences)
    if not sentences or not len(model.wv):
        raise EmbeddingError(f"no word is seen {min_count} times in the texts; give more texts or a lower min_count")
    for _ in track(range(1), f"training {kind} vectors on {len(sentences):,} texts, {epochs} epochs"):
        model.train(sentences, total_examples=len(sentences), epochs=epochs)
    return model.wv


def _check(kind: str, **numbers: int) -> None:
    if kind not in KINDS:
        raise unknown_name("kind of word vectors", kind, KINDS)
    for name, value in numbers.items():
        if value < 1:
            raise InputError(f"{name} is {value}; it must be 1 or more")
