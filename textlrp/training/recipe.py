"""How a model is trained, and the recipe that suits the texts at hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from textlrp.errors import unknown_name
from textlrp.models import checks
from textlrp.models.config import ARCHITECTURES

__all__ = ["Recipe", "choose", "in_words"]


def _field(check: checks.Check, default: Any) -> Any:
    return dataclasses.field(metadata={"check": check}, default=default)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The numbers of a training, checked when it is made.

    `patience` epochs without a better validation accuracy stop it (0: never); `warmup` is the share of all steps in which the
    learning rate rises; `clip` bounds the norm of the gradient (0: not); `train_tokens` cuts texts in training only;
    `min_count` and `max_words` cut the vocabulary.
    """

    epochs: int = _field(checks.whole(1, 10_000), 10)
    patience: int = _field(checks.whole(0, 10_000), 2)
    batch_size: int = _field(checks.whole(1, 100_000), 64)
    learning_rate: float = _field(checks.number(1e-8, 10.0), 1e-3)
    weight_decay: float = _field(checks.number(0.0, 10.0), 0.0)
    warmup: float = _field(checks.number(0.0, 0.9), 0.05)
    clip: float = _field(checks.number(0.0, 1e6), 1.0)
    label_smoothing: float = _field(checks.number(0.0, 0.9), 0.0)
    train_tokens: int | None = _field(checks.optional(checks.whole(1, 10_000_000)), None)
    min_count: int = _field(checks.whole(1, 1_000_000), 2)
    max_words: int = _field(checks.whole(1, 5_000_000), 100_000)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, field.metadata["check"](field.name, getattr(self, field.name)))

    def replace(self, **changes: Any) -> Recipe:
        """Return a copy with some numbers changed; an unknown name is refused.

        >>> Recipe().replace(epochs=3).epochs
        3
        """
        known = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                raise unknown_name("training option", name, known)
        return dataclasses.replace(self, **changes)


def choose(
    arch: str, *, lengths: np.ndarray, classes: int = 2, vector_dim: int | None = None, cuda: bool = False
) -> tuple[Recipe, dict[str, Any]]:
    """Choose the recipe and the model's options for training `arch` on texts of these `lengths` (tokens of each, int64 [n]).

    `vector_dim` is the dimension of ready word vectors, None without; `cuda` says that a GPU will train.

    >>> choose("dense", lengths=np.full(25_000, 260))[0].batch_size
    64
    """
    if arch not in ARCHITECTURES:
        raise unknown_name("arch", arch, ARCHITECTURES)
    texts, tokens = len(lengths), int(lengths.sum())
    slow = arch in ("lstm", "gru")
    reach = {"dense": (99.9, 5_000), "cnn": (99.0, 2_000)}.get(arch, (98.0, 1_000))
    limit = _limit(lengths, *reach)
    cut = min(limit, _limit(lengths, 95.0, 400)) if slow else limit
    batch = _batch_size(texts, cuda=cuda)
    epochs = _epochs(texts)
    min_count = 1 if texts < 500 else 2 if tokens < 2_000_000 else 3 if tokens < 20_000_000 else 5
    recipe = Recipe(
        epochs=epochs,
        patience=3 if texts < 20_000 else 2,
        batch_size=batch,
        learning_rate={"dense": 1e-3, "cnn": 1e-3}.get(arch, 2e-3),
        weight_decay=0.0 if arch == "dense" else 1e-4,
        train_tokens=cut,
        min_count=min_count,
        max_words=100_000,
    )
    options: dict[str, Any] = {"max_tokens": limit, "embedding_dim": vector_dim or (100 if texts >= 5_000 else 50)}
    rows = 2 ** int(np.clip(np.log2(max(tokens, 1)) - 4, 12, 17))
    ngrams = {"ngram_selected": True, "ngram_buckets": rows, "ngram_dim": 1 if classes == 2 else min(classes, 16)}
    if arch == "dense":
        options |= {"pooling": ("mean",), "ngrams": (2, 3)} | ngrams
        # measured on IMDB: with 2,000 texts a hidden layer costs 1.5 points, with 25,000 it costs none
        options |= {"hidden": (), "dropout": 0.2, "word_dropout": 0.5} if texts < 20_000 else {}
        options |= {"hidden": (64,), "dropout": 0.5, "word_dropout": 0.2} if texts >= 20_000 else {}
    elif arch == "cnn":
        options |= {"widths": (2, 3, 4), "channels": 128, "dropout": 0.4, "word_dropout": 0.1}
    else:
        options |= {"units": 128 if texts >= 5_000 else 64, "dropout": 0.4, "word_dropout": 0.1, "pooling": ("max",)}
        # measured on IMDB with 2,000 texts: words and n-grams beside the LSTM bring nearly 6 points
        options |= {"ngrams": (1, 2, 3), "once": True} | ngrams
    return recipe, options


def in_words(recipe: Recipe, options: Mapping[str, Any], *, lengths: np.ndarray) -> tuple[str, ...]:
    """Say what was chosen for training texts of these `lengths`, a line for each thing."""
    limit, cut = options.get("max_tokens"), recipe.train_tokens
    reads = "reads every text to its end"
    if limit is not None:
        share = float(np.mean(lengths <= limit)) if len(lengths) else 1.0
        reads = f"reads {limit:,} tokens of a text, which is all of {share:.1%} of the {len(lengths):,} texts"
    if cut is not None and (limit is None or cut < limit):
        reads += f"; trains on the first {cut:,}"
    model = ", ".join(f"{name} {value}" for name, value in options.items() if name != "max_tokens")
    stops = (
        f"stops after {recipe.patience} epochs without a better validation accuracy" if recipe.patience else "never stops early"
    )
    return (
        f"model: {model}",
        reads,
        f"keeps words seen at least {recipe.min_count} times, {recipe.max_words:,} at most",
        f"at most {recipe.epochs} epochs of batches of {recipe.batch_size}, learning rate {recipe.learning_rate:g}; {stops}",
    )


def _limit(lengths: np.ndarray, percentile: float, most: int) -> int:
    """Return the length that so many per cent of the texts do not exceed, from 32 to `most`."""
    longest = float(np.percentile(lengths, percentile)) if len(lengths) else 0.0
    return int(np.clip(np.ceil(longest), 32, most))


def _batch_size(texts: int, *, cuda: bool) -> int:
    """Return a batch size that gives at least some hundred steps an epoch where there are texts for that, from 8 to 256."""
    size = 2 ** int(np.clip(np.log2(max(texts, 1) / 150), 3, 6 if texts < 100_000 else 7))
    return size * 2 if cuda and texts >= 100_000 else size


def _epochs(texts: int) -> int:
    """Return how many epochs suit: many for few texts, few for many."""
    most = 8
    if texts < 1_000:
        return 3 * most
    if texts < 5_000:
        return 2 * most
    return most if texts < 100_000 else max(most // 2, 3)
