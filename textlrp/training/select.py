"""Which n-grams get a row of their own, and what they begin with: those whose presence tells the classes apart."""

from __future__ import annotations

import numpy as np
import torch

from textlrp.models.batches import Encoded
from textlrp.models.ngrams import FACTOR, PRIME, NGramEmbedding
from textlrp.training.trainer import Labelled

__all__ = ["begin_with_telling_ngrams", "log_ratios", "text_hashes"]

_CHUNK = 20_000  # texts
_MOST_TEXTS = 100_000


def text_hashes(texts: Encoded, n: int, first: int, last: int) -> np.ndarray:  # -> [M,2] int64
    """Return the pairs (text, hash) of all different n-grams in each of the texts `first` to `last` - 1; see NGramEmbedding."""
    begin, end = texts.offsets[first], texts.offsets[last]
    ids = texts.flat[begin:end].astype(np.int64)
    owner = np.repeat(np.arange(first, last), np.diff(texts.offsets[first : last + 1]))
    count = max(len(ids) - n + 1, 0)
    hashes = ids[:count] + n
    for shift in range(1, n):
        hashes = (hashes * FACTOR + ids[shift : shift + count]) % PRIME
    inside = owner[:count] == owner[n - 1 : n - 1 + count]
    pairs = np.sort(owner[:count][inside] * (PRIME + 1) + hashes[inside])
    pairs = pairs[_firsts(pairs)]
    return np.stack([pairs // (PRIME + 1), pairs % (PRIME + 1)], axis=1)


def _firsts(ordered: np.ndarray) -> np.ndarray:  # [M] -> [M] bool
    """Return which of the ordered values differ from the one before."""
    return np.concatenate([np.ones(min(len(ordered), 1), dtype=bool), ordered[1:] != ordered[:-1]])


def log_ratios(data: Labelled, n: int, classes: int, *, least: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return hashes [M], log ratios [M,C] and document counts [M] of the n-grams in at least `least` texts.

    The log ratio of a class is log (d + 1) / (D + 2) - log (d' + 1) / (D' + 2), with d of the D texts of the class and d' of
    the D' others holding the n-gram (Wang & Manning, ACL 2012, smoothed).
    """
    parts = []
    for first in range(0, len(data.texts), _CHUNK):
        pairs = text_hashes(data.texts, n, first, min(first + _CHUNK, len(data.texts)))
        parts.append(pairs[:, 1] * classes + data.labels[pairs[:, 0]])
    held = np.sort(np.concatenate(parts))  # each n-gram's texts together, ordered by class
    hashes = held // classes
    begins = _firsts(hashes)
    total = np.diff(np.append(np.flatnonzero(begins), len(held)))
    place = np.repeat(np.arange(len(total)), total)
    counts = np.bincount(place * classes + held % classes, minlength=len(total) * classes).reshape(-1, classes)
    kept = total >= least
    found, counts, total = hashes[begins][kept], counts[kept], total[kept]
    sizes = np.bincount(data.labels, minlength=classes)
    inside = np.log((counts + 1) / (sizes + 2))
    outside = np.log((total[:, None] - counts + 1) / (sizes.sum() - sizes + 2))
    return found, inside - outside, total


def begin_with_telling_ngrams(
    table: NGramEmbedding, data: Labelled, classes: int, *, least: int = 3, strength: float = 0.5, seed: int = 0
) -> int:
    """Select the n-grams with the largest |log ratio| · √count and let their vectors begin with `strength` times the ratios.

    With two classes the first number of a vector is that of the second class; with more, the first numbers are those of all
    classes (as far as the vector goes). Of very many texts, 100,000 drawn by `seed` are asked. Returns how many were selected.
    """
    if len(data.texts) > _MOST_TEXTS:
        drawn = np.sort(np.random.default_rng(seed).choice(len(data.texts), _MOST_TEXTS, replace=False))
        data = Labelled(Encoded.of(data.texts[at] for at in drawn), data.labels[drawn])
    hashes, ratios, counts = log_ratios(data, table.n, classes, least=least)
    weight = np.abs(ratios).max(axis=1) * np.sqrt(counts) if len(ratios) else np.zeros(0)
    chosen = np.sort(np.argsort(-weight, kind="stable")[: table.buckets - 1])  # found in ascending order of their hashes
    table.select(hashes[chosen])
    values = ratios[chosen][:, 1:] if classes == 2 else ratios[chosen]
    width = min(values.shape[1], table.dim)
    with torch.no_grad():
        table.weight.zero_()
        table.weight[1 : len(chosen) + 1, :width] = strength * torch.from_numpy(values[:, :width]).float()
    return len(chosen)
