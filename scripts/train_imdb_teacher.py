"""The linear teacher: naive-Bayes-weighted logistic regression on words to trigrams (Wang & Manning 2012), self-trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.sparse as sp
from train_imdb_data import Reviews

LENGTHS = (1, 2, 3)
MIN_TEXTS = 3  # an n-gram that fewer reviews hold is left out
ROUNDS = 2  # of self-training on the unlabelled reviews


def hashes(ids: np.ndarray, n: int) -> np.ndarray:  # int64 [N] -> int64 [N-n+1]
    """Number the n-grams of a sequence of ids as `textlrp.models.ngrams` does: ((id_1 + n) · f + id_2) · f + … mod 2^31 - 1."""
    from textlrp.models.ngrams import FACTOR, PRIME

    count = max(len(ids) - n + 1, 0)
    hashed = ids[:count] + n
    for shift in range(1, n):
        hashed = (hashed * FACTOR + ids[shift : shift + count]) % PRIME
    return hashed


def ngram_counts(reviews: Reviews, n: int) -> tuple[sp.csr_matrix, np.ndarray]:
    """Return which review holds which n-gram (0 or 1) [reviews, features], and the hash of each feature, ascending."""
    document = np.repeat(np.arange(len(reviews)), reviews.lengths)
    hashed = hashes(reviews.flat, n)
    inside = document[: len(hashed)] == document[n - 1 :]
    known, feature = np.unique(hashed[inside], return_inverse=True)
    pairs = np.unique(document[: len(hashed)][inside] * np.int64(len(known)) + feature)
    rows, columns = np.divmod(pairs, len(known))
    kept = np.bincount(columns, minlength=len(known)) >= MIN_TEXTS
    inside = kept[columns]
    columns = (np.cumsum(kept) - 1)[columns[inside]]
    shape = (len(reviews), int(kept.sum()))
    return sp.csr_matrix((np.ones(len(columns), np.float32), (rows[inside], columns)), shape=shape), known[kept]


def log_ratio(features: sp.csr_matrix, positive: np.ndarray) -> np.ndarray:  # [n,F], [n] in 0..1 -> [F]
    """Return log((p/|p|) / (q/|q|)) of each feature, from its smoothed counts p in positive and q in negative texts."""
    p = 1 + np.asarray(positive @ features).ravel()
    q = 1 + np.asarray((1 - positive) @ features).ravel()
    return np.log(p / p.sum() * q.sum() / q).astype(np.float32)


def scale(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the factor that makes binary logits best calibrated (lowest log loss)."""
    from scipy.optimize import minimize_scalar

    sign = 2 * labels - 1
    best = minimize_scalar(lambda s: np.logaddexp(0, -sign * logits * np.exp(s)).mean(), bounds=(-5, 3), method="bounded")
    return float(np.exp(best.x))


def linear_teacher(reviews: Reviews, work: Path) -> tuple[np.ndarray, list[float]]:
    """Return calibrated logits (positive - negative) of all reviews [n], and the validation accuracy of each round.

    Round 0 learns from the labelled reviews; each later round also from the unlabelled ones, labelled by the round before and
    weighted by half its confidence. What a round learnt (per feature: hash, weight) is left in `work/linear.npz`.
    """
    from sklearn.linear_model import LogisticRegression

    parts = [ngram_counts(reviews, n) for n in LENGTHS]
    features = sp.hstack([counts for counts, _ in parts]).tocsr()
    train, valid, free = reviews.training, reviews.validation, reviews.unlabelled
    texts, labels = train, reviews.labels[train].astype(np.float64)
    weights = np.ones(len(train))
    accuracies, best, logits = [], 2.0, np.zeros(len(reviews))
    for _ in range(ROUNDS + 1):
        ratio = log_ratio(features[texts], labels)
        strength = 1.0 if len(accuracies) else 0.3
        model = LogisticRegression(C=strength, solver="liblinear", dual=True, max_iter=60, tol=0.02, random_state=0)
        model.fit(features[texts].multiply(ratio).tocsr(), labels > 0.5, sample_weight=weights)
        found = np.asarray(features @ (ratio * model.coef_[0])) + model.intercept_[0]
        found *= scale(found[valid], reviews.labels[valid])
        accuracies.append(float(((found[valid] > 0) == reviews.labels[valid]).mean()))
        loss = np.logaddexp(0, -(2 * reviews.labels[valid] - 1) * found[valid]).mean()
        if loss < best:
            best, logits = loss, found
            saved = {f"hashes{n}": known for n, (_, known) in zip(LENGTHS, parts, strict=True)}
            saved |= {f"texts{n}": np.asarray(counts.sum(0)).ravel() for n, (counts, _) in zip(LENGTHS, parts, strict=True)}
            np.savez(work / "linear.npz", weights=(ratio * model.coef_[0]).astype(np.float32), **saved)
        positive = 1 / (1 + np.exp(-found[free]))
        texts = np.concatenate([train, free])
        labels = np.concatenate([reviews.labels[train], positive])
        weights = np.concatenate([np.ones(len(train)), np.abs(positive - 0.5)])
    return logits, accuracies


def linear_ngrams(work: Path, n: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the hashes, ascending, and the weights of the `most` n-grams with the largest |weight| · √texts."""
    with np.load(work / "linear.npz") as saved:
        hashes, texts = saved[f"hashes{n}"], saved[f"texts{n}"]
        begin = sum(len(saved[f"hashes{each}"]) for each in LENGTHS if each < n)
        weights = saved["weights"][begin : begin + len(hashes)]
    chosen = np.sort(np.argsort(-np.abs(weights) * np.sqrt(texts), kind="stable")[:most])
    return hashes[chosen], weights[chosen]
