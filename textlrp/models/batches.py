"""Texts as ids, batches of similar length, and logits for many texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from textlrp.progress import track

if TYPE_CHECKING:
    from textlrp.text.vocabulary import Vocabulary

__all__ = ["Encoded", "encode", "length_batches", "predict_logits", "probabilities"]


@dataclass(frozen=True, eq=False)
class Encoded:
    """The ids of many texts, end to end: text i is flat[offsets[i]:offsets[i + 1]]."""

    flat: np.ndarray  # int32 [N]
    offsets: np.ndarray  # int64 [n+1]

    @staticmethod
    def of(sequences: Iterable[Sequence[int] | np.ndarray]) -> Encoded:
        """Put sequences of ids end to end.

        >>> Encoded.of([[2, 3], [], [4]]).offsets.tolist()
        [0, 2, 2, 3]
        """
        parts = [np.asarray(each, dtype=np.int32) for each in sequences]
        offsets = np.zeros(len(parts) + 1, dtype=np.int64)
        np.cumsum([len(each) for each in parts], out=offsets[1:])
        return Encoded(np.concatenate(parts) if parts else np.zeros(0, dtype=np.int32), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> np.ndarray:
        return self.flat[self.offsets[index] : self.offsets[index + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """The number of ids of each text, int64 [n]."""
        return np.diff(self.offsets)

    def pad(self, indices: np.ndarray, *, most: int | None = None) -> tuple[Tensor, Tensor]:
        """Return the texts `indices` as one batch: ids [B,T] int64, padded with 0, and lengths [B] int64; `most` cuts them.

        >>> Encoded.of([[2, 3], [], [4]]).pad(np.array([0, 2]))[0].tolist()
        [[2, 3], [4, 0]]
        """
        starts = self.offsets[indices]
        lengths = self.offsets[np.asarray(indices) + 1] - starts
        if most is not None:
            lengths = np.minimum(lengths, most)
        width = int(lengths.max(initial=0))
        inside = np.arange(width) < lengths[:, None]
        ids = np.zeros(inside.shape, dtype=np.int64)
        ids[inside] = self.flat[(starts[:, None] + np.arange(width))[inside]]
        return torch.from_numpy(ids), torch.from_numpy(lengths)


def encode(texts: Iterable[str], vocabulary: Vocabulary, *, max_tokens: int | None = None) -> Encoded:
    """Tokenise texts and look their words up; each text is cut after `max_tokens`."""
    from textlrp.text.tokens import words

    return Encoded.of(vocabulary.encode(words(text)[:max_tokens]) for text in track(texts, "reading texts"))


def length_batches(lengths: np.ndarray, *, most_tokens: int = 16_384, most_texts: int = 256) -> list[np.ndarray]:
    """Return index arrays that together name every text once: similar lengths together, longest last.

    A batch holds at most `most_texts` texts and `most_tokens` ids with their padding, but always one text.

    >>> [batch.tolist() for batch in length_batches(np.array([5, 1, 2, 5]), most_tokens=6)]
    [[1, 2], [0], [3]]
    """
    order = np.argsort(lengths, kind="stable")
    batches, begin = [], 0
    for end in range(1, len(order) + 1):
        if end == len(order) or end - begin >= most_texts or (end - begin + 1) * lengths[order[end]] > most_tokens:
            batches.append(order[begin:end])
            begin = end
    return batches


def predict_logits(module: nn.Module, encoded: Encoded, *, device: torch.device | str | None = None) -> np.ndarray:
    """Return the logits of all texts in their order, float32 [n,C]; the module is left in the mode it was in."""
    place = torch.device(device) if device is not None else next(module.parameters()).device
    was_training = module.training
    module.eval()
    rows: list[tuple[np.ndarray, np.ndarray]] = []
    try:
        with torch.inference_mode():
            for indices in track(length_batches(encoded.lengths), "predicting"):
                ids, lengths = encoded.pad(indices)
                rows.append((indices, module(ids.to(place), lengths.to(place)).float().cpu().numpy()))
    finally:
        module.train(was_training)
    if not rows:
        return np.zeros((0, 0), dtype=np.float32)
    logits = np.empty((len(encoded), rows[0][1].shape[1]), dtype=np.float32)
    for indices, values in rows:
        logits[indices] = values
    return logits


def probabilities(logits: np.ndarray, *, temperature: float = 1.0) -> np.ndarray:
    """Return softmax(logits / temperature), float64 [n,C].

    >>> probabilities(np.array([[0.0, 0.0]])).tolist()
    [[0.5, 0.5]]
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    shifted = np.exp(scaled - scaled.max(axis=-1, keepdims=True, initial=-np.inf))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))
