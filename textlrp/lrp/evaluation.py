"""What functions do in evaluation, whichever mode the model is in, and without a word to its weights."""

from __future__ import annotations

from typing import Any

import torch

from textlrp.lrp.embedding import unwritten
from textlrp.lrp.level import KINDS

__all__ = ["TRAINED", "in_evaluation"]

_NORMS = {"batch_norm": "training", "instance_norm": "use_input_stats"}
_NORM = ("input", "running_mean", "running_var", "weight", "bias", None, "momentum", "eps")
_LOOKUPS = ("embedding", "embedding_bag")
#: Functions that do something else in training, or that write.
TRAINED = frozenset((*_NORMS, *_LOOKUPS, *KINDS))


def in_evaluation(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of one of these functions, as evaluation has them.

    >>> x, mean, variance = torch.ones(2, 3), torch.zeros(3), torch.ones(3)
    >>> in_evaluation("batch_norm", (x, mean, variance, None, None, True, 0.1, 1e-5), {})[1]["training"]
    False
    """
    if name in KINDS:
        packed = isinstance(args[1], torch.Tensor) and not args[1].is_floating_point()
        at = 7 if packed else 6
        return (*args[:at], False, *args[at + 1 :]), kwargs
    if name in _LOOKUPS:
        return unwritten(args, kwargs)
    flag = _NORMS[name]
    given = dict(zip((key or flag for key in _NORM), args, strict=False)) | kwargs
    if given.get("running_mean") is not None:
        given[flag] = False
    return (), given
