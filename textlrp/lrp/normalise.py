"""Normalising layers: batch normalisation is a fixed linear map; layer and RMS normalisation divide by a number taken as fixed.

LayerNorm: y = (x − mean x) / σ · w + b; σ counts as a constant (the identity rule of Achtibat et al. 2024, prop. 3.4), the
rest is linear and conserves; b is booked. The same for RMSNorm without the mean. BatchNorm1d: the running statistics; the
shift is booked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from textlrp.errors import RelevanceError
from textlrp.lrp.follow import aligned
from textlrp.lrp.names import Names
from textlrp.lrp.numbers import wide
from textlrp.lrp.run import Run
from textlrp.lrp.tape import Node, Samples, Tape, Var

__all__ = ["batch_norm", "layer_norm"]


class Normalised(Node):
    """y = (x − mean) · scale + shift, with the mean over `axes` (none: a fixed mean, part of the shift)."""

    def __init__(
        self, x: Var, scale: torch.Tensor, shift: torch.Tensor | None, axes: tuple[int, ...], operation: str, place: str
    ) -> None:
        self.inputs, self.operation, self.place = (x,), operation, place
        self.scale, self.shift, self.axes = scale, shift, axes

    def backward(self, run: Run) -> None:
        """Book the shift; subtracting a mean is its own transpose."""
        y = self.outputs[0]
        c = run.carry(y)
        assert c is not None
        if self.shift is not None:
            run.book("bias", y, (self.shift * c).expand(y.shape))
        c = c * self.scale
        self.inputs[0].add(c - c.mean(self.axes, keepdim=True) if self.axes else c)

    def samples(self, output: Var) -> Samples:
        """As x."""
        return aligned(self.inputs, output)


def layer_norm(func: Callable[..., Any], name: str, tape: Tape, names: Names, args: Any, kwargs: Any) -> torch.Tensor:
    """Run layer_norm or rms_norm, and put it on the tape."""
    order = (
        ("input", "normalized_shape", "weight", "bias", "eps")
        if name == "layer_norm"
        else ("input", "normalized_shape", "weight", "eps")
    )
    given = dict(zip(order, args, strict=False)) | kwargs
    value: torch.Tensor = func(*args, **kwargs)
    x = tape.find(given["input"])
    assert x is not None
    v, weight, bias = wide(x.value), given.get("weight"), given.get("bias")
    axes = tuple(range(-len(given["normalized_shape"]), 0))
    eps = given.get("eps")
    if name == "layer_norm":
        scale = (v.var(axes, unbiased=False, keepdim=True) + (1e-5 if eps is None else eps)).rsqrt()
    else:
        scale = (v.square().mean(axes, keepdim=True) + (torch.finfo(x.value.dtype).eps if eps is None else eps)).rsqrt()
    if weight is not None:
        scale = scale * wide(weight.detach())
    shift = None if bias is None else wide(bias.detach())
    tape.record(Normalised(x, scale, shift, axes if name == "layer_norm" else (), name, names.layer(weight, name)[0]), value)
    return value


def batch_norm(func: Callable[..., Any], tape: Tape, names: Names, args: Any, kwargs: Any) -> torch.Tensor:
    """Run batch_norm with its running statistics, and put it on the tape."""
    order = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
    given = dict(zip(order, args, strict=False)) | kwargs
    x, mean, variance = tape.find(given["input"]), given.get("running_mean"), given.get("running_var")
    assert x is not None
    if mean is None or variance is None:
        raise RelevanceError("batch_norm without running statistics mixes the texts of a batch; set track_running_stats=True")
    given["training"] = False
    value: torch.Tensor = func(**given)
    shape = [1, -1] + [1] * (x.value.dim() - 2)
    weight, bias, eps = given.get("weight"), given.get("bias"), given.get("eps", 1e-5)
    scale = (wide(variance) + eps).rsqrt()
    if weight is not None:
        scale = scale * wide(weight.detach())
    shift = -wide(mean) * scale
    if bias is not None:
        shift = shift + wide(bias.detach())
    tape.record(
        Normalised(x, scale.view(shape), shift.view(shape), (), "batch_norm", names.layer(weight, "batch_norm")[0]), value
    )
    return value
