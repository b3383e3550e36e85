"""Layers with a rule: Linear and Conv1d, as modules or as functions."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn

from textlrp.errors import RelevanceError
from textlrp.lrp.composite import Layer
from textlrp.lrp.linear import absorbing, propagate
from textlrp.lrp.maps import ConvMap, DenseMap, LinearMap
from textlrp.lrp.names import Names
from textlrp.lrp.numbers import wide
from textlrp.lrp.rule import Plain
from textlrp.lrp.run import Run
from textlrp.lrp.share import Book
from textlrp.lrp.tape import Node, Samples, Tape, Var

__all__ = ["Ruled", "Weighted", "conv1d", "linear"]


class Ruled(Node):
    """A node whose relevance goes by the composite's rule for its layer."""

    kind: type[nn.Module] = nn.Linear
    module: nn.Module | None = None
    depth: int = 0
    count: int = 1

    def layer(self) -> Layer:
        """Return the layer as a composite sees it."""
        return Layer(self.place, self.kind, self.module, self.depth, self.count)


class Weighted(Ruled):
    """z = W x + b."""

    light = True

    def __init__(
        self,
        kind: type[nn.Module],
        linear: LinearMap,
        x: Var,
        operation: str,
        place: tuple[str, nn.Module | None],
        *,
        shape_alone: bool = False,
    ) -> None:
        self.kind, self.linear, self.operation = kind, linear, operation
        self.inputs = (x,)
        self.place, self.module = place
        x.needed = x.needed or not shape_alone

    def backward(self, run: Run) -> None:
        """Apply the rule."""
        (x,), (z,) = self.inputs, self.outputs
        rule = run.rule(self.layer)
        if isinstance(rule, Plain) and rule.bias == "absorb" and rule.epsilon > 0 and z.r is None:
            assert z.c is not None
            book_all = partial(run.book_product, "stabiliser", z)
            x.add(absorbing(rule, self.linear, wide(x.value), wide(z.value), z.c, book_all, partial(self._bias, run)))
            return
        book: Book = lambda key, amount, times=1.0: run.book(key, z, amount, times)  # noqa: E731
        c, r = propagate(rule, self.linear, wide(x.value), wide(z.value), z.c, z.r, book)
        x.add(c, r)

    def samples(self, output: Var) -> Samples:
        """As the input, if the map leaves the axis of the texts alone; else its numbers are sent through the map."""
        x = self.inputs[0]
        own = x.samples()
        if own.dim is not None and own.dim < len(x.shape) - self.linear.mixed:
            return own
        return Samples.compress(self.linear.texts(own.spread(x.shape, x.value.device).double()))

    def _bias(self, run: Run, q: torch.Tensor) -> None:
        """Book what the bias takes, b · q; not for each output where the first axis is that of the texts."""
        z = self.outputs[0]
        own = z.samples()
        if own.dim == 0 and own.index is None:
            run.book_total("bias", self.linear.taken(q))
        else:
            assert self.linear.bias is not None
            run.book("bias", z, self.linear.bias * q)


class State(Node):
    """A constant of each text that a linear map reads, such as an initial state h_0 in a loop written by hand."""

    operation = "constant"

    def backward(self, run: Run) -> None:
        """Book what comes back."""
        run.book("initial_state", self.outputs[0], self.outputs[0].relevance())

    def samples(self, output: Var) -> Samples:
        """One row for each text."""
        return Samples(0)


def _state(tape: Tape, value: torch.Tensor) -> Var:
    node = State()
    tape.record(node, value)
    node.outputs[0].needed = True
    return node.outputs[0]


def linear(tape: Tape, names: Names, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.Tensor:
    """Run F.linear, and put it on the tape."""
    if len(args) != 3:
        given = dict(zip(("input", "weight", "bias"), args, strict=False)) | kwargs
        args, kwargs = (given["input"], given["weight"], given.get("bias")), {}
    value: torch.Tensor = func(*args)
    x, weight, bias = tape.find(args[0]), args[1], args[2]
    if x is None and tape.made(args[0]) and args[0].shape[:-1] == (names.batch,):
        x = _state(tape, args[0])
    if x is not None:
        dense = DenseMap(wide(weight), None if bias is None else wide(bias))
        place = names.layer(weight, "linear") if tape.named else ("", None)
        tape.record(Weighted(nn.Linear, dense, x, "linear", place, shape_alone=tape.lean), value)
    return value


def conv1d(tape: Tape, names: Names, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.Tensor:
    """Run F.conv1d, and put it on the tape; padding given by name is done beforehand."""
    order = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
    given = dict(zip(order, args, strict=False)) | kwargs
    x, weight, bias = tape.find(given["input"]), given["weight"], given.get("bias")
    value: torch.Tensor = func(*args, **kwargs)
    if x is None:
        return value
    stride, dilation = (_one(given.get(key, 1)) for key in ("stride", "dilation"))
    padding = given.get("padding", 0)
    if padding == "valid":
        padding = 0
    if padding == "same":
        reach = dilation * (weight.shape[-1] - 1)
        if reach % 2:
            raise RelevanceError(
                "conv1d: padding='same' with an even reach pads one side more; pad with F.pad and use padding=0"
            )
        padding = reach // 2
    shaped = None if bias is None else wide(bias.detach())[:, None]
    conv = ConvMap(wide(weight.detach()), shaped, stride, _one(padding), dilation, given.get("groups", 1))
    place = names.layer(weight, "conv1d") if tape.named else ("", None)
    tape.record(Weighted(nn.Conv1d, conv, x, "conv1d", place, shape_alone=tape.lean), value)
    return value


def _one(number: Any) -> int:
    return int(number[0] if isinstance(number, (tuple, list)) else number)
