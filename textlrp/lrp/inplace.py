"""In-place operations: x += y, out[:, t] = h, relu_(x)… The tape keeps versions: the old tensor, the new one, and what
shares memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from textlrp.errors import RelevanceError
from textlrp.lrp.run import Run
from textlrp.lrp.structural import Structural, swap
from textlrp.lrp.tables import WRITES, adds
from textlrp.lrp.tape import Node, Samples, Tape, Var

__all__ = ["write"]


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


class Write(Structural):
    """A write into a tensor."""

    def samples(self, output: Var) -> Samples:
        """A constant that is written takes the place of what was there; else trying it out will tell."""
        alone = len(self.inputs) == 1 and self.args[0] is self.inputs[0]
        return self.inputs[0].samples() if alone else super().samples(output)


def _places(tensor: torch.Tensor) -> tuple[torch.Tensor, int]:
    size = tensor.untyped_storage().nbytes() // tensor.element_size()
    places = torch.arange(size, device=tensor.device)
    return places.as_strided(tensor.size(), tensor.stride(), tensor.storage_offset()), size


def write(tape: Tape, again: Callable[..., Any], func: Callable[..., Any], name: str, args: Any, kwargs: Any) -> Any:
    """Run an in-place function on args[0]; `again` runs the out-of-place twin under watch."""
    target = args[0]
    old = tape.find(target)
    others: list[tuple[Var | None, torch.Tensor, torch.Tensor]] = []
    sharing = [var for var in tape.sharing(target) if var is not old and not var.ids]
    base = target._base if target._is_view() else None
    loose = base is not None and tape.find(base) is None and base.is_floating_point()
    snapshot = target.clone()
    for var in sharing:
        others.append((var, var.value, var.value))
        tape.keep(var, var.value.clone() if var.needed else var.value)
    if loose and base is not None:
        others.append((None, base, base.clone()))
    if old is not None:
        tape.keep(old, snapshot)
        tape.put(old)
    args = swap(args, lambda leaf: snapshot if leaf is target else leaf)
    if name in WRITES:
        _assign(tape, func, name, target, args, kwargs)
    else:
        result = again(_twin(name), (snapshot, *args[1:]), kwargs)
        new = tape.find(result)
        with torch._C.DisableTorchFunction():
            target.copy_(result)
        if new is not None and new is not old:
            tape.keep(new, target)
            tape.put(new)
    new = tape.find(target)
    if new is not None:
        _alias(tape, new, others)
    return target


def _twin(name: str) -> Callable[..., Any]:
    """Return the out-of-place twin of an in-place function: of Tensor's, or else of torch.nn.functional."""
    found = next((each for each in (torch.Tensor, functional, torch) if hasattr(each, name[:-1])), None)
    if found is None:
        raise RelevanceError(f"{name!r} writes in place, and has no twin that does not; write it out of place")
    twin: Callable[..., Any] = getattr(found, name[:-1])
    return twin


def _assign(tape: Tape, func: Callable[..., Any], name: str, target: torch.Tensor, args: Any, kwargs: Any) -> None:
    def twin(start: torch.Tensor, *rest: Any, **options: Any) -> torch.Tensor:
        fresh = start.clone()
        func(fresh, *rest, **options)
        return fresh

    node = Write(twin, "index_add" if adds(name, args, kwargs) else "slice_scatter", tape, args, kwargs)
    node.constants = True
    with torch._C.DisableTorchFunction():
        func(target, *args[1:], **kwargs)
    if node.inputs:
        tape.record(node, target)


def _alias(tape: Tape, new: Var, others: list[tuple[Var | None, torch.Tensor, torch.Tensor]]) -> None:
    theirs, size = _places(new.value)
    for old, tensor, before in others:
        mine, _ = _places(tensor)
        covered = torch.zeros(size, dtype=torch.bool, device=mine.device)
        covered[theirs.reshape(-1)] = True
        if bool(covered[mine].any()):
            tape.record(Alias(old, before, new, mine, theirs, size), tensor)
        elif old is not None:
            tape.keep(old, tensor)
            tape.put(old)
