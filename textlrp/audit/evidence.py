"""The two tests of an audit, and Holm's correction: what raises an alarm, and how seldom it does so by chance."""

from __future__ import annotations

import numpy as np

__all__ = ["Overuse", "holm", "overrepresented", "recalibrate"]

SLOPES = -np.geomspace(0.02, 12.0, 24)  # of the Chernoff bound


def recalibrate(logits: np.ndarray, hits: np.ndarray) -> tuple[float, float]:
    """Fit P(hit) = σ(a · logit + b) on held-out texts, [n] and [n]; a and b by Newton's method with a faint ridge towards 1
    and 0.

    >>> a, b = recalibrate(np.array([-2.0, 2.0, -2.0, 2.0]), np.array([0, 1, 0, 1]))
    >>> a > 1, abs(b) < 1e-6
    (True, True)
    """
    x = np.stack([np.clip(logits, -30, 30), np.ones_like(logits)], axis=1)  # [n,2]
    prior, theta = np.array([1.0, 0.0]), np.array([1.0, 0.0])
    for _ in range(30):
        p = _sigmoid(x @ theta)
        gradient = x.T @ (hits - p) - (theta - prior)
        step = np.linalg.solve(x.T @ (x * (p * (1 - p))[:, None]) + np.eye(2), gradient)
        theta = theta + np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-8:
            break
    return float(theta[0]), float(theta[1])


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(x / 2))


class Overuse:
    """Tests, for many words at once, whether the labels of held-out texts support what the model makes of a word.

    A word speaks for a class. If it rightly does, then among the texts i that hold it that class comes with the probabilities
    p_i = σ(logit_i − tolerated) that the (recalibrated) model gives, or more often; `tolerated` log odds are let pass, because
    no model is right to the last digit. The number of texts that have it, s, is then a sum of Bernoulli variables; the p-value
    is Chernoff's bound, min over t < 0 of exp(Σ_i log(1 − p_i + p_i e^t) − t s), which holds for any number of texts
    (Chernoff, Annals of Mathematical Statistics, 1952). A word without any right to its relevance makes the model too sure in
    every text that holds it, and s falls short.
    """

    def __init__(self, words: int, *, tolerated: float = 0.1) -> None:
        """Take the number of words, K."""
        self.tolerated = tolerated
        self.hits, self.expected, self.variance, self.texts = (np.zeros(words) for _ in range(4))
        self.bound = np.zeros((words, len(SLOPES)))

    def add(self, words: np.ndarray, logits: np.ndarray, hits: np.ndarray) -> None:
        """Add one text: the words it holds [W], the log odds [W] of their classes there, and whether it has that class [W]."""
        p = _sigmoid(logits)
        self.hits[words] += hits
        self.texts[words] += 1
        self.expected[words] += p
        self.variance[words] += p * (1 - p)
        self.bound[words] += np.log1p(_sigmoid(logits - self.tolerated)[:, None] * np.expm1(SLOPES))

    def p(self) -> np.ndarray:
        """Return the p-value of each word, [K].

        >>> test = Overuse(1)
        >>> for hit in [1, 0] * 20:
        ...     test.add(np.array([0]), np.array([4.0]), np.array([hit]))
        >>> bool(test.p()[0] < 1e-4)
        True
        """
        best = (self.bound - SLOPES * self.hits[:, None]).min(axis=1)
        return np.exp(np.minimum(best, 0.0))

    def unsupported(self) -> np.ndarray:
        """Estimate by how much the log odds are too high in texts that hold each word, [K]: one step of Newton's method."""
        return (self.expected - self.hits) / np.maximum(self.variance, 1e-9)


def overrepresented(
    training: np.ndarray, held_out: np.ndarray, training_texts: int, held_out_texts: int, *, ratio: float = 2.0
) -> np.ndarray:
    """Test whether words stand in more than `ratio` times as large a share of the training texts as of the held-out ones.

    `training` and `held_out` [K] count texts of one class that hold each word, out of so many texts. Given their sum k, the
    first is at most binomial(k, q) with q = ratio · n / (ratio · n + m) (Przyborowski and Wilenski, Biometrika, 1940). Returns
    p-values [K].

    >>> overrepresented(np.array([60, 60]), np.array([0, 55]), 1000, 1000).round(3).tolist()
    [0.0, 1.0]
    """
    from scipy.stats import binom

    share = ratio * training_texts / (ratio * training_texts + held_out_texts)
    return np.asarray(binom.sf(training - 1, training + held_out, share))


def holm(p: np.ndarray, tests: int) -> np.ndarray:
    """Adjust p-values [K] for `tests` tests (K at most; the others count as 1), after Holm (Scand. J. Statistics, 1979).

    >>> holm(np.array([0.01, 0.001, 0.5]), 10).tolist()
    [0.09, 0.01, 1.0]
    """
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * (tests - np.arange(len(p))))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted
