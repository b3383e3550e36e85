"""Explanations that look alike, found by spectral clustering: a strategy that few texts share shows as a cluster."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from textlrp.audit.record import Cluster

__all__ = ["cluster"]

WORDS = 400  # features: the words of most relevance in the sample
MOST = 8


def cluster(
    sample: Sequence[tuple[int, Mapping[str, float]]],
    labels: np.ndarray,
    predicted: np.ndarray,
    classes: Sequence[str],
    *,
    k: int | None = None,
    seed: int = 0,
) -> tuple[Cluster, ...]:
    """Cluster the explanations of a sample (number of the text, relevance of its words), largest cluster first.

    Spectral relevance analysis (Lapuschkin et al., Nature Communications, 2019): the relevances of the strongest words, each
    explanation scaled to length 1; a graph of the 10 nearest neighbours by cosine; the number of clusters is where the
    eigenvalues of its Laplacian leave the largest gap (2 to 8), or `k`. Fewer than 30 explanations are not clustered.
    """
    sums: dict[str, float] = {}
    for _, words in sample:
        for word, relevance in words.items():
            sums[word] = sums.get(word, 0.0) + abs(relevance)
    names = sorted(sums, key=lambda word: -sums[word])[:WORDS]
    column = {word: i for i, word in enumerate(names)}
    features = np.zeros((len(sample), len(names)))
    for row, (_, words) in zip(features, sample, strict=True):
        for word, relevance in words.items():
            if word in column:
                row[column[word]] = relevance
    size = np.linalg.norm(features, axis=1)
    kept = np.flatnonzero(size > 0)
    if len(kept) < 30:
        return ()
    unit = features[kept] / size[kept, None]
    affinity = _neighbours(unit, 10)
    count = k or _eigengap(affinity)
    groups = _spectral(affinity, count, seed)
    numbers = np.array([number for number, _ in sample])[kept]
    found = []
    for group in range(count):
        inside = groups == group
        if inside.any():
            found.append(_describe(inside, unit, numbers, labels, predicted, classes, names))
    return tuple(sorted(found, key=lambda each: -each.size))


def _neighbours(unit: np.ndarray, count: int) -> np.ndarray:
    """The symmetric graph of nearest neighbours by cosine, [n,n]."""
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -np.inf)
    nearest = np.argpartition(-cosine, min(count, len(unit) - 1) - 1, axis=1)[:, :count]
    graph = np.zeros_like(cosine)
    np.put_along_axis(graph, nearest, np.maximum(np.take_along_axis(cosine, nearest, axis=1), 1e-6), axis=1)
    return np.asarray((graph + graph.T) / 2)


def _eigengap(affinity: np.ndarray) -> int:
    degree = affinity.sum(axis=1)
    root = 1 / np.sqrt(np.maximum(degree, 1e-12))
    values = np.linalg.eigvalsh(np.eye(len(affinity)) - root[:, None] * affinity * root)[: MOST + 1]
    return int(np.argmax(np.diff(values)[1:])) + 2


def _spectral(affinity: np.ndarray, count: int, seed: int) -> np.ndarray:
    from sklearn.cluster import SpectralClustering

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a graph in several pieces is no fault: each is a cluster
        method = SpectralClustering(count, affinity="precomputed", assign_labels="kmeans", random_state=seed)
        return np.asarray(method.fit_predict(affinity))


def _describe(
    inside: np.ndarray,
    unit: np.ndarray,
    numbers: np.ndarray,
    labels: np.ndarray,
    predicted: np.ndarray,
    classes: Sequence[str],
    names: Sequence[str],
) -> Cluster:
    """Its words are those whose mean relevance differs most from the others'; its examples lie nearest to its middle."""
    centre = unit[inside].mean(axis=0)
    rest = unit[~inside].mean(axis=0) if (~inside).any() else np.zeros_like(centre)
    strongest = np.argsort(-np.abs(centre - rest), kind="stable")[:8]
    nearest = numbers[inside][np.argsort(-(unit[inside] @ centre), kind="stable")[:3]]
    texts = numbers[inside]
    return Cluster(
        size=int(inside.sum()),
        accuracy=float((predicted[texts] == labels[texts]).mean()),
        predictions={classes[c]: n for c, n in sorted(Counter(predicted[texts].tolist()).items())},
        words=tuple((names[i], float(centre[i])) for i in strongest.tolist()),
        examples=tuple(int(each) for each in nearest),
    )
