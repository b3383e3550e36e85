"""A trained model as a folder: weights, configuration, vocabulary, measurements and a card. Nothing in it is pickled."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from textlrp.errors import CheckpointError, InputError, TextLRPError
from textlrp.files import atomic_folder, is_folder, write_bytes, write_json, write_text
from textlrp.models.build import MOST_PARAMETERS, parameter_count, skeleton
from textlrp.models.config import ModelConfig
from textlrp.models.storage import expected_tensors, from_stored, to_stored
from textlrp.models.untrusted import check_tensors, member, read_object
from textlrp.text.vocabulary import Vocabulary

__all__ = ["Checkpoint", "check_target", "is_checkpoint", "load", "save"]

_FORMAT, _VERSION = "textlrp-model", 1
_WEIGHTS, _CONFIG, _VOCABULARY, _METRICS, _CARD = (
    "model.safetensors",
    "config.json",
    "vocabulary.json",
    "metrics.json",
    "README.md",
)
_FILES = (_WEIGHTS, _CONFIG, _VOCABULARY, _METRICS, _CARD)


@dataclass(frozen=True, eq=False, kw_only=True)
class Checkpoint:
    """A model that was read from its folder; the module is in evaluation mode and holds exactly the stored weights."""

    module: nn.Module
    config: ModelConfig
    vocabulary: Vocabulary
    metrics: dict[str, Any] = field(default_factory=dict)
    card: str = ""
    storage: str = "float32"


def save(
    folder: str | os.PathLike[str],
    module: nn.Module,
    config: ModelConfig,
    vocabulary: Vocabulary,
    *,
    metrics: Mapping[str, Any] | None = None,
    card: str = "",
    storage: str = "float32",
    extra: Mapping[str, bytes] | None = None,
) -> None:
    """Write a checkpoint, whole or not at all; an older checkpoint of that name is replaced, any other folder is refused.

    `storage` is "float32", "float16", or "int8" (tables of vectors in 8 bits, the rest in float16); see `round_to_storage`.
    `extra` names further files, such as a learning curve, with their bytes.
    """
    from safetensors.torch import save as serialised

    target = Path(folder)
    check_target(target)
    if len(vocabulary) != config.vocabulary_size:
        raise InputError(
            f"the vocabulary has {len(vocabulary):,} words, the model {config.vocabulary_size:,}: use the model's own"
        )
    tensors = to_stored(module, storage)
    if {name: tuple(each.shape) for name, each in tensors.items()} != {
        name: shape for name, (_, shape) in expected_tensors(config, storage).items()
    }:
        raise InputError("the module is not one that the configuration builds: save it with its own configuration")
    with atomic_folder(target) as part:
        try:
            write_bytes(part / _WEIGHTS, serialised(tensors))
        except OSError as error:  # such as a full disk
            raise CheckpointError(f"the weights cannot be written to {str(target)!r} ({error}): make room there") from None
        write_json(part / _CONFIG, {"format": _FORMAT, "version": _VERSION, "storage": storage, "model": config.to_dict()})
        vocabulary.save(part / _VOCABULARY)
        write_json(part / _METRICS, dict(metrics or {}))
        write_text(part / _CARD, card)
        for name, data in (extra or {}).items():
            if name in _FILES or Path(name).name != name:
                raise InputError(f"{name!r} cannot be the name of an extra file of a checkpoint: choose a plain, unused name")
            (part / name).write_bytes(data)


def load(folder: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint that anybody may have made.

    Files and tensors are compared with the configuration before memory is taken for them; other files in the folder are not
    opened. Raises CheckpointError, which names the file at fault and the next step.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    source = Path(folder)
    if not is_folder(source):
        raise CheckpointError(
            f"there is no checkpoint folder {str(source)!r}: give the folder that `textlrp train --out` wrote"
        )
    config, storage = _read_config(source)
    words = member(source, _VOCABULARY, most_bytes=1_000_000 + 1_000 * config.vocabulary_size)
    weights = member(source, _WEIGHTS, most_bytes=4 * MOST_PARAMETERS + 10_000_000)
    check_tensors(weights, expected_tensors(config, storage))
    metrics = read_object(member(source, _METRICS, most_bytes=16_000_000))
    card = member(source, _CARD, most_bytes=4_000_000).read_text(encoding="utf-8", errors="replace")
    try:
        vocabulary = Vocabulary.load(words)
    except TextLRPError as error:
        raise CheckpointError(f"the vocabulary of the checkpoint {str(source)!r} is damaged: {error}") from error
    if len(vocabulary) != config.vocabulary_size:
        raise CheckpointError(
            f"{str(words)!r} has {len(vocabulary):,} words; {_CONFIG} asks for {config.vocabulary_size:,}: "
            "the files belong to different checkpoints; copy the whole folder again"
        )
    try:
        tensors = load_file(weights)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{str(weights)!r} cannot be read ({error}): copy or train the checkpoint again") from None
    module = skeleton(config)
    module.load_state_dict(from_stored(tensors), assign=True)
    module.requires_grad_(True)
    return Checkpoint(module=module.eval(), config=config, vocabulary=vocabulary, metrics=metrics, card=card, storage=storage)


def check_target(folder: str | os.PathLike[str]) -> None:
    """Refuse what `save` does not replace: a file, and a folder that is neither empty nor a checkpoint."""
    target = Path(folder)
    if target.exists() and not target.is_dir():
        raise InputError(f"cannot write the folder {str(target)!r}: it is a file; give another name")
    if target.is_dir() and any(target.iterdir()) and not is_checkpoint(target):
        raise InputError(f"the folder {str(target)!r} exists and is not a checkpoint: choose another, or empty it first")


def is_checkpoint(folder: str | os.PathLike[str]) -> bool:
    """Tell whether a folder looks like a checkpoint of textlrp: its config.json says so."""
    try:
        return read_object(member(Path(folder), _CONFIG, most_bytes=16_000_000)).get("format") == _FORMAT
    except CheckpointError:
        return False


def _read_config(source: Path) -> tuple[ModelConfig, str]:
    if not (source / _CONFIG).exists():
        foreign = sorted(
            each.name for each in source.iterdir() if each.suffix in {".pt", ".pth", ".bin", ".pkl", ".h5", ".ckpt"}
        )
        found = f"; {foreign[0]!r} is never opened, because such files can run code" if foreign else ""
        raise CheckpointError(
            f"{str(source)!r} is not a checkpoint of textlrp: it has no file {_CONFIG!r}{found}. "
            "Give a folder that `textlrp train --out` wrote"
        )
    path = member(source, _CONFIG, most_bytes=16_000_000)
    values = read_object(path)
    if values.get("format") != _FORMAT:
        raise CheckpointError(
            f"{str(path)!r} is not the configuration of a textlrp model: give a folder that `textlrp train` wrote"
        )
    version = values.get("version")
    if type(version) is not int or version != _VERSION:
        known = f"this version of textlrp reads version {_VERSION}; install a newer textlrp, or train again"
        raise CheckpointError(f"{str(path)!r} has the format version {str(version)[:20]!r}: {known}")
    try:
        config = ModelConfig.from_dict(values.get("model", {}))
        storage = values.get("storage", "float32")
        expected_tensors(config, storage)
        count = parameter_count(config)
    except InputError as error:
        raise CheckpointError(f"{str(path)!r} does not describe a model: {error}. Copy or train the checkpoint again") from None
    if count > MOST_PARAMETERS:
        raise CheckpointError(
            f"{str(path)!r} asks for {count:,} parameters; at most {MOST_PARAMETERS:,} are read: it is not ours"
        )
    return config, storage
