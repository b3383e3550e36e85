"""Which axis tells the texts apart, after a view, a sum or a broadcast: read from the arguments where that is easy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from textlrp.lrp.tables import ALIGNED, POOLING, REDUCING
from textlrp.lrp.tape import Samples, Var

__all__ = ["aligned", "filled", "follow"]


def aligned(inputs: Sequence[Var], output: Var) -> Samples:
    """Return the texts of an output that its inputs were broadcast to."""
    for var in inputs:
        own = var.samples()
        if own.dim is None:
            if var.shape == output.shape:
                return own
            continue
        at = own.dim + len(output.shape) - len(var.shape)
        if var.shape[own.dim] == output.shape[at]:
            return Samples(at, own.index)
    own = inputs[0].samples()
    return Samples.compress(own.spread(inputs[0].shape, inputs[0].value.device).expand(output.shape))


def follow(name: str, args: Any, kwargs: Any, inputs: Sequence[Var], output: Var) -> Samples | None:
    """Return the texts of the output of a structural operation, or None where only trying it out will tell."""
    if name in ALIGNED:
        return aligned(inputs, output)
    own, rank = inputs[0].samples(), len(inputs[0].shape)
    if own.dim is None:
        return None
    if name in REDUCING:
        return _reduced(own, rank, args, kwargs)
    if name in POOLING and own.dim == 0 and rank == 3:
        return own
    if name == "pad" and own.dim < rank - len(args[1] if len(args) > 1 else kwargs["pad"]) // 2:
        return own
    if name in ("transpose", "swapaxes", "swapdims") and len(args) + len(kwargs) == 3:  # not x.T
        one, two = (_axis(each, rank) for each in _pair(args, kwargs))
        return Samples({one: two, two: one}.get(own.dim, own.dim), own.index)
    if name == "index_select" and len(args) == 3:
        if _axis(args[1], rank) != own.dim:
            return own
        return Samples(own.dim, args[2] if own.index is None else own.index[args[2]])
    if name in ("cat",):
        axis = kwargs.get("dim", args[1] if len(args) > 1 else 0)
        return None if _axis(axis, rank) == own.dim or not _agree(inputs) else own
    if name == "stack" and not _agree(inputs):
        return None
    if name in ("unsqueeze", "stack"):
        axis = _axis(kwargs.get("dim", args[1] if len(args) > 1 else 0), rank + 1)
        return Samples(own.dim + (axis <= own.dim), own.index)
    return None


def filled(name: str, args: Any, kwargs: Any) -> tuple[Any, Any]:
    """Put NaN, any text's, for the number that an operation fills places with."""
    if name == "pad" and kwargs.get("mode", args[2] if len(args) > 2 else "constant") == "constant":
        return args[:3], kwargs | {"value": torch.nan}
    if name == "scatter" and len(args) > 3 and not isinstance(args[3], torch.Tensor):
        return (*args[:3], torch.nan), kwargs
    return args, kwargs | {"value": torch.nan} if name == "scatter" and "value" in kwargs else kwargs


def _agree(inputs: Sequence[Var]) -> bool:
    """Tell whether the same axis tells the texts apart in all inputs, and likewise."""
    own, shape, device = inputs[0].samples(), inputs[0].shape, inputs[0].value.device
    if any(var.samples().dim != own.dim for var in inputs):
        return False
    assert own.dim is not None
    if all(var.samples().index is own.index for var in inputs):
        return True
    line = own.line(shape, device)
    return all(torch.equal(var.samples().line(var.shape, device), line) for var in inputs)


def _reduced(own: Samples, rank: int, args: Any, kwargs: Any) -> Samples | None:
    given = [kwargs[key] for key in ("dim", "axis") if key in kwargs] or list(args[1:2])
    if not given or given[0] is None or isinstance(given[0], torch.Tensor):
        return None
    dims = given[0] if isinstance(given[0], (tuple, list)) else [given[0]]
    gone = {_axis(each, rank) for each in dims}
    if own.dim in gone or not gone:
        return None
    keep = kwargs.get("keepdim", args[2] if len(args) > 2 else False)
    assert own.dim is not None
    return own if keep else Samples(own.dim - sum(each < own.dim for each in gone), own.index)


def _axis(axis: int, rank: int) -> int:
    return axis % rank


def _pair(args: Any, kwargs: Any) -> tuple[int, int]:
    keys = [key for key in ("dim0", "dim1", "axis0", "axis1") if key in kwargs]
    both = [*args[1:], *[kwargs[key] for key in keys]]
    return both[0], both[1]
