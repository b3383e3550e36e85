"""TextClassifier: texts in, predictions or Explanations out; scikit-learn's estimator interface."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from textlrp.encoding import check_texts, read, windows
from textlrp.errors import CheckpointError, InputError, unknown_name
from textlrp.estimator import Classes, Estimator
from textlrp.files import exists, is_folder
from textlrp.garbage import uncollected
from textlrp.resources import bundled

if TYPE_CHECKING:
    import torch

    from textlrp.explaining import Rule
    from textlrp.explanation import Explanation
    from textlrp.targets import Target
    from textlrp.text.vocabulary import Vocabulary

__all__ = ["TextClassifier", "bundled_models", "load"]

WINDOW = 2048  # texts that are sorted by length together


def bundled_models() -> list[str]:
    """Return the names of the models that ship with textlrp."""
    folder = bundled("models")
    return sorted(each.name for each in folder.iterdir() if (each / "config.json").is_file()) if folder.is_dir() else []


def load(name: str | os.PathLike[str]) -> TextClassifier:
    """Load a bundled model by its name, or a checkpoint by its folder; nothing is fetched and nothing is unpickled.

    Raises `UnknownNameError` where there is neither, `CheckpointError` where the folder is incomplete, damaged or not ours.

    >>> load("imdb-dense").classes_
    ['negative', 'positive']
    """
    from textlrp.models.checkpoint import load as load_checkpoint

    folder = Path(name)
    if not is_folder(folder):
        known = bundled_models()
        if str(name) in known:
            folder = bundled("models", str(name))
        elif os.sep in str(name) or exists(folder):
            raise CheckpointError(f"{str(name)!r} is no checkpoint folder; give the folder that `textlrp train --out` wrote")
        else:
            raise unknown_name("model", name, [*known, "or a checkpoint folder"])
    return TextClassifier._from_checkpoint(load_checkpoint(folder), name=str(name))


class TextClassifier(Estimator):
    """A text classifier that can be trained, asked and explained; it follows scikit-learn's estimator interface.

    Parameters are kept as they are given and used by `fit`; what is None is chosen from the data (`chosen_` then says what).

    - `arch`: "dense", "lstm", "gru" or "cnn"; `model_options`: further options of that architecture (a dict).
    - `embeddings`: a vector file, a set named in gensim's downloader, a `KeyedVectors`, or None (learnt from the texts alone).
    - `epochs`, `batch_size`, `learning_rate`, `max_tokens`, `min_count`: the recipe.
    - `validation`: the share of the texts that is set aside, stratified, to stop early and to keep the best weights.
    - `seed`: all randomness; `device`: "cpu", "cuda" or None for the best there is.

    `clone`, `cross_val_score`, `Pipeline` and `GridSearchCV` of scikit-learn work with it.

    >>> texts = ["a fine film", "a dull film"] * 20
    >>> classifier = TextClassifier("dense", epochs=20, validation=0.2).fit(texts, ["good", "bad"] * 20)
    >>> classifier.predict(["fine"]).tolist()
    ['good']
    """

    module_: torch.nn.Module
    vocabulary_: Vocabulary
    config_: Any
    classes_: Classes
    metrics_: dict[str, Any]

    def __init__(
        self,
        arch: str = "dense",
        *,
        embeddings: Any = None,
        model_options: dict[str, Any] | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        max_tokens: int | None = None,
        min_count: int | None = None,
        validation: float = 0.1,
        seed: int = 0,
        device: str | None = None,
    ) -> None:
        self.arch = arch
        self.embeddings = embeddings
        self.model_options = model_options
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.max_tokens = max_tokens
        self.min_count = min_count
        self.validation = validation
        self.seed = seed
        self.device = device

    # ------------------------------------------------------------------ training and checkpoints

    def fit(self, texts: Iterable[str], labels: Sequence[Any], **how: Any) -> TextClassifier:
        """Train on texts and their labels (any names or numbers); the best weights on the validation part are kept.

        `how` goes to `textlrp.training.train`: `unlabelled` (more texts, to be learnt from before the labels), `state` (a
        folder that makes the training resumable), `notice`, `on_epoch`…
        Raises `TrainingError` where there is only one class.
        """
        from textlrp.training import train

        listed = check_texts(texts)
        classes, numbers = _classes_of(labels)
        if len(numbers) != len(listed):
            raise InputError(f"{len(listed)} texts but {len(numbers)} labels; give one label a text")
        recipe = {"epochs": self.epochs, "batch_size": self.batch_size, "learning_rate": self.learning_rate}
        recipe["min_count"] = self.min_count
        options = {**(self.model_options or {}), "max_tokens": self.max_tokens}
        how.setdefault("validation", self.validation)
        trained = train(
            listed,
            numbers,
            classes=[str(each) for each in classes],
            arch=self.arch,
            vectors=self._vectors(),
            options={name: value for name, value in options.items() if value is not None},
            recipe={name: value for name, value in recipe.items() if value is not None},
            seed=self.seed,
            device=self.device,
            **how,
        )
        self._take(trained.module, trained.config, trained.vocabulary, trained.metrics, name="(not saved)", card=trained.card())
        self.classes_ = Classes(classes)
        self.chosen_ = trained.chosen
        self.trained_ = trained
        return self

    def _vectors(self) -> Any:
        if self.embeddings is None or hasattr(self.embeddings, "key_to_index"):
            return self.embeddings
        from textlrp.text.vectors import load_vectors

        return load_vectors(self.embeddings)

    def _take(self, module: Any, config: Any, vocabulary: Any, metrics: Any, *, name: str, card: str) -> None:
        self.module_ = module.eval()
        self.config_ = config
        self.vocabulary_ = vocabulary
        self.metrics_ = metrics
        self.classes_ = Classes(config.classes)
        self.name_ = name
        self.card_ = card

    @classmethod
    def _from_checkpoint(cls, checkpoint: Any, *, name: str) -> TextClassifier:
        classifier = cls(checkpoint.config.arch)
        classifier._take(
            checkpoint.module, checkpoint.config, checkpoint.vocabulary, checkpoint.metrics, name=name, card=checkpoint.card
        )
        return classifier

    def save(self, folder: str | os.PathLike[str], *, storage: str = "float32") -> None:
        """Write the checkpoint folder that `textlrp.load` opens (safetensors, JSON, a model card), whole or not at all."""
        from textlrp.models.checkpoint import save

        self._check_fitted()
        save(folder, self.module_, self.config_, self.vocabulary_, metrics=self.metrics_, card=self.card_, storage=storage)

    # ------------------------------------------------------------------ prediction

    @property
    def module(self) -> torch.nn.Module:
        """The network, a `torch.nn.Module`: `forward(ids [B,T] int64, lengths [B] int64) -> logits [B,C]`."""
        self._check_fitted()
        return self.module_

    @property
    def vocabulary(self) -> Vocabulary:
        """The words that the network knows."""
        self._check_fitted()
        return self.vocabulary_

    def _check_fitted(self) -> None:
        if not hasattr(self, "module_"):
            from sklearn.exceptions import NotFittedError

            raise NotFittedError(
                "this TextClassifier is not trained yet; call fit(texts, labels), or load one with textlrp.load"
            )

    def logits(self, texts: Iterable[str]) -> np.ndarray:
        """Return the logits [n, C] of texts, float32, in their order; NumericalError names those where they are not finite."""
        from textlrp.finite import check_finite
        from textlrp.models.batches import encode, predict_logits

        self._check_fitted()
        encoded = encode(check_texts(texts), self.vocabulary_, max_tokens=self.config_.max_tokens)
        found = predict_logits(self.module_, encoded).reshape(-1, len(self.classes_))
        check_finite("logits", found)
        return found

    def predict_proba(self, texts: Iterable[str]) -> np.ndarray:
        """Return the probability of each class [n, C], calibrated by the temperature that was fitted on validation texts."""
        from textlrp.models.batches import probabilities

        return probabilities(self.logits(texts), temperature=self.config_.temperature)

    def predict(self, texts: Iterable[str]) -> np.ndarray:
        """Return the most probable class of each text [n], by its name."""
        winners = self.logits(texts).argmax(axis=1)
        return np.asarray(self.classes_.tolist())[winners]

    # ------------------------------------------------------------------ explanation

    def explain(self, text: str, target: Target = "predicted", rule: Rule = "default", *, gates: str = "all") -> Explanation:
        """Explain one text: the relevance of each of its tokens for the target's score.

        `target` is "predicted", "margin" (of two classes the second minus the first, else the winner minus the best other),
        a class name or index, or a pair of them; `rule` "default" (the most faithful one of the architecture), another name
        (`textlrp models --rules`), an `lrp` rule or composite; `gates` who takes the relevance of gated products.

        >>> e = load("imdb-dense").explain("A warm, funny film.", target="positive")
        >>> abs(sum(e.ledger.values()) - e.score) < 1e-4 * max(1, abs(e.score))
        True
        """
        if not isinstance(text, str):
            raise InputError(f"the text is a {type(text).__name__}, not a str; explain_many takes a list of texts")
        return self.explain_many([text], target=target, rule=rule, gates=gates)[0]

    def explain_many(
        self,
        texts: Iterable[str],
        batch_size: int = 256,
        *,
        target: Target = "predicted",
        rule: Rule = "default",
        gates: str = "all",
    ) -> list[Explanation]:
        """Explain texts, in their order, in batches of like length: at most `batch_size` texts and 16,384 tokens."""
        stream = self.explain_stream(check_texts(texts), batch_size, target=target, rule=rule, gates=gates)
        return list(stream)

    def explain_stream(
        self,
        texts: Iterable[str],
        batch_size: int = 256,
        *,
        target: Target = "predicted",
        rule: Rule = "default",
        gates: str = "all",
    ) -> Iterator[Explanation]:
        """Explain a stream of texts, yielding Explanations in their order; memory stays flat however many there are."""
        from textlrp.explaining import explain_batch
        from textlrp.models.batches import length_batches

        self._check_fitted()
        if batch_size < 1:
            raise InputError(f"batch_size must be at least 1, not {batch_size}")
        before = 0
        for window in windows(texts, size=max(WINDOW, batch_size)):
            with uncollected():
                readings = [read(text, self.vocabulary_, max_tokens=self.config_.max_tokens) for text in window]
                done: dict[int, Explanation] = {}
                for batch in length_batches(np.array([len(each.ids) for each in readings]), most_texts=batch_size):
                    explanations = explain_batch(
                        self.module_,
                        [readings[i] for i in batch],
                        config=self.config_,
                        classes=self.classes_,
                        target=target,
                        rule=rule,
                        gates=gates,
                        model=self.name_,
                        places=batch + before,
                    )
                    done.update(zip(batch.tolist(), explanations, strict=True))
            yield from (done[i] for i in range(len(readings)))
            before += len(readings)


def _classes_of(labels: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """Return the classes in order (numbers by size, names by alphabet) and each label's number among them."""
    plain = [label.item() if isinstance(label, np.generic) else label for label in labels]
    try:
        classes = sorted(set(plain))
    except TypeError as error:
        raise InputError("labels must be all names or all numbers; they are mixed, missing or of another kind") from error
    index = {label: i for i, label in enumerate(classes)}
    return classes, [index[label] for label in plain]
