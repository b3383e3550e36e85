"""Hostile texts for whatever is drawn."""

from __future__ import annotations

import numpy as np

from textlrp.explanation import Explanation
from textlrp.text.tokens import tokenise


def explained(text: str, *, strength: float = 1.0, seed: int = 0) -> Explanation:
    """Explain a text by random relevances, every seventh word unknown."""
    tokens = tuple(tokenise(text))
    relevance = strength * np.random.default_rng(seed).normal(size=len(tokens))
    return Explanation(
        text,
        tokens,
        relevance,
        "positive",
        float(relevance.sum()),
        {"words": float(relevance.sum()), "bias": 0.0},
        prediction="positive",
        probabilities={"negative": 0.2, "positive": 0.8},
        known=tuple(i % 7 != 3 for i in range(len(tokens))),
        model="m<b>",
        rule="epsilon",
        gates="all",
    )
