"""The forward pass, watched: every torch function that a model calls goes through here, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from textlrp.lrp import embedding, packing, products, weighted
from textlrp.lrp.names import Names
from textlrp.lrp.pointwise import IDENTITIES, POINTWISE, pointwise
from textlrp.lrp.recurrent import KINDS, recurrent
from textlrp.lrp.structural import COPIES, SELECTIONS, SUMS, flatten, structural
from textlrp.lrp.tape import Node, Tape, Var

__all__ = ["Watch"]


class Unknown(Node):
    """An operation without a rule; it only matters if relevance comes to it."""

    def __init__(self, name: str, place: str, inputs: tuple[Var, ...]) -> None:
        self.operation, self.place, self.inputs = name, place, inputs

    def backward(self, run: Any) -> None:
        """Say what has no rule, where, and how to give it one."""
        from textlrp.errors import RelevanceError

        raise RelevanceError(f"operation {self.operation!r} in {self.place or 'the model'} has no rule")


class Watch(TorchFunctionMode):
    """Runs a model's functions, and writes on the tape those that relevance can come back through."""

    def __init__(self, tape: Tape, names: Names, batch: int) -> None:
        super().__init__()
        self.tape, self.names, self.batch = tape, names, batch

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Handle one call."""
        name = getattr(func, "__name__", "")
        kwargs = kwargs or {}
        if name == "__get__":
            if args[0] is not None and getattr(func, "__self__", None) in _TRANSPOSES and self.tape.find(args[0]) is not None:
                return structural(func, "transpose", self.tape, args, kwargs)
            return func(*args, **kwargs)
        tape = self.tape
        known = [tape.find(leaf) for leaf in flatten((args, tuple(kwargs.values()))) if isinstance(leaf, torch.Tensor)]
        tracked = [var for var in known if var is not None]
        if not tracked:
            return func(*args, **kwargs)
        if all(var.positions is not None for var in tracked) and name not in (
            "embedding",
            "embedding_bag",
            "_pack_padded_sequence",
            "_pad_packed_sequence",
        ):
            return self._ids(func, name, args, kwargs, tracked)
        if name == "linear":
            return weighted.linear(tape, self.names, func, args, kwargs)
        if name == "conv1d":
            return weighted.conv1d(tape, self.names, func, args, kwargs)
        if name == "embedding":
            return embedding.embedding(tape, self.names, func, args, kwargs)
        if name == "embedding_bag":
            return embedding.embedding_bag(tape, self.names, func, args, kwargs)
        if name == "_pack_padded_sequence":
            return packing.pack_padded_sequence(tape, args)
        if name == "_pad_packed_sequence":
            return packing.pad_packed_sequence(tape, args)
        if name in KINDS:
            return recurrent(tape, self.names, func, name, args, self.batch)
        if name in POINTWISE:
            return pointwise(func, name, tape, args, kwargs)
        if name in ("mul", "multiply", "div", "divide", "true_divide"):
            return products.product(func, name, tape, args, kwargs)
        if name in COPIES or name in SUMS or name in SELECTIONS:
            return structural(func, name, tape, args, kwargs)
        result = func(*args, **kwargs)
        values = [leaf for leaf in flatten(result) if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()]
        if values:
            self.tape.record(Unknown(name, self.names.name(self.names.running()), tuple(tracked)), *values)
        return result

    def _ids(self, func: Callable[..., Any], name: str, args: Any, kwargs: Any, tracked: list[Var]) -> Any:
        result = func(*args, **kwargs)
        return result


_TRANSPOSES: frozenset[Any] = frozenset({torch.Tensor.T, torch.Tensor.mT})
_ = IDENTITIES
