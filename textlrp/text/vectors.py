"""Word vectors from files and from gensim's named sets; what is done with them is offered here too."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from textlrp.errors import EmbeddingError, InputError, unknown_name
from textlrp.files import exists, expanded
from textlrp.text.vectors_cache import cache_key, recall, remember
from textlrp.text.vectors_open import open_stream
from textlrp.text.vectors_parse import parse
from textlrp.text.vectors_train import train_vectors
from textlrp.text.vectors_use import Coverage, coverage, covered_words, embedding_matrix, vector_of

if TYPE_CHECKING:
    from gensim.models import KeyedVectors

__all__ = ["NAMED", "Coverage", "coverage", "covered_words", "embedding_matrix", "load_vectors", "train_vectors", "vector_of"]

#: The sets of English and Russian word vectors that gensim fetches by name.
NAMED = (
    "conceptnet-numberbatch-17-06-300",
    "fasttext-wiki-news-subwords-300",
    "glove-twitter-25",
    "glove-twitter-50",
    "glove-twitter-100",
    "glove-twitter-200",
    "glove-wiki-gigaword-50",
    "glove-wiki-gigaword-100",
    "glove-wiki-gigaword-200",
    "glove-wiki-gigaword-300",
    "word2vec-google-news-300",
    "word2vec-ruscorpora-300",
)
_SUFFIXES = (".txt", ".gz", ".bz2", ".xz", ".zip", ".bin", ".vec", ".csv", ".tsv", ".kv", ".model")


def load_vectors(
    source: str | os.PathLike[str], *, member: str | None = None, limit: int | None = None, cache: bool = True
) -> KeyedVectors:
    """Return the word vectors of a file, or of one of gensim's named sets, as gensim KeyedVectors (float32).

    A file is GloVe or word2vec text, with or without header, or word2vec binary; plain, .gz, .bz2, .xz or the `member` of a
    .zip. It is read once and kept in the cache; after that it is mapped into memory, read-only. `limit` reads the first words
    only. Of a word that comes twice the first vector counts; `.duplicates` of the result says how many were left out.
    Raises EmbeddingError for a file that is missing, damaged or of another kind, UnknownNameError for an unknown name.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "vectors.txt")
    >>> _ = path.write_text("good 0.5 1\\nbad -0.5 -1\\n")
    >>> load_vectors(path, cache=False)["bad"].tolist()
    [-0.5, -1.0]
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit is {limit}; it must be 1 or more, or None for all words")
    path = _find(source)
    key = cache_key(path, member, limit) if cache and exists(path) and path.is_file() else None
    kept = recall(key) if key else None
    if kept is None:
        with open_stream(path, member=member) as stream:
            table = parse(stream, limit=limit)
        kept = recall(key) if key and remember(key, table.words, table.blocks, table.duplicates) else None
        if kept is None:
            kept = table.words, np.concatenate(table.blocks), table.duplicates
    return _keyed(*kept)


def _keyed(words: list[str], vectors: np.ndarray, duplicates: int) -> KeyedVectors:
    """Make KeyedVectors around words and their vectors [n,E] without copying them."""
    from gensim.models import KeyedVectors

    keyed = KeyedVectors(vectors.shape[1])
    keyed.index_to_key = words
    keyed.key_to_index = {word: number for number, word in enumerate(words)}
    keyed.vectors = vectors
    keyed.next_index = len(words)
    keyed.duplicates = duplicates
    return keyed


def _find(source: str | os.PathLike[str]) -> Path:
    """Return the file that `source` names."""
    path = expanded(source)
    name = os.fspath(source)
    if exists(path) or not isinstance(source, str) or os.path.basename(name) != name or path.suffix.lower() in _SUFFIXES:
        return path
    if name not in NAMED:
        raise unknown_name("word vectors, neither a file nor a set of gensim,", name, NAMED)
    return _download(name)


def _download(name: str) -> Path:
    """Fetch a named set with gensim, and return its file; gensim's own code for it is not run."""
    from gensim import downloader

    path = Path(downloader.BASE_DIR, name, f"{name}.gz")
    if path.is_file():
        return path
    try:
        return Path(downloader.load(name, return_path=True))
    except Exception as error:
        raise EmbeddingError(
            f"the word vectors {name!r} cannot be fetched ({type(error).__name__}: {error}). Without a network, give the path "
            f"of a file, or put {path.name!r} into {str(path.parent)!r}. Names that gensim knows: {', '.join(NAMED)}"
        ) from error
