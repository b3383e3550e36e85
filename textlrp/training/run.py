"""From labelled texts to a trained model that can be written down."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from textlrp.errors import EmbeddingError, InputError, TrainingError
from textlrp.models import checkpoint
from textlrp.models.batches import predict_logits, probabilities
from textlrp.models.build import build, parameter_count
from textlrp.models.config import ModelConfig, make_config
from textlrp.models.device import device_of
from textlrp.models.storage import round_to_storage
from textlrp.text.vocabulary import Vocabulary
from textlrp.training.card import model_card, versions
from textlrp.training.curve import curve_json, curve_png
from textlrp.training.metrics import fit_temperature, measure
from textlrp.training.recipe import Recipe, choose, in_words
from textlrp.training.resume import StateFile
from textlrp.training.select import begin_with_telling_ngrams
from textlrp.training.texts import check_classes, check_labelled, number_words, split
from textlrp.training.trainer import Epoch, Labelled, fit
from textlrp.training.unlabelled import check_unlabelled, learn_first

if TYPE_CHECKING:
    from gensim.models import KeyedVectors

__all__ = ["Trained", "train"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Trained:
    """A trained model with all that its checkpoint tells; the module holds the weights as they will be stored."""

    module: nn.Module
    config: ModelConfig
    vocabulary: Vocabulary
    recipe: Recipe
    history: tuple[Epoch, ...]
    metrics: dict[str, Any]
    chosen: tuple[str, ...]
    storage: str
    seed: int
    data: str
    embeddings: str
    command: str
    state: Path | None

    def card(self, metrics: Mapping[str, Any] | None = None) -> str:
        """Return the model card as Markdown, with more `metrics` (such as {"test": …}) if there are any."""
        return model_card(
            self.config,
            self.recipe,
            {**self.metrics, **(metrics or {})},
            chosen=self.chosen,
            data=self.data,
            embeddings=self.embeddings,
            command=self.command,
            seed=self.seed,
        )

    def save(self, folder: str | os.PathLike[str], *, metrics: Mapping[str, Any] | None = None) -> None:
        """Write the checkpoint with card and learning curve, whole or not at all, then remove the state for resuming."""
        checkpoint.save(
            folder,
            self.module,
            self.config,
            self.vocabulary,
            metrics={**self.metrics, **(metrics or {})},
            card=self.card(metrics),
            storage=self.storage,
            extra={
                "curve.json": curve_json(self.history),
                "curve.png": curve_png(self.history, title=f"{self.config.arch}, seed {self.seed}"),
            },
        )
        self.forget()

    def forget(self) -> None:
        """Remove the state for resuming."""
        if self.state is not None:
            StateFile(self.state, identity="").remove()


def train(
    texts: Sequence[str],
    labels: Sequence[int] | np.ndarray,
    *,
    classes: Sequence[str],
    arch: str = "dense",
    vectors: KeyedVectors | None = None,
    validation: float | tuple[Sequence[str], Sequence[int] | np.ndarray] = 0.1,
    unlabelled: Sequence[str] = (),
    pretraining: str = "auto",
    options: Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: str | None = None,
    storage: str = "float32",
    state: str | os.PathLike[str] | None = None,
    notice: Callable[[str], None] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    data: str = "",
    embeddings: str = "",
    command: str = "",
) -> Trained:
    """Train a classifier of `classes` on `texts` with their `labels` (class indices).

    What is not given in `options` (fields of the model's configuration) and `recipe` (fields of Recipe) is chosen from the
    texts; `notice` is told what. `validation` is a share to hold out, or texts and labels. From `unlabelled` texts and the
    training texts, what needs no labels is learnt first: see `learn_first` for `pretraining`. With a `state` folder the same
    call goes on where it was stopped. Trains on a GPU where there is one, unless `device` says otherwise. `data`, `embeddings`
    and `command` are words for the model card. Raises TrainingError, InputError, EmbeddingError.

    >>> trained = train(["good film", "bad film"] * 50, [1, 0] * 50, classes=["bad", "good"])
    >>> trained.metrics["validation"]["accuracy"]
    1.0
    """
    chosen: list[str] = []

    def tell(line: str) -> None:
        chosen.append(line)
        if notice:
            notice(line)

    place = device_of(device)
    targets = check_labelled(texts, labels, classes)
    if isinstance(validation, tuple):
        check_classes(targets, classes)
        held_targets = check_labelled(validation[0], validation[1], classes)
        if not len(held_targets):
            raise TrainingError("there are no validation texts: give some, or a share of the training texts")
        kept, held = np.arange(len(targets)), len(targets) + np.arange(len(held_targets))
        every, targets = [*texts, *validation[0]], np.concatenate([targets, held_targets])
    else:
        kept, held = split(targets, share=float(validation), classes=classes, seed=seed)
        every = list(texts)
    more = check_unlabelled(unlabelled)
    free = np.concatenate([kept, len(every) + np.arange(len(more))])  # all that may be learnt from without labels
    numbered = number_words([*every, *more])
    vector_dim = int(vectors.vector_size) if vectors is not None else None
    lengths = numbered.encoded.lengths[kept]
    cuda = place.type == "cuda"
    usual, usual_options = choose(arch, lengths=lengths, classes=len(classes), vector_dim=vector_dim, cuda=cuda)
    plan = usual.replace(**(recipe or {}))
    vocabulary = numbered.vocabulary(free, min_count=plan.min_count, max_words=plan.max_words)
    wanted = {**usual_options, **(options or {})}
    config = make_config(arch, vocabulary_size=len(vocabulary), classes=tuple(classes), **wanted)
    for line in in_words(plan, wanted, lengths=lengths):
        tell(line)
    module = build(config, seed=seed)
    if vectors is not None:
        _fill(module, vectors, vocabulary, config, seed=seed)
        tell(_coverage(vectors, numbered.counts(kept)))
    folder = Path(state) if state is not None else None
    if more:
        learn_first(
            module,
            config,
            numbered.encode(free, vocabulary, max_tokens=config.max_tokens),
            vocabulary,
            pretraining=pretraining,
            given_vectors=vectors is not None,
            tokens=plan.train_tokens,
            seed=seed,
            device=place,
            state=folder,
            tell=tell,
            notice=notice,
        )
    training = Labelled(numbered.encode(kept, vocabulary, max_tokens=config.max_tokens), targets[kept])
    for table in getattr(module, "ngrams", {}).values():
        if table.selected:
            begin_with_telling_ngrams(table, training, len(classes), seed=seed)
    validated = Labelled(numbered.encode(held, vocabulary, max_tokens=config.max_tokens), targets[held])
    tell(
        f"{len(kept):,} training and {len(held):,} validation texts, {len(vocabulary):,} words, "
        f"{parameter_count(config):,} parameters, on {place.type}"
    )
    history = fit(
        module, training, validated, recipe=plan, seed=seed, device=place, state=folder, notice=notice, on_epoch=on_epoch
    )
    round_to_storage(module, storage)
    logits = predict_logits(module, validated.texts)
    config = config.replace(temperature=fit_temperature(logits, validated.labels))
    figures = {
        "validation": measure(probabilities(logits, temperature=config.temperature), validated.labels, classes=classes),
        "ece_before_temperature": measure(probabilities(logits), validated.labels, classes=classes)["ece"],
        "temperature": config.temperature,
        "training": {
            "texts": len(kept),
            **({"unlabelled": len(more)} if more else {}),
            "epochs": len(history),
            "seconds": round(math.fsum(each.seconds for each in history), 1),
            "device": place.type,
            "threads": torch.get_num_threads(),
            "seed": seed,
            "data": data,
            "embeddings": embeddings,
            "command": command,
            "versions": versions(),
        },
    }
    return Trained(
        module=module,
        config=config,
        vocabulary=vocabulary,
        recipe=plan,
        history=history,
        metrics=figures,
        chosen=tuple(chosen),
        storage=storage,
        seed=seed,
        data=data,
        embeddings=embeddings,
        command=command,
        state=folder,
    )


def _coverage(vectors: KeyedVectors, counts: Mapping[str, int]) -> str:
    """Say how much of the training texts the vectors cover."""
    from textlrp.text.vectors import coverage

    return str(coverage(vectors, counts))


def _fill(module: nn.Module, vectors: KeyedVectors, vocabulary: Vocabulary, config: ModelConfig, *, seed: int) -> None:
    """Begin with ready word vectors."""
    from textlrp.text.vectors import embedding_matrix

    if vectors.vector_size != config.embedding_dim:
        raise EmbeddingError(
            f"the word vectors have {vectors.vector_size} dimensions, embedding_dim is {config.embedding_dim}: "
            "leave embedding_dim out"
        )
    table = getattr(module, "embedding", None)
    if not isinstance(table, nn.Embedding):
        raise InputError(f"the architecture {config.arch!r} has no table of word vectors to begin with")
    with torch.no_grad():
        table.weight.copy_(torch.from_numpy(embedding_matrix(vocabulary, vectors, seed=seed)))
        table.weight[0] = 0.0
