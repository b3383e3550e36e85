"""The IMDB training part as arrays: read once from the official archive, tokenised, with whole films held out for validation.

The test part is never read here.
"""

from __future__ import annotations

import os
import re
import tarfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from textlrp.errors import DataError
from textlrp.text.tokens import words
from textlrp.text.vocabulary import Vocabulary

VOCABULARY_SIZE = 40_000
VALIDATION = 2_500  # reviews, at least: whole films are held out, since reviews of one film share its names
DATA = Path(os.environ.get("TEXTLRP_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
ARCHIVE, VECTORS = "aclImdb_v1.tar.gz", "glove.imdb.100d.txt.gz"


@dataclass(frozen=True)
class Reviews:
    """All 75,000 training reviews as word ids: the 25,000 labelled ones first (label 0 or 1), then the unlabelled ones (-1)."""

    flat: np.ndarray  # int64 [N] ids of all reviews, one after the other
    lengths: np.ndarray  # int64 [n]
    labels: np.ndarray  # int64 [n]: 0 negative, 1 positive, -1 unlabelled
    held_out: np.ndarray  # bool [n]: the validation part
    vocabulary: Vocabulary

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.flat[self.offsets[index] : self.offsets[index + 1]]

    @cached_property
    def offsets(self) -> np.ndarray:
        """Where each review begins in `flat`; int64 [n+1]."""
        return np.concatenate([[0], np.cumsum(self.lengths)])

    @property
    def training(self) -> np.ndarray:
        """The numbers of the labelled reviews outside the validation part."""
        return np.flatnonzero((self.labels >= 0) & ~self.held_out)

    @property
    def validation(self) -> np.ndarray:
        """The numbers of the reviews of the validation part."""
        return np.flatnonzero(self.held_out)

    @property
    def unlabelled(self) -> np.ndarray:
        """The numbers of the unlabelled reviews."""
        return np.flatnonzero(self.labels < 0)


def prepare(work: Path, *, data: Path = DATA) -> Reviews:
    """Read and tokenise the training part, or open what an earlier call has left in the folder `work`."""
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "reviews.npz").exists():
        texts, labels, films = _read(data / ARCHIVE)
        split = [words(text) for text in texts]
        counts = Vocabulary.count(())
        for each in split:
            counts.update(each)
        vocabulary = Vocabulary.from_counts(counts, max_size=VOCABULARY_SIZE)
        ids = [vocabulary.encode(each) for each in split]
        vocabulary.save(work / "vocabulary.json")
        np.savez(
            work / "reviews.npz",
            flat=np.concatenate(ids).astype(np.uint16),
            lengths=np.array([len(each) for each in ids]),
            labels=np.array(labels),
            held_out=_held_out(films),
        )
    with np.load(work / "reviews.npz") as arrays:
        return Reviews(
            flat=arrays["flat"].astype(np.int64),
            lengths=arrays["lengths"],
            labels=arrays["labels"],
            held_out=arrays["held_out"],
            vocabulary=Vocabulary.load(work / "vocabulary.json"),
        )


def _read(archive: Path) -> tuple[list[str], list[int], list[str]]:
    """Return the texts of train/{neg,pos,unsup} in the order of their numbers, their labels, and their films if labelled."""
    if not archive.exists():
        raise DataError(f"{str(archive)!r} is missing; set TEXTLRP_DATA to the folder that holds it")
    found: dict[tuple[str, int], str] = {}
    films: dict[str, list[str]] = {}
    with tarfile.open(archive) as members:
        for member in members:
            parts = member.name.split("/")
            if not member.isfile() or parts[1] != "train":
                continue
            handle = members.extractfile(member)
            assert handle is not None
            if len(parts) == 4:
                found[parts[2], int(parts[3].split("_")[0])] = handle.read().decode("utf-8")
            elif parts[2].startswith("urls_"):
                films[parts[2][5:-4]] = re.findall(r"tt\d+", handle.read().decode("ascii"))
    keys = sorted(found, key=lambda key: (("neg", "pos", "unsup").index(key[0]), key[1]))
    labels = {"neg": 0, "pos": 1, "unsup": -1}
    return (
        [found[key] for key in keys],
        [labels[kind] for kind, _ in keys],
        [films[kind][number] if kind != "unsup" else "" for kind, number in keys],
    )


def _held_out(films: list[str]) -> np.ndarray:  # [n] -> bool [n]
    """Draw films (always the same ones) until they have VALIDATION reviews."""
    names, numbers, counts = np.unique(np.array(films), return_inverse=True, return_counts=True)
    chosen = np.zeros(len(names), bool)
    for film in np.random.default_rng(0).permutation(len(names)):
        if counts[chosen].sum() >= VALIDATION:
            break
        chosen[film] = names[film] != ""
    return chosen[numbers]


def word_vectors(vocabulary: Vocabulary, *, data: Path = DATA, seed: int = 0) -> np.ndarray:  # float32 [V,100]
    """Return the words' vectors, scaled to a standard deviation of 0.4; small random ones for words without a vector."""
    from textlrp.text.vectors import embedding_matrix, load_vectors

    matrix = embedding_matrix(vocabulary, load_vectors(data / VECTORS), seed=seed)
    return np.asarray(matrix * (0.4 / matrix[2:].std()), dtype=np.float32)
