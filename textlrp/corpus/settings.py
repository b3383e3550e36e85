"""What a run is asked to do, and the identity by which it is known again when it resumes."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from textlrp.errors import InputError

if TYPE_CHECKING:
    from textlrp.classifier import TextClassifier

__all__ = ["BATCH", "SHARD", "Settings", "fingerprint", "versions"]

SHARD = 2048  # rows of a shard; what explain_stream sorts by length together, so that the numbers are the same to the bit
BATCH = 256
_MOST = 10**15  # rows or characters, which nothing here reaches


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How texts are explained and stored; two runs with equal settings, model and source write the same bytes."""

    target: str
    rule: str = "default"
    gates: str = "all"
    batch_size: int = BATCH
    shard_size: int = SHARD
    with_text: bool = True
    labelled: bool = False
    longest: int = 1_000_000
    limit: int | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("batch_size", "shard_size", "longest", "limit"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST):
                raise InputError(f"{name} must be a whole number from 1 to {_MOST:,}, not {value!r}")
        if self.shard_size > 1_000_000:
            raise InputError(f"shard_size is at most 1,000,000 rows, not {self.shard_size:,}; a shard is held in memory")

    def to_dict(self) -> dict[str, Any]:
        """Give the settings as JSON holds them.

        >>> Settings(target="margin").to_dict()["shard_size"]
        2048
        """
        return asdict(self)


def fingerprint(classifier: TextClassifier) -> str:
    """Return the sha256 of what a classifier computes with: configuration, vocabulary and weights."""
    import torch

    digest = hashlib.sha256(json.dumps(classifier.config_.to_dict(), sort_keys=True).encode())
    for word in classifier.vocabulary.words:
        digest.update(word.encode("utf-8", "surrogatepass") + b"\0")
    for name, tensor in sorted(classifier.module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes() if tensor.numel() else b"")
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Return the versions of what the numbers depend on."""
    import numpy
    import pyarrow
    import torch

    from textlrp import __version__

    return {
        "textlrp": __version__,
        "python": ".".join(platform.python_version_tuple()[:2]),
        "torch": str(torch.__version__),
        "numpy": numpy.__version__,
        "pyarrow": pyarrow.__version__,
    }
