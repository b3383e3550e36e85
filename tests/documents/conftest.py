"""Documents of four subjects whose words are known, and a classifier trained on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from textlrp.classifier import TextClassifier

SUBJECTS = {
    "cooking": ("oven", "butter", "simmer"),
    "law": ("court", "plaintiff", "verdict"),
    "music": ("violin", "chord", "tempo"),
    "sea": ("harbour", "tide", "anchor"),
}
FILLING = [f"filler{i}" for i in range(60)]


@dataclass(frozen=True)
class Documents:
    """Texts with their labels [n], and the classifier that was trained on texts like them."""

    texts: list[str]
    labels: np.ndarray
    classifier: TextClassifier


def written(count: int, *, seed: int) -> tuple[list[str], np.ndarray]:
    """Write documents of forty words, three of them of the subject."""
    random = np.random.default_rng(seed)
    names = list(SUBJECTS)
    labels = random.integers(len(names), size=count)
    texts = []
    for label in labels:
        words = [*random.choice(FILLING, 37), *random.choice(SUBJECTS[names[label]], 3)]
        texts.append(" ".join(random.permutation(words)))
    return texts, labels


@pytest.fixture(scope="session")
def documents() -> Documents:
    """Give 160 documents that the classifier has not seen."""
    texts, labels = written(400, seed=0)
    names = list(SUBJECTS)
    options = {"embedding_dim": 16, "pooling": ["mean"], "hidden": [], "ngrams": [], "dropout": 0.0, "word_dropout": 0.0}
    classifier = TextClassifier("dense", epochs=30, learning_rate=0.02, batch_size=32, model_options=options, validation=0.2)
    classifier.fit(texts, [names[label] for label in labels])
    unseen, truth = written(160, seed=1)
    return Documents(unseen, truth, classifier)
