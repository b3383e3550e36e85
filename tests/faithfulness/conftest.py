"""A bag of words whose truth is known: the score is the sum of its words' weights."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from textlrp.encoding import Reading, read
from textlrp.faithfulness import Batch, Sample, make_sample
from textlrp.text.vocabulary import Vocabulary

WORDS = [a + b for a in "bcdfghklmnprst" for b in ("al", "el", "il", "ol", "ul")]  # 70 words


class Bag(nn.Module):
    """logits = W Σ_t E[id_t] + b, in float64: the true relevance of a word for weights v of the logits is v · W E[id]."""

    def __init__(self, words: int, *, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.embedding = nn.Embedding(words, 4, padding_idx=0)
        self.head = nn.Linear(4, 2)
        self.double()

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        inside = torch.arange(ids.shape[1]) < lengths[:, None]
        return self.head((self.embedding(ids) * inside[..., None]).sum(1))

    def truth(self, ids: np.ndarray, weights: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            vectors = self.embedding(torch.from_numpy(ids)) @ self.head.weight.T
        return (vectors.numpy() * weights).sum(-1)


@dataclass
class Known:
    """The bag of words, texts for it, and explanations from true to reversed."""

    module: Bag
    vocabulary: Vocabulary
    sample: Sample

    def true(self, batch: Batch) -> list[np.ndarray]:
        module = batch.module
        assert isinstance(module, Bag)
        return [module.truth(r.ids, w.numpy()) for r, w in zip(batch.readings, batch.weights, strict=True)]

    def noisy(self, batch: Batch) -> list[np.ndarray]:
        rows = []
        for row, number in zip(self.true(batch), batch.numbers, strict=True):
            noise = np.random.default_rng([int(number), 5]).standard_normal(len(row))
            rows.append(row + 0.7 * np.std(row) * noise)
        return rows

    def shuffled(self, batch: Batch) -> list[np.ndarray]:
        return [np.random.default_rng([int(n), 6]).permutation(r) for r, n in zip(self.true(batch), batch.numbers, strict=True)]

    def reversed(self, batch: Batch) -> list[np.ndarray]:
        return [-row for row in self.true(batch)]

    @property
    def own(self) -> dict[str, object]:
        return {"true": self.true, "noisy": self.noisy, "shuffled": self.shuffled, "reversed": self.reversed}

    @property
    def classifier(self) -> SimpleNamespace:
        config = SimpleNamespace(max_tokens=1000)
        return SimpleNamespace(
            module=self.module, vocabulary=self.vocabulary, classes_=["no", "yes"], config_=config, name_="bag"
        )


@pytest.fixture(scope="session")
def known() -> Known:
    generator = np.random.default_rng(1)
    vocabulary = Vocabulary(WORDS)
    texts = [" ".join(generator.choice(WORDS, size=int(generator.integers(12, 40)))) for _ in range(60)]
    readings: list[Reading] = [read(text, vocabulary) for text in texts]
    module = Bag(len(vocabulary)).eval()
    sample = make_sample(module, readings)
    labels = sample.logits.argmax(axis=1)
    labels[::5] = 1 - labels[::5]  # every fifth is misclassified
    return Known(module, vocabulary, make_sample(module, readings, labels))
