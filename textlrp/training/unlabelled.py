"""What texts without labels are good for: word vectors, or a language model for a recurrent classifier."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from textlrp.errors import InputError, unknown_name
from textlrp.models.batches import Encoded
from textlrp.models.config import ModelConfig, RecurrentConfig
from textlrp.models.recurrent import Recurrent
from textlrp.text.vocabulary import Vocabulary
from textlrp.training.pretraining import choose_pretraining, pretrain
from textlrp.training.resume import StateFile

__all__ = ["PRETRAININGS", "check_unlabelled", "learn_first"]

PRETRAININGS = ("auto", "vectors", "language-model")

_EPOCHS = 5  # of word2vec


def check_unlabelled(texts: Sequence[str]) -> list[str]:
    """Return the texts as a list; what is no text is refused by its position.

    >>> check_unlabelled(("some text",))
    ['some text']
    """
    if isinstance(texts, str):
        raise InputError("unlabelled takes a list of texts, not one string")
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(
                f"unlabelled text {position} is a {type(text).__name__}, not a string; convert it, or leave it out"
            )
    return list(texts)


def learn_first(
    module: nn.Module,
    config: ModelConfig,
    texts: Encoded,
    vocabulary: Vocabulary,
    *,
    pretraining: str = "auto",
    given_vectors: bool,
    tokens: int | None,
    seed: int,
    device: torch.device,
    state: Path | None,
    tell: Callable[[str], None],
    notice: Callable[[str], None] | None,
) -> None:
    """Let `module` learn from `texts` without looking at labels, before it learns those; `tell` is told what is done.

    `pretraining` is "vectors" (word2vec trained on the texts, whatever the architecture), "language-model" (`pretrain`: for an
    LSTM or GRU of one layer, also with given vectors) or "auto": vectors, unless some are given. A language model of few epochs
    on some thousands of texts has not helped an LSTM on IMDB (reports/models.md). With a `state` folder it goes on where it
    was stopped.
    """
    if pretraining not in PRETRAININGS:
        raise unknown_name("pretraining", pretraining, PRETRAININGS)
    if pretraining == "vectors" and given_vectors:
        raise InputError("word vectors are given, so none are trained: leave them out, or leave out pretraining='vectors'")
    count = f"{len(texts):,} texts, {int(texts.lengths.sum()):,} tokens"
    if pretraining == "language-model":
        if not isinstance(module, Recurrent) or not isinstance(config, RecurrentConfig) or config.layers > 1:
            raise InputError("a language model needs an LSTM or GRU of one layer: choose pretraining='vectors' or arch='lstm'")
        plan = choose_pretraining(texts.lengths, tokens=tokens, cuda=device.type == "cuda")
        part = "" if plan.share == 1.0 else f"{plan.share:.1%} of them, "
        tell(
            f"pre-trains as a language model on labelled and unlabelled texts together ({count}): {part}{plan.epochs} epochs "
            f"of batches of {plan.batch_size}, learning rate {plan.learning_rate:g}, {plan.negatives:,} sampled words"
        )
        pretrain(module, texts, plan=plan, seed=seed, device=device, state=state, notice=notice)
    elif given_vectors:
        tell("the unlabelled texts add their words to the vocabulary, and no more, since word vectors are given")
    else:
        tell(f"trains word vectors (word2vec, {_EPOCHS} epochs) on labelled and unlabelled texts together ({count})")
        _begin_with_vectors(module, config, texts, vocabulary, seed=seed, state=state, notice=notice)


def _begin_with_vectors(
    module: nn.Module,
    config: ModelConfig,
    texts: Encoded,
    vocabulary: Vocabulary,
    *,
    seed: int,
    state: Path | None,
    notice: Callable[[str], None] | None,
) -> None:
    from textlrp.text.vectors import embedding_matrix
    from textlrp.text.vectors_train import train_sentences

    table = getattr(module, "embedding", None)
    if not isinstance(table, nn.Embedding):
        raise InputError(f"the architecture {config.arch!r} has no table of word vectors to begin with")
    digest = hashlib.sha256(json.dumps([config.to_dict(), seed, _EPOCHS, vocabulary.words]).encode())
    for each in (texts.flat, texts.offsets):
        digest.update(np.ascontiguousarray(each).tobytes())
    file = StateFile(state, identity=digest.hexdigest(), name="pretraining") if state is not None else None
    found = file.read() if file else None
    if found is None:
        sentences = [
            [vocabulary.words[number] for number in text if number > 1] for text in map(texts.__getitem__, range(len(texts)))
        ]
        vectors = train_sentences(sentences, dimension=table.embedding_dim, min_count=1, epochs=_EPOCHS, seed=seed)
        matrix = torch.from_numpy(embedding_matrix(vocabulary, vectors, seed=seed))
        if file:
            file.write({"embedding": matrix}, {})
    else:
        matrix = found[0]["embedding"]
        if notice and file:
            notice(f"word vectors are trained already, taken from {str(file.folder)!r}")
    with torch.no_grad():
        table.weight.copy_(matrix)
        table.weight[0] = 0.0
