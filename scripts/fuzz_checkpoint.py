"""What is fuzzed of checkpoints: a sound one with one of its files replaced."""

from __future__ import annotations

import json
import shutil
import struct
from functools import lru_cache
from typing import Any

import numpy as np
from fuzz_records import folder
from hypothesis import strategies as st

from textlrp.models.config import ARCHITECTURES

__all__ = ["checkpoint", "checkpoint_seeds", "generated_checkpoints", "sound_checkpoints"]

FILES = ("config.json", "model.safetensors", "vocabulary.json", "metrics.json", "README.md")
STORED = ("float32", "float16", "int8")


@lru_cache(maxsize=1)
def sound_checkpoints() -> list[dict[str, bytes]]:
    """The files of small sound checkpoints of every architecture and storage."""
    from textlrp.models import checkpoint
    from textlrp.models.build import build
    from textlrp.models.config import make_config
    from textlrp.text.vocabulary import Vocabulary

    found = []
    for number, (arch, storage) in enumerate((arch, storage) for arch in ARCHITECTURES for storage in STORED):
        ngrams = {"ngrams": [2, 3], "ngram_buckets": 7, "ngram_dim": 4, "ngram_selected": storage == "int8"}
        options: Any = {"dense": ngrams, "cnn": {"channels": 3}}.get(arch, {"units": 3})
        config = make_config(arch, vocabulary_size=5, classes=["bad", "good"], embedding_dim=4, **options)
        path = folder() / f"sound-{number}"
        checkpoint.save(path, build(config), config, Vocabulary(["film", "good", "bad"]), storage=storage, metrics={"f1": 0.5})
        found.append({each.name: each.read_bytes() for each in path.iterdir()})
    return found


def checkpoint(data: bytes) -> None:
    """The first byte says which checkpoint, the second which of its files is replaced; the rest is that file.

    A checkpoint that is read has finite weights, and predicts and explains, or says that its numbers are too large.
    """
    import torch

    from textlrp.classifier import load

    sound = sound_checkpoints()
    files = sound[data[0] % len(sound)] if data else sound[0]
    path = folder() / "checkpoint"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    for name, content in {**files, FILES[data[1] % len(FILES)] if data[1:] else FILES[0]: data[2:]}.items():
        (path / name).write_bytes(content)
    classifier = load(path)
    assert all(bool(torch.isfinite(weight).all()) for weight in classifier.module.parameters())
    texts = ["good film", "bad", "", "an unknown word"]
    found = classifier.predict_proba(texts)
    assert found.shape == (4, len(classifier.classes_))
    assert np.allclose(found.sum(axis=1), 1)
    for e in classifier.explain_many(texts[:2], target="margin"):
        assert abs(sum(e.ledger.values()) - e.score) <= 1e-3 * max(1.0, abs(e.score)) * max(
            1.0, np.abs(e.relevance).max(initial=0)
        )


def checkpoint_seeds() -> list[bytes]:
    """The configuration and the weights of each sound checkpoint, and the other files of the first."""
    return [
        bytes([number, FILES.index(name)]) + content
        for number, files in enumerate(sound_checkpoints())
        for name, content in files.items()
        if number == 0 or name in FILES[:2]
    ]


def generated_checkpoints() -> Any:
    """A strategy of checkpoints with one field of the configuration or one weight replaced."""
    odd = st.sampled_from([0, -1, True, None, 1e308, 10**12, "x", [], {}, [1, 2], ["mean"], 2, 3, 5, 4096, 1e-3])
    fields = [
        "arch",
        "vocabulary_size",
        "classes",
        "embedding_dim",
        "hidden",
        "temperature",
        "max_tokens",
        "pooling",
        "units",
        "widths",
    ]

    def configured(drawn: tuple[int, str, Any]) -> bytes:
        number, name, value = drawn
        values = json.loads(sound_checkpoints()[number]["config.json"])
        values["model"][name] = value
        return bytes([number, 0]) + json.dumps(values).encode()

    def weighted(drawn: tuple[int, float, int]) -> bytes:
        number, value, at = drawn
        content = bytearray(sound_checkpoints()[number]["model.safetensors"])
        place = len(content) - 4 * (1 + at % max(1, (len(content) - 8 - int.from_bytes(content[:8], "little")) // 4))
        content[place : place + 4] = struct.pack("<f", value)
        return bytes([number, 1]) + bytes(content)

    numbers = st.integers(0, len(ARCHITECTURES) * len(STORED) - 1)
    return st.tuples(numbers, st.sampled_from(fields), odd).map(configured) | st.tuples(
        numbers, st.floats(width=32), st.integers(0, 10_000)
    ).map(weighted)
