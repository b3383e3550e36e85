"""In-place operations: x += y, out[:, t] = h, relu_(x)… The tape keeps versions: the old tensor, the new one, and what
shares memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from textlrp.errors import RelevanceError
from textlrp.lrp.constants import memory
from textlrp.lrp.run import Run
from textlrp.lrp.structural import Structural, flatten, swap
from textlrp.lrp.tables import WRITES, adds
from textlrp.lrp.tape import Node, Samples, Tape, Var

__all__ = ["revive", "write"]


class Alias(Node):
    """A tensor that shares memory with one that was written to: some of its elements are new, the others as before."""

    operation = "alias"

    def __init__(
        self, old: Var | None, before: torch.Tensor, new: Var, mine: torch.Tensor, theirs: torch.Tensor, size: int
    ) -> None:
        self.old, self.before, self.new = old, before, new
        self.inputs = (new,) if old is None else (old, new)
        self.mine, self.theirs, self.size = mine, theirs, size

    def backward(self, run: Run) -> None:
        """Send what lies under the written elements to the new tensor, the rest to the old."""
        out = self.outputs[0]
        covered = torch.zeros(self.size, dtype=torch.bool, device=self.mine.device)
        covered[self.theirs.reshape(-1)] = True
        kept = ~covered[self.mine]
        for part in ("c", "r"):
            arrived = getattr(out, part)
            if arrived is None:
                continue
            memory = torch.zeros(self.size, dtype=arrived.dtype, device=arrived.device).index_add_(
                0, self.mine.reshape(-1), arrived.reshape(-1)
            )
            self.new.add(**{part: memory[self.theirs]})
            if self.old is not None:
                self.old.add(**{part: arrived * kept})
            else:
                run.book("bias", out, arrived * kept * (self.before if part == "c" else 1.0))

    def samples(self, output: Var) -> Samples:
        """As before the write, or from the tensor that was written."""
        memory = torch.full((self.size,), torch.nan, dtype=torch.float64, device=self.mine.device)
        for var, places in ((self.old, self.mine), (self.new, self.theirs)):
            if var is not None:
                memory[places.reshape(-1)] = var.samples().spread(var.shape, self.mine.device).double().reshape(-1)
        return Samples.compress(memory[self.mine])


class Overwritten(Structural):
    """A tensor some elements of which were written over, or added to."""

    def samples(self, output: Var) -> Samples:
        """As before where constants were written: they belong to the texts whose places they take."""
        target = self.args[0]
        if isinstance(target, Var) and self.inputs == (target,):
            return target.samples()
        return super().samples(output)


def _places(tensor: torch.Tensor) -> tuple[torch.Tensor, int]:
    size = tensor.untyped_storage().nbytes() // tensor.element_size()
    places = torch.arange(size, device=tensor.device)
    return places.as_strided(tensor.size(), tensor.stride(), tensor.storage_offset()), size


def _written(tensor: torch.Tensor) -> torch.Tensor:
    """Tell of each place of the memory whether it belongs to a tensor."""
    places, size = _places(tensor)
    found = torch.zeros(size, dtype=torch.bool, device=tensor.device)
    found[places.reshape(-1)] = True
    return found


def _under(written: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
    return written.as_strided(tensor.size(), tensor.stride(), tensor.storage_offset())


def write(tape: Tape, again: Callable[..., Any], func: Callable[..., Any], name: str, args: Any, kwargs: Any) -> Any:
    """Run an in-place function on args[0]; `again` runs the out-of-place twin under watch."""
    target = args[0]
    base = target._base if target._is_view() else None
    revive(tape, base)
    old = tape.find(target)
    fresh = {id(target): target.clone()}  # how each tensor was before the write, which may read what it overwrites
    written = _written(target)
    others: list[tuple[Var | None, torch.Tensor, torch.Tensor]] = []
    if base is not None and tape.find(base) is None and base.is_floating_point():
        others.append((None, base, base.clone()))
    for var in tape.sharing(target):
        value = var.value
        if var is old or var.ids or not bool(_under(written, value).any()):
            continue
        before = fresh.setdefault(id(value), value.clone())
        if tape.find(value) is var:
            others.append((var, value, before))
            tape.keep(var, before)
            tape.put(var)
        else:  # the tensor was given back by an operation since, such as contiguous, and has a newer name
            tape.keep(var, before)
    if old is not None:
        tape.keep(old, fresh[id(target)])
        tape.put(old)
    args, kwargs = swap((args, kwargs), lambda leaf: fresh.get(id(leaf), leaf))
    if name in WRITES:
        _assign(tape, func, name, target, args, kwargs)
    else:
        result = again(_twin(name), args, kwargs)
        new = tape.find(result)
        with torch._C.DisableTorchFunction():
            if result.shape == target.shape:
                target.copy_(result)
            else:  # transpose_, squeeze_…
                func(*(target, *args[1:]), **kwargs)
        if new is not None and new is not old:
            tape.keep(new, target)
            tape.put(new)
    new = tape.find(target)
    if new is not None:
        tape.written.add(memory(target))
        _alias(tape, new, others)
    return target


def _twin(name: str) -> Callable[..., Any]:
    """Return the out-of-place twin of an in-place function: of Tensor's, or else of torch.nn.functional."""
    found = next((each for each in (torch.Tensor, functional, torch) if hasattr(each, name[:-1])), None)
    if found is None:
        raise RelevanceError(f"{name!r} writes in place, and has no twin that does not; write it out of place")
    twin: Callable[..., Any] = getattr(found, name[:-1])
    return twin


def revive(tape: Tape, *given: Any) -> None:
    """Put tensors on the tape that were constants when they were made, and share memory with what was written since."""
    for leaf in flatten(given):
        if isinstance(leaf, dict):
            revive(tape, *leaf.values())
        elif (
            isinstance(leaf, torch.Tensor)
            and tape.find(leaf) is None
            and leaf.is_floating_point()
            and memory(leaf) in tape.written
        ):
            _follow(tape, leaf)


def _follow(tape: Tape, tensor: torch.Tensor) -> None:
    """Put a tensor on the tape that shares memory with tensors that are there, the largest first, as far as they cover it."""
    sharing = [var for var in tape.sharing(tensor) if tape.find(var.value) is var and not var.ids]
    before = tensor.clone()
    for var in sorted(sharing, key=lambda var: -var.value.numel()):
        covered = _under(_written(var.value), tensor)
        if bool(covered.any()):
            theirs, size = _places(var.value)
            tape.record(Alias(tape.find(tensor), before, var, _places(tensor)[0], theirs, size), tensor)
            if bool(covered.all()):
                break


def _assign(tape: Tape, func: Callable[..., Any], name: str, target: torch.Tensor, args: Any, kwargs: Any) -> None:
    def twin(start: torch.Tensor, *rest: Any, **options: Any) -> torch.Tensor:
        fresh = start.clone()
        func(fresh, *rest, **options)
        return fresh

    node = Overwritten(twin, "index_add" if adds(name, args, kwargs) else "slice_scatter", tape, args, kwargs)
    node.constants = True
    with torch._C.DisableTorchFunction():
        func(target, *args[1:], **kwargs)
    if node.inputs:
        tape.record(node, target)


def _alias(tape: Tape, new: Var, others: list[tuple[Var | None, torch.Tensor, torch.Tensor]]) -> None:
    theirs, size = _places(new.value)
    for old, tensor, before in others:
        tape.record(Alias(old, before, new, _places(tensor)[0], theirs, size), tensor)
