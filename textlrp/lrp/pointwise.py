"""Pointwise non-linearities: relevance passes through unchanged, but for what the function makes of nothing.

For f(0) = 0, R_in = R_out, so c_in = c_out · f(x) / x. Otherwise f(0) is a bias: c_in = c_out · (f(x) − f(0)) / x, and
c_out · f(0) is booked. Where x is (nearly) 0 the quotient is the slope f'(0).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from textlrp.errors import RelevanceError
from textlrp.lrp.numbers import where_positive, wide
from textlrp.lrp.run import Run
from textlrp.lrp.tables import GATING
from textlrp.lrp.tape import Node, Tape, Var

__all__ = ["Passing", "Pointwise", "pointwise"]

_IN_PLACE = frozenset(  # these take `inplace`, which may stand among the other arguments
    ["relu", "leaky_relu", "elu", "selu", "celu", "silu", "mish", "hardtanh", "relu6", "hardswish", "hardsigmoid", "threshold"]
)


class Passing(Node):
    """The identity: dropout in evaluation, casts."""

    reads, light = False, True

    def __init__(self, operation: str, x: Var) -> None:
        self.operation, self.inputs = operation, (x,)

    def backward(self, run: Run) -> None:
        """Pass everything on."""
        self.inputs[0].add(self.outputs[0].c, self.outputs[0].r)


class Pointwise(Node):
    """y = f(x), element by element."""

    light = True

    def __init__(self, func: Callable[..., Any], name: str, x: Var, args: Any, kwargs: Any) -> None:
        self.operation, self.inputs = name, (x,)
        self.func, self.args, self.kwargs = func, args, kwargs
        x.needed, self.reads = True, name != "relu"

    def backward(self, run: Run) -> None:
        """Pass r as it is, and c by the quotient."""
        (x,), (y,) = self.inputs, self.outputs
        c = y.c
        if c is not None:
            relu = self.operation == "relu"
            c = where_positive(c, wide(x.value)) if relu else self._quotient(run, wide(x.value), wide(y.value), c)
        x.add(c, y.r)

    def _quotient(self, run: Run, x: torch.Tensor, y: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        args = [wide(setting) if isinstance(setting, torch.Tensor) else setting for setting in self.args]
        kwargs = {key: wide(given) if isinstance(given, torch.Tensor) else given for key, given in self.kwargs.items()}
        settings = (*args, *kwargs.values())
        each = any(
            isinstance(setting, torch.Tensor) and setting.numel() > 1 for setting in settings
        )  # its own for each element
        origin = torch.zeros(x.shape if each else 1, dtype=x.dtype, device=x.device, requires_grad=True)
        with torch.enable_grad():
            start = self.func(origin, *args, **kwargs)
            slopes = torch.autograd.grad(start.sum(), origin)[0] if start.requires_grad else torch.zeros_like(origin)
        rest = start.detach()
        if not bool(rest.isfinite().all()):
            raise RelevanceError(
                f"{self.operation!r} has no value at 0, so its relevance cannot be passed; give it a rule of its own"
            )
        slopes = slopes.nan_to_num(0.0, 0.0, 0.0)
        slope: Any = slopes if each else slopes.item()
        if not bool(rest.any()):
            near = x.abs() < torch.finfo(x.dtype).tiny * 1e4
            return c * torch.where(near, slope, y / x.masked_fill(near, 1.0))
        run.book("bias", self.outputs[0], c * rest)
        near = x.abs() < torch.finfo(x.dtype).eps ** (1 / 3)
        return c * torch.where(near, slope, (y - rest) / x.masked_fill(near, 1.0))


def pointwise(func: Callable[..., Any], name: str, tape: Tape, args: Any, kwargs: Any) -> Any:
    """Run a pointwise function, and put it on the tape."""
    if kwargs:
        kwargs = dict(kwargs)
        if "input" in kwargs:
            args = (kwargs.pop("input"), *args)
        kwargs.pop("inplace", None)
    if name == "rrelu":
        kwargs = {**kwargs, "training": False}
    if len(args) > 1 and name in _IN_PLACE:
        args = tuple(each for each in args if not isinstance(each, bool))
    x = tape.find(args[0])
    if x is None:
        return NotImplemented
    value = func(*args, **kwargs)
    if not x.ids:
        tape.record(Pointwise(func, name, x, args[1:], kwargs), value, gate=name in GATING)
    return value
