"""From a configuration to its torch module."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from textlrp.errors import InputError
from textlrp.models.config import ConvolutionalConfig, DenseConfig, ModelConfig, RecurrentConfig
from textlrp.models.convolutional import Convolutional
from textlrp.models.dense import Dense
from textlrp.models.recurrent import Recurrent

__all__ = ["build", "parameter_count"]

MOST_PARAMETERS = 2_000_000_000


def build(config: ModelConfig, *, seed: int = 0) -> nn.Module:
    """Make the module of a configuration, freshly initialised from `seed`; torch's own random state stays as it was.

    Its `forward(ids [B,T] int64, lengths [B] int64)` gives logits [B,C]; a text's logits do not depend on its batch.

    >>> from textlrp.models.config import make_config
    >>> module = build(make_config("dense", vocabulary_size=10, classes=["bad", "good"]))
    >>> module(torch.tensor([[2, 3, 0]]), torch.tensor([2])).shape
    torch.Size([1, 2])
    """
    count = parameter_count(config)
    if count > MOST_PARAMETERS:
        raise InputError(
            f"this model would have {count:,} parameters; at most {MOST_PARAMETERS:,} are allowed: choose smaller sizes"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _module(config)


def skeleton(config: ModelConfig) -> nn.Module:
    """Make the module without memory for its weights: names and shapes only."""
    with torch.device("meta"), _Uninitialised():
        return _module(config)


class _Uninitialised(TorchFunctionMode):
    """Leave weights as they are: to draw numbers for weights without memory, torch would import its whole compiler."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Skip `torch.nn.init`, which writes into its first argument."""
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def parameter_count(config: ModelConfig) -> int:
    """Return how many numbers the module of a configuration learns, without making it."""
    return sum(weight.numel() for weight in skeleton(config).parameters())


def _module(config: ModelConfig) -> nn.Module:
    if isinstance(config, DenseConfig):
        return Dense(config)
    if isinstance(config, RecurrentConfig):
        return Recurrent(config)
    if isinstance(config, ConvolutionalConfig):
        return Convolutional(config)
    raise InputError(f"cannot build a {type(config).__name__}: make the configuration with make_config")
