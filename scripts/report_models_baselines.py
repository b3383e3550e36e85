"""The linear models that a network has to beat, from scikit-learn, trained on the 25,000 labelled reviews."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression

Texts = list[str]
WORD = r"\w+|[^\w\s]"


def tf_idf(longest: int) -> Callable[[Texts, np.ndarray, Texts], np.ndarray]:
    """Return logistic regression on tf-idf of words (to n-grams of `longest` words)."""

    def fit(texts: Texts, labels: np.ndarray, others: Texts) -> np.ndarray:
        features = TfidfVectorizer(ngram_range=(1, longest), min_df=2, sublinear_tf=True)
        model = LogisticRegression(C=10.0, solver="liblinear").fit(features.fit_transform(texts), labels)
        return model.predict_proba(features.transform(others))

    return fit


def naive_bayes(texts: Texts, labels: np.ndarray, others: Texts) -> np.ndarray:
    """Return naive-Bayes-weighted logistic regression on the presence of words to trigrams (Wang & Manning, ACL 2012)."""
    features = CountVectorizer(ngram_range=(1, 3), min_df=3, binary=True, token_pattern=WORD, dtype=np.float32)
    known = features.fit_transform(texts)
    p = 1 + np.asarray(known[labels == 1].sum(0)).ravel()
    q = 1 + np.asarray(known[labels == 0].sum(0)).ravel()
    ratio = np.log(p / p.sum() * q.sum() / q)
    model = LogisticRegression(C=1.0, solver="liblinear", dual=True, max_iter=200, tol=0.01)
    model.fit(known.multiply(ratio).tocsr(), labels)
    return model.predict_proba(features.transform(others).multiply(ratio).tocsr())


BASELINES = {
    "tf-idf + logistic regression, words": tf_idf(1),
    "tf-idf + logistic regression, words and bigrams": tf_idf(2),
    "naive-Bayes-weighted logistic regression, words to trigrams": naive_bayes,
}
