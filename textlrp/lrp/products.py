"""Products: of an activation with a constant, of a gate with a signal, of two signals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from textlrp.lrp.numbers import wide
from textlrp.lrp.run import Run
from textlrp.lrp.tape import Node, Samples, Tape, Var

__all__ = ["Scaled", "product"]


class Scaled(Node):
    """z = x · w or x / w with a constant w: linear."""

    def __init__(self, x: Var, factor: Any, operation: str, *, inverse: bool) -> None:
        self.operation, self.inputs = operation, (x,)
        self.factor, self.inverse = factor, inverse

    def backward(self, run: Run) -> None:
        """Scale the carry; share r by broadcasting, if the product was broadcast."""
        (x,), (z,) = self.inputs, self.outputs
        c, r = z.c, z.r
        factor = wide(self.factor) if isinstance(self.factor, torch.Tensor) else self.factor
        if c is not None:
            c = _sum_to(c / factor if self.inverse else c * factor, x.shape)
        x.add(c, None if r is None else _sum_to(r, x.shape))

    def samples(self, output: Var) -> Samples:
        """As x, broadcast."""
        return _broadcast(self.inputs[0], output)


def _sum_to(tensor: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    return tensor if tensor.shape == shape else tensor.sum_to_size(shape)


def _broadcast(x: Var, output: Var) -> Samples:
    own = x.samples()
    if own.dim is None:
        assert own.index is not None
        return Samples(None, own.index.expand(output.shape))
    return Samples(own.dim + len(output.shape) - len(x.shape), own.index)


def product(func: Callable[..., Any], name: str, tape: Tape, args: Any, kwargs: Any) -> Any:
    """Run a product or quotient, and put it on the tape."""
    value = func(*args, **kwargs)
    a, b = args[0], args[1] if len(args) > 1 else kwargs["other"]
    left, right = tape.find(a), tape.find(b)
    if left is not None and right is None:
        tape.record(Scaled(left, b, name, inverse="di" in name), value)
    elif right is not None and left is None and "di" not in name:
        tape.record(Scaled(right, a, name, inverse=False), value)
    return value
