"""Ids on their way to an embedding: where in the batch each index came from, through slices, transposes, packing, "
"arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from textlrp.lrp.embedding import lookup
from textlrp.lrp.structural import flatten, swap
from textlrp.lrp.tables import COPIES, LOGIC
from textlrp.lrp.tape import Samples, Var

if TYPE_CHECKING:
    from textlrp.lrp.mode import Watch

__all__ = ["follow_ids"]


def follow_ids(watch: Watch, func: Callable[..., Any], name: str, args: Any, kwargs: Any, tracked: list[Var]) -> Any:
    """Run a function of ids alone, and follow where the ids go."""
    tape = watch.tape
    if name in ("__getitem__", "index_select") and isinstance(args[0], torch.Tensor) and tape.find(args[0]) is None:
        index = args[1] if name == "__getitem__" else args[2]
        if (
            isinstance(index, torch.Tensor)
            and args[0].is_floating_point()
            and (name == "__getitem__" or args[1] in (0, -args[0].dim()))
        ):
            return lookup(tape, watch.names, func(*args, **kwargs), args[0], index)
    result = func(*args, **kwargs)
    leaves = [leaf for leaf in flatten(result) if isinstance(leaf, torch.Tensor)]
    if any(leaf.is_floating_point() for leaf in leaves):
        return watch.custom(lambda *_, **__: result, name, args, kwargs, tracked)
    if not any(leaf.dtype not in (torch.bool,) for leaf in leaves) or name in LOGIC:
        return result
    moved = _positions(func, name, args, kwargs, tracked, tape, leaves)
    for leaf, positions in zip(leaves, moved, strict=True):
        known = tape.find(leaf)
        if known is None:
            var = Var(leaf, None, samples=partial(_texts, tracked[0], positions, leaf, watch.steps))
            var.ids, var.positions = True, positions
            tape.put(var)
    return result


def _positions(
    func: Callable[..., Any], name: str, args: Any, kwargs: Any, tracked: list[Var], tape: Any, leaves: list[torch.Tensor]
) -> list[torch.Tensor | None]:
    sources = list(dict.fromkeys(tracked))
    if any(var.positions is None for var in sources):
        return [None] * len(leaves)
    if name in COPIES and name not in ("where", "masked_fill", "to", "type", "type_as"):

        def change(leaf: Any) -> Any:
            var = tape.find(leaf)
            if var is not None:
                return var.positions
            if name in ("cat", "stack", "hstack", "vstack") and isinstance(leaf, torch.Tensor):
                return torch.full_like(leaf, -1)
            return leaf

        options = dict(kwargs)
        if name == "pad":
            args, options = args[:2], {"value": -1, **{key: each for key, each in options.items() if key == "pad"}}
        return [leaf for leaf in flatten(func(*swap(args, change), **swap(options, change))) if isinstance(leaf, torch.Tensor)]
    first = sources[0].positions
    same = all(var.positions is first or torch.equal(var.positions, first) for var in sources[1:])  # type: ignore[arg-type]
    return [first if same and first is not None and leaf.shape == first.shape else None for leaf in leaves]


def _texts(source: Var, positions: torch.Tensor | None, leaf: torch.Tensor, steps: int) -> Samples:
    if positions is not None and positions is source.positions:
        return source.samples()
    if positions is not None:
        return Samples.compress(torch.where(positions < 0, torch.nan, (positions // max(steps, 1)).double()))
    own = source.samples()
    if own.dim is not None and leaf.dim() > own.dim and leaf.shape[own.dim] == source.shape[own.dim]:
        return own
    return Samples(0)
