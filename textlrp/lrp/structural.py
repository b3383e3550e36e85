"""Operations that need no rule: copies, sums and selections, which a gradient carries back and conserves.

One node does them all. It runs the operation again, on zeros where it is linear, and asks autograd for the transposed map.
What a constant addend contributes is the result for zero input, and is booked as bias.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from textlrp.lrp.follow import filled, follow
from textlrp.lrp.numbers import wide, widened
from textlrp.lrp.quick import QUICK
from textlrp.lrp.run import Run
from textlrp.lrp.tables import COPIES, FILLING, LIKE, SELECTIONS, adds
from textlrp.lrp.tape import Node, Samples, Tape, Var

__all__ = ["Structural", "flatten", "structural", "swap"]


def flatten(result: Any) -> list[Any]:
    """Return the tensors and other leaves of a nest of tuples and lists.

    >>> flatten((1, [2, (3,)]))
    [1, 2, 3]
    """
    if not isinstance(result, (tuple, list)):
        return [result]
    leaves: list[Any] = []
    for part in result:
        if isinstance(part, (tuple, list)):
            leaves += flatten(part)
        else:
            leaves.append(part)
    return leaves


def swap(thing: Any, change: Callable[[Any], Any]) -> Any:
    """Return a nest of tuples, lists and dicts with every leaf changed."""
    if isinstance(thing, (tuple, list)):
        parts = [swap(part, change) for part in thing]
        return type(thing)(*parts) if hasattr(thing, "_fields") else type(thing)(parts)
    if isinstance(thing, dict):
        return {key: swap(value, change) for key, value in thing.items()}
    if isinstance(thing, slice):
        return thing
    return change(thing)


class Structural(Node):
    """A copy, sum or selection of any shape, by any torch function."""

    light = True

    def __init__(self, func: Callable[..., Any], name: str, tape: Tape, args: Any, kwargs: Any) -> None:
        found: dict[int, Var] = {}
        constants = name in FILLING

        def change(leaf: Any) -> Any:
            nonlocal constants
            var = tape.find(leaf)
            if var is None:
                constants = constants or (isinstance(leaf, torch.Tensor) and leaf.is_floating_point())
                return leaf
            if var.ids:
                return leaf
            found[id(var)] = var
            return var

        self.func, self.operation = func, name
        if name in LIKE:
            self.args, self.kwargs = (change(args[0]), *args[1:]), kwargs
        else:
            self.args, self.kwargs = swap(args, change), swap(kwargs, change)
        self.inputs = tuple(found.values())
        self.constants = constants
        self.reads = name in SELECTIONS
        if self.reads:
            for var in self.inputs:
                var.needed = True

    def again(self, stand_in: Callable[[Var], torch.Tensor]) -> list[torch.Tensor]:
        """Run the operation with other tensors in the place of its inputs, and return the tensors it makes; constants of half
        precision are widened, as inputs are."""

        def change(leaf: Any) -> Any:
            return stand_in(leaf) if isinstance(leaf, Var) else wide(leaf) if isinstance(leaf, torch.Tensor) else leaf

        result = self.func(*swap(self.args, change), **swap(self.kwargs, change))
        return [leaf for leaf in flatten(result) if isinstance(leaf, torch.Tensor)]

    def backward(self, run: Run) -> None:
        """Carry relevance back as a gradient, c everywhere and r where elements are only copied."""
        if self._quickly(run):
            return
        selecting = self.operation in SELECTIONS
        copying = self.operation in COPIES
        leaves = {
            id(var): (
                wide(var.value).detach()
                if selecting
                else torch.zeros((), dtype=widened(var.value.dtype), device=var.value.device).expand(var.shape).detach()
            )
            for var in self.inputs
        }
        with torch.enable_grad():
            for leaf in leaves.values():
                leaf.requires_grad_()
            results = self.again(lambda var: leaves[id(var)])
        floating = [each for each in results if each.is_floating_point()]
        if (
            self.operation in ("rsub", "sub") and self.outputs[0].gate
        ):  # 1 − gate: what the gate rule gives it passes to the gate
            given = self.outputs[0].r
            self.inputs[0].add(r=None if given is None else given.sum_to_size(self.inputs[0].shape))
            self.outputs[0].r = None
        pairs = [(out, result) for out, result in zip(self.outputs, floating, strict=True) if out.reached]
        carries = [(out, result, out.c if copying else run.carry(out)) for out, result in pairs]
        self._back(list(leaves.values()), [(result, c) for _, result, c in carries if c is not None], "c")
        if copying:
            self._back(list(leaves.values()), [(result, out.r) for out, result in pairs if out.r is not None], "r")
        if self.constants:
            self._book_constants(run, carries, copying=copying, selecting=selecting)

    @property
    def quick(self) -> bool:
        """Whether one input comes first, and nothing is named: what a transpose by hand needs at least."""
        return len(self.inputs) == 1 and bool(self.args) and self.args[0] is self.inputs[0]

    def _quickly(self, run: Run) -> bool:
        """Use the hand-made transpose, where there is one and a single input comes first; cut what was put together."""
        if self.operation == "cat":
            return self._cut()
        back = QUICK.get(self.operation)
        if back is None or not self.quick:
            return False
        (x,), y = self.inputs, self.outputs[0]
        if y.total is not None:
            x.add_total(back(run, x, y, self.args[1:], self.kwargs, y.total))
            if y.c is None and y.r is None:
                return True
        copying = self.operation in COPIES
        if copying and y.r is not None and self.constants:
            return False
        c = y.c if copying else run.carry(y)
        found = None if c is None else back(run, x, y, self.args[1:], self.kwargs, c)
        if found is NotImplemented:
            y.c, y.r = c, y.r if copying else None
            return False
        x.add(found, None if y.r is None or not copying else back(run, x, y, self.args[1:], self.kwargs, y.r))
        return True

    def _cut(self) -> bool:
        """Give each part of `cat` its own, if none of them is a constant."""
        given, y = dict(zip(("tensors", "dim"), self.args, strict=False)) | self.kwargs, self.outputs[0]
        parts, dim = given.get("tensors"), given.get("dim", 0)
        if set(given) - {"tensors", "dim"} or not all(isinstance(var, Var) and len(var.shape) == len(y.shape) for var in parts):
            return False
        cuts = [None if part is None else part.split([var.shape[dim] for var in parts], dim) for part in (y.c, y.r)]
        for at, var in enumerate(parts):
            var.add(*(None if cut is None else cut[at] for cut in cuts))
        return True

    def _back(self, leaves: list[torch.Tensor], pairs: list[tuple[torch.Tensor, torch.Tensor]], part: str) -> None:
        pairs = [(result, c.to(result.dtype)) for result, c in pairs if result.requires_grad]
        if not pairs:
            return
        results, given = zip(*pairs, strict=True)
        back = torch.autograd.grad(results, leaves, given, allow_unused=True, retain_graph=True)
        for var, c in zip(self.inputs, back, strict=True):
            if c is not None:
                var.add(**{part: c})

    def _book_constants(
        self, run: Run, carries: list[tuple[Var, torch.Tensor, torch.Tensor | None]], *, copying: bool, selecting: bool
    ) -> None:
        marks: list[torch.Tensor] = []
        if selecting or (copying and any(out.r is not None for out, _, _ in carries)):
            with torch.no_grad():  # where the output is a constant, it does not feel a NaN put in for the input
                blank = self.again(
                    lambda var: torch.full(var.shape, torch.nan, dtype=widened(var.value.dtype), device=var.value.device)
                )
                marks = [each for each in blank if each.is_floating_point()]
        for place, (out, result, c) in enumerate(carries):
            value = wide(out.value) if selecting else result.detach()
            if c is not None:
                fixed = torch.where(c == 0, 0.0, value * c)
                run.book("bias", out, fixed if not selecting else fixed * 0)
            if copying and out.r is not None and len(marks) == len(carries):
                run.book("bias", out, out.r * ~marks[place].isnan())

    def samples(self, output: Var) -> Samples:
        """Read the axis of the texts from the arguments, or run the operation on their numbers instead of the values."""
        followed = follow(self.operation, self.args, self.kwargs, self.inputs, output)
        if followed is not None:
            return followed

        at = [id(each) for each in self.outputs].index(id(output))
        adding = self.operation not in COPIES and self.operation not in SELECTIONS
        fill = 0.0 if adding else torch.nan  # NaN: any text's
        constants: list[Callable[[torch.Tensor], torch.Tensor]] = [
            lambda leaf: torch.full_like(leaf, fill, dtype=torch.float64)
        ]
        if self.operation == "einsum":  # factors, which may pick the elements of one text, or none
            constants = [lambda leaf: leaf.abs().double(), lambda leaf: torch.ones_like(leaf, dtype=torch.float64)]

        def numbers(number: Callable[[Var], torch.Tensor], constant: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
            def change(leaf: Any) -> Any:
                if isinstance(leaf, Var):
                    return number(leaf)
                return constant(leaf) if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() else leaf

            args, kwargs = filled(self.operation, swap(self.args, change), swap(self.kwargs, change))
            result = flatten(self.func(*args, **kwargs))
            return [leaf for leaf in result if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()][at]

        texts: torch.Tensor | None = None
        for constant in constants:
            found = numbers(lambda var: var.samples().spread(var.shape, var.value.device).double(), constant)
            if adding:  # a sum of one text's numbers, divided by how many there were
                ones = numbers(lambda var: torch.ones(var.shape, dtype=torch.float64, device=var.value.device), constant)
                found = (found / ones).round()
            texts = found if texts is None else torch.where(texts.isnan(), found, texts)
        assert texts is not None
        return Samples.compress(texts)


def structural(func: Callable[..., Any], name: str, tape: Tape, args: Any, kwargs: Any) -> Any:
    """Run a copy, sum or selection, and put it on the tape."""
    result = func(*args, **kwargs)
    node = Structural(func, "index_add" if adds(name, args, kwargs) else name, tape, args, kwargs)
    values = [leaf for leaf in flatten(result) if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()]
    if node.inputs and values:
        gate = node.operation in COPIES and all(var.gate for var in node.inputs)
        tape.record(node, *values, gate=gate)
        if (
            name == "index_select"
            and node.quick
            and len(args) == 3
            and not kwargs
            and args[1] % args[0].dim() < args[0].dim() - 1
        ):
            tape.summed(result, node.inputs[0])
    return result
