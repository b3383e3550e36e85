"""Ids on their way to an embedding: where in the batch each index came from, through slices, transposes, packing, "
"arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from textlrp.lrp.embedding import lookup
from textlrp.lrp.structural import flatten, swap
from textlrp.lrp.tables import COPIES, ELEMENTWISE, LOGIC, LOOKUPS, adds
from textlrp.lrp.tape import Samples, Tape, Var

if TYPE_CHECKING:
    from textlrp.lrp.mode import Watch

__all__ = ["follow_ids", "write_ids"]

_WRITTEN = {"__setitem__": 2, "copy_": 1}  # which argument is written into the first
_PUT = {
    "index_put": 2,
    "masked_scatter": 2,
    "scatter": 3,
    "select_scatter": 1,
    "slice_scatter": 1,
}  # what is put into the first


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
    moved = Moved(func, name, args, kwargs, tracked, watch.tape, len(leaves))
    for place, leaf in enumerate(leaves):
        if tape.find(leaf) is None:
            mine = partial(moved, place, leaf.shape)
            var = Var(leaf, None, samples=partial(_texts, tracked[0], leaf.shape, mine, name, args, watch.steps))
            var.ids, var.positions = True, mine
            tape.put(var)
    return result


def write_ids(watch: Watch, func: Callable[..., Any], name: str, args: Any, kwargs: Any) -> Any:
    """Run an in-place function on integers: what is copied is written to the positions likewise, else nobody can tell them."""
    tape, target, at = watch.tape, args[0], _WRITTEN.get(name, len(args))
    known, source = tape.find(target), tape.find(args[at]) if at < len(args) else None
    if known is None and (source is None or not source.ids or target.dtype == torch.bool):
        return func(*args, **kwargs)
    sharing = [var for var in tape.sharing(target) if var is not known and var.ids]
    positions = torch.full_like(target, -1, dtype=torch.long) if known is None else known.positions
    if known is not None:  # what was looked up before keeps its positions
        tape.keep(known, target.clone())
        known = tape.put(Var(target, None, samples=known.samples()))
        known.ids = True
    value = -1 if source is None else source.positions
    if at >= len(args) or positions is None or value is None:
        positions = None
    else:
        positions = positions.clone()
        func(positions, *args[1:at], value)
    result = func(*args, **kwargs)
    if known is None:
        known = tape.put(Var(target, None, samples=_of(positions, watch.steps) or Samples(0)))
        known.ids = True
    known.positions = positions
    base = target._base if target._is_view() else None
    if base is not None and tape.find(base) is None:
        sharing.append(tape.put(Var(base, None, samples=Samples(0))))
    for var in sharing:  # other views of what was written
        var.ids, var.positions = True, None
    return result


class Moved:
    """Where the results of a function of ids came from, worked out when it is asked for: n-grams share relevance without it."""

    __slots__ = ("args", "copies", "count", "found", "func", "kwargs", "name", "sources")

    def __init__(
        self, func: Callable[..., Any], name: str, args: Any, kwargs: Any, sources: list[Var], tape: Tape, count: int
    ) -> None:
        self.func, self.name, self.sources, self.count = func, name, sources, count
        self.found: list[torch.Tensor | None] | None = None
        read = name in LOOKUPS and tape.find(args[0] if args else None) is None
        self.copies = name in COPIES and name not in ELEMENTWISE and not read
        if not self.copies and not read and name not in ELEMENTWISE:
            self.found = [None] * count  # such as a sort: no one can tell
        if self.copies:
            if name == "pad":
                args, kwargs = args[:2], {"value": -1, **{key: each for key, each in kwargs.items() if key == "pad"}}

            indexed = False

            def known(leaf: Any) -> Any:
                nonlocal indexed
                var = tape.find(leaf)
                indexed = indexed or (var is None and isinstance(leaf, torch.Tensor))
                return leaf if var is None else var

            self.args, self.kwargs = swap(args, known), swap(kwargs, known)
            if indexed:  # such as an index, which may be written to later
                self.found = self._copied()

    def __call__(self, place: int, shape: torch.Size) -> torch.Tensor | None:
        """Return where the elements of one result came from, or None."""
        if self.found is None:
            self.found = self._copied() if self.copies else self._unmoved()
        found = self.found[place]
        return None if found is None or found.shape != shape else found

    def _unmoved(self) -> list[torch.Tensor | None]:
        """Arithmetic, and looking something up: as the operands, if they agree."""
        first, *others = (var.positions for var in dict.fromkeys(self.sources))
        same = first is not None and all(each is not None and (each is first or torch.equal(each, first)) for each in others)
        return [first if same else None] * self.count

    def _copied(self) -> list[torch.Tensor | None]:
        """Copies: the positions are copied likewise."""
        put = _PUT.get(self.name)
        named = put is not None and (put >= len(self.args) or adds(self.name, self.args, self.kwargs))
        if named or any(var.positions is None for var in self.sources):
            return [None] * self.count
        args = self.args
        if put is not None:
            args = tuple(_nowhere(each) if place in (0, put) else each for place, each in enumerate(args))

        def change(leaf: Any) -> Any:
            if isinstance(leaf, Var):
                return leaf.positions
            if self.name in ("cat", "stack", "hstack", "vstack") and isinstance(leaf, torch.Tensor):
                return torch.full_like(leaf, -1)
            return leaf

        result = self.func(*swap(args, change), **swap(self.kwargs, change))
        return [leaf for leaf in flatten(result) if isinstance(leaf, torch.Tensor)]


def _nowhere(leaf: Any) -> Any:
    """Return −1 in the place of a constant."""
    if isinstance(leaf, Var):
        return leaf
    return torch.full_like(leaf, -1) if isinstance(leaf, torch.Tensor) else -1


def _texts(
    source: Var, shape: torch.Size, moved: Callable[[], torch.Tensor | None], name: str, args: Any, steps: int
) -> Samples:
    """Return the texts of a result: by those of the source where that is enough, else by the positions."""
    own = source.samples()
    if name not in COPIES and shape == source.shape:
        return own
    if name == "__getitem__" and own.dim == 0 and shape[:1] == source.shape[:1] and _keeps_texts(args[1]):
        return own
    found = _of(moved(), steps)
    if found is not None:
        return found
    if own.dim is not None and len(shape) > own.dim and shape[own.dim] == source.shape[own.dim]:
        return own
    return Samples(0)


def _of(positions: torch.Tensor | None, steps: int) -> Samples | None:
    """Return the texts of ids by their positions, if those are known."""
    if positions is None:
        return None
    return Samples.compress(torch.where(positions < 0, torch.nan, (positions // max(steps, 1)).double()))


def _keeps_texts(index: Any) -> bool:
    """Tell whether an index, such as [:, 1:], leaves the first axis as it is."""
    plain = isinstance(index, tuple) and bool(index) and all(isinstance(each, (slice, int)) for each in index)
    return plain and index[0] == slice(None)
