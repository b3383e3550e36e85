"""Constants that nodes hold: masks, factors, indices, divisors. A model may write into them later, and what a node holds has
to stay as it was: just before such a write, the nodes that hold that memory are given a copy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from textlrp.lrp.maps import LinearMap

if TYPE_CHECKING:
    from textlrp.lrp.tape import Node

__all__ = ["Constants", "memory"]


def memory(tensor: torch.Tensor) -> int:
    """Return where the memory of a tensor begins; 0 where it has none of its own (sparse tensors, those inside vmap…)."""
    try:
        return tensor.untyped_storage().data_ptr()
    except (NotImplementedError, RuntimeError):
        return 0


class Constants:
    """Finds the nodes that hold a memory. Nodes are looked at when something is written, each once: without writes, never."""

    def __init__(self, nodes: list[Node]) -> None:
        self._nodes = nodes
        self._seen = 0
        self._holders: dict[int, dict[int, Node]] = {}

    def keep(self, target: torch.Tensor) -> None:
        """Give a copy to all nodes that hold memory of `target`, which is about to be written."""
        for node in self._nodes[self._seen :]:
            self._note(node)
        self._seen = len(self._nodes)
        written = memory(target)
        copies: dict[int, torch.Tensor] = {}

        def copied(tensor: torch.Tensor) -> torch.Tensor:
            if memory(tensor) != written:
                return tensor
            if id(tensor) not in copies:
                copies[id(tensor)] = tensor.clone()
            return copies[id(tensor)]

        for node in self._holders.pop(written, {}).values():
            held = vars(node)
            held.update((key, _each(value, copied)) for key, value in list(held.items()))

    def _note(self, node: Node) -> None:
        def noted(tensor: torch.Tensor) -> torch.Tensor:
            self._holders.setdefault(memory(tensor), {})[id(node)] = node
            return tensor

        for value in vars(node).values():
            _each(value, noted)


def _each(thing: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Return what a node holds with every tensor changed; the same thing if it holds none."""
    if isinstance(thing, torch.Tensor):
        return change(thing)
    if isinstance(thing, (tuple, list)):
        parts = [_each(part, change) for part in thing]
        if all(new is part for new, part in zip(parts, thing, strict=True)):
            return thing
        return type(thing)(*parts) if hasattr(thing, "_fields") else type(thing)(parts)
    if isinstance(thing, dict):
        return {key: _each(value, change) for key, value in thing.items()}
    if isinstance(thing, slice):
        return slice(_each(thing.start, change), _each(thing.stop, change), _each(thing.step, change))
    if isinstance(thing, LinearMap):
        weight, bias = change(thing.weight), None if thing.bias is None else change(thing.bias)
        return thing if weight is thing.weight and bias is thing.bias else replace(thing, weight=weight, bias=bias)
    return thing
