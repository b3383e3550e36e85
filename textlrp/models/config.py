"""What a model is: one frozen record per architecture, checked when it is made, written to and read from JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from textlrp.errors import InputError, unknown_name
from textlrp.models import checks
from textlrp.models.checks import Check

__all__ = [
    "ARCHITECTURES",
    "ConvolutionalConfig",
    "DenseConfig",
    "ModelConfig",
    "NGramConfig",
    "RecurrentConfig",
    "make_config",
]


def _field(check: Check, **default: Any) -> Any:
    return dataclasses.field(metadata={"check": check}, **default)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """What every architecture has; the base of the records below, which are what is used.

    `pooling` names how the vectors of the tokens become one (several are put side by side), `hidden` the sizes of the layers
    between that and the logits. `max_tokens` is how far a text is read (None: to its end). `temperature` divides the logits
    before the softmax and changes no logit. `dropout` and `word_dropout` act in training only.
    """

    arch: str
    vocabulary_size: int = _field(checks.whole(2, 10_000_000))
    classes: tuple[str, ...] = _field(checks.class_names)
    embedding_dim: int = _field(checks.whole(1, 4_096), default=100)
    hidden: tuple[int, ...] = _field(checks.wholes(1, 16_384, most=8), default=())
    dropout: float = _field(checks.number(0.0, 0.95), default=0.5)
    word_dropout: float = _field(checks.number(0.0, 0.95), default=0.0)
    max_tokens: int | None = _field(checks.optional(checks.whole(1, 10_000_000)), default=None)
    temperature: float = _field(checks.number(1e-3, 1e3), default=1.0)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if "check" in field.metadata:
                object.__setattr__(self, field.name, field.metadata["check"](field.name, getattr(self, field.name)))

    def replace(self, **changes: Any) -> ModelConfig:
        """Return a copy with some fields changed, checked again."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON knows them."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in dataclasses.asdict(self).items()}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> ModelConfig:
        """Make the configuration that `to_dict` wrote; unknown, missing or impossible fields are refused with an InputError.

        >>> config = make_config("dense", vocabulary_size=10, classes=["bad", "good"], hidden=[4])
        >>> ModelConfig.from_dict(config.to_dict()) == config
        True
        """
        if not isinstance(values, Mapping) or "arch" not in values:
            raise InputError("the configuration of a model must be an object with the field 'arch'")
        return make_config(**values)


@dataclass(frozen=True, kw_only=True)
class NGramConfig(ModelConfig):
    """Pooled vectors of n-grams beside the other features, if `ngrams` names their lengths; 1 is that of a word.

    N-grams are hashed into `ngram_buckets` rows, or, with `ngram_selected`, only chosen ones have a row, each its own. With
    `once`, a word or n-gram counts once in a mean or root, however often it comes: each of its c occurrences counts 1/c.
    """

    once: bool = _field(checks.flag, default=False)
    ngrams: tuple[int, ...] = _field(checks.wholes(1, 5, most=5), default=())
    ngram_buckets: int = _field(checks.whole(2, 50_000_000), default=262_144)
    ngram_dim: int = _field(checks.whole(1, 1_024), default=16)
    ngram_selected: bool = _field(checks.flag, default=False)
    ngram_pooling: tuple[str, ...] = _field(checks.choices("mean", "max", "root"), default=("root",))

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.ngrams)) < len(self.ngrams):
            raise InputError(f"ngrams names the same length twice: {list(self.ngrams)}; name each once")


@dataclass(frozen=True, kw_only=True)
class DenseConfig(NGramConfig):
    """A dense network over pooled word vectors, and over n-grams; see NGramConfig."""

    arch: str = _field(checks.choice("dense"), default="dense")
    pooling: tuple[str, ...] = _field(checks.choices("mean", "max", "root"), default=("mean",))


@dataclass(frozen=True, kw_only=True)
class RecurrentConfig(NGramConfig):
    """An LSTM or GRU of `units` per direction over word vectors; n-grams may join it before the dense layers."""

    arch: str = _field(checks.choice("lstm", "gru"), default="lstm")
    pooling: tuple[str, ...] = _field(checks.choices("mean", "max", "root", "last"), default=("max",))
    units: int = _field(checks.whole(1, 8_192), default=128)
    layers: int = _field(checks.whole(1, 16), default=1)
    bidirectional: bool = _field(checks.flag, default=True)


@dataclass(frozen=True, kw_only=True)
class ConvolutionalConfig(ModelConfig):
    """Convolutions of several `widths` with `channels` filters each over word vectors, pooled over the text."""

    arch: str = _field(checks.choice("cnn"), default="cnn")
    pooling: tuple[str, ...] = _field(checks.choices("mean", "max"), default=("max",))
    widths: tuple[int, ...] = _field(checks.wholes(1, 64, least=1, most=8), default=(3, 4, 5))
    channels: int = _field(checks.whole(1, 8_192), default=128)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.widths)) < len(self.widths):
            raise InputError(f"widths names the same width twice: {list(self.widths)}; name each once")


_RECORDS: dict[str, type[ModelConfig]] = {
    "dense": DenseConfig,
    "lstm": RecurrentConfig,
    "gru": RecurrentConfig,
    "cnn": ConvolutionalConfig,
}
ARCHITECTURES = tuple(_RECORDS)


def make_config(arch: str, **options: Any) -> ModelConfig:
    """Make the configuration of the architecture `arch`, naming any option that it does not have.

    >>> make_config("lstm", vocabulary_size=10, classes=["bad", "good"]).units
    128
    """
    if not isinstance(arch, str) or arch not in _RECORDS:
        raise unknown_name("arch", arch if isinstance(arch, str) else type(arch).__name__, ARCHITECTURES)
    record = _RECORDS[arch]
    fields = {field.name: field for field in dataclasses.fields(record)}
    for name in options:
        if name not in fields:
            raise unknown_name(f"option of the architecture {arch!r}", name, fields)
    needed = [name for name, field in fields.items() if field.default is dataclasses.MISSING and name not in options]
    if needed := [name for name in needed if name != "arch"]:
        raise InputError(f"the architecture {arch!r} needs the option {needed[0]!r}")
    return record(arch=arch, **options)
