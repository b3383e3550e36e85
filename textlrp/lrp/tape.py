"""The tape: what the forward pass did to tensors that relevance may come back through.

Relevance at a tensor a is carried in two parts, R = a · c + r. The carry c is what a gradient would be: it passes through sums,
views and pooling exactly as a gradient does, divides by nothing, and conserves. The part r is relevance that is no multiple of
the activation; flat, w² and z-box rules, spread biases and gates make it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import torch

from textlrp.lrp.constants import Constants, memory

if TYPE_CHECKING:
    from textlrp.lrp.run import Run

__all__ = ["Node", "Samples", "Tape", "Var"]

_NOTHING = torch.empty(0)
_LARGE = 2**16  # numbers
Positions: TypeAlias = "torch.Tensor | Callable[[], torch.Tensor | None] | None"


@dataclass(frozen=True)
class Samples:
    """Which text of the batch each element of a tensor belongs to: it is told by the coordinate along one axis, or element
    by element.

    With `dim`, `index` is a vector along that axis (None: 0, 1, 2, …); without `dim`, `index` has the shape of the tensor.
    """

    dim: int | None = 0
    index: torch.Tensor | None = None

    def spread(self, shape: Sequence[int], device: torch.device) -> torch.Tensor:
        """Return the number of the text for each element, as a tensor (mostly of stride 0) of `shape`."""
        if self.dim is None:
            assert self.index is not None
            return self.index
        index = self.line(shape, device)
        return index.view([-1 if d == self.dim else 1 for d in range(len(shape))]).expand(shape)

    def line(self, shape: Sequence[int], device: torch.device) -> torch.Tensor:
        """Return the number of the text for each place along the axis that tells them apart."""
        assert self.dim is not None
        return torch.arange(shape[self.dim], device=device) if self.index is None else self.index

    def total(self, amount: torch.Tensor, batch: int) -> torch.Tensor:
        """Sum `amount` over everything but the texts: [B]."""
        if self.dim == 0 and self.index is None:
            many = amount.dim()
            return amount.sum(1) if many == 2 else amount.flatten(1).sum(1) if many > 2 else amount
        if self.dim is not None:
            rest = [d for d in range(amount.dim()) if d != self.dim]
            amount = amount.sum(rest) if rest else amount
            if self.index is None:
                return amount
        assert self.index is not None
        index = self.index.reshape(-1).clamp(max=batch - 1)  # a buffer may have rows beyond the texts: nobody's
        return amount.new_zeros(batch).index_add_(0, index, amount.reshape(-1))

    @staticmethod
    def compress(index: torch.Tensor) -> Samples:
        """Describe an element-wise `index` (NaN: any text) by one axis where that is possible."""
        if not index.numel():
            # nothing to tell it by; texts mostly come first
            return Samples(0, None if index.shape[0] else index.new_zeros(0, dtype=torch.long))
        wild = index.isnan() if index.is_floating_point() else torch.zeros((), dtype=torch.bool)
        filled = index.masked_fill(wild, -1)
        for dim in range(index.dim()):
            rest = [d for d in range(index.dim()) if d != dim]
            line = filled.amax(rest, keepdim=True) if rest else filled
            if index.numel() and bool(((index == line) | wild).all()):
                line = line.reshape(-1).long()
                order = torch.arange(len(line), device=line.device)
                ordered = bool(((line == order) | (line < 0)).all())  # the texts in their order, some of which are not known
                return Samples(dim, order if ordered else line.clamp(min=0))
        return Samples(None, filled.clamp(min=0).long().contiguous())


class Var:
    """A tensor of the forward pass that relevance may come back to."""

    __slots__ = ("_positions", "_samples", "c", "gate", "ids", "needed", "node", "r", "shape", "summed", "total", "value")

    def __init__(
        self,
        value: torch.Tensor,
        node: Node | None,
        *,
        gate: bool = False,
        samples: Samples | Callable[[], Samples] | None = None,
    ) -> None:
        self.value = value
        self.shape = value.shape
        self.node = node
        self.gate = gate  # made by a sigmoid, a softmax, or 1 − gate
        self.needed = False  # a node will read the value on the way back, so an in-place write has to keep a copy
        self.c: torch.Tensor | None = None
        self.r: torch.Tensor | None = None
        self.summed = False  # only the sum of the relevance over the last axis is asked for, and may be given as `total`
        self.total: torch.Tensor | None = None
        self.ids = False  # made of ids
        self._positions: Positions = None
        self._samples = samples

    @property
    def reached(self) -> bool:
        """Whether any relevance has come back to this tensor."""
        return self.c is not None or self.r is not None or self.total is not None

    @property
    def positions(self) -> torch.Tensor | None:
        """Of ids only: where in [B·T] each element came from, −1 for nowhere; None where that cannot be told."""
        if callable(self._positions):
            self._positions = self._positions()
        return self._positions

    @positions.setter
    def positions(self, positions: Positions) -> None:
        self._positions = positions

    def samples(self) -> Samples:
        """Return which text each element belongs to."""
        if self._samples is None:
            waiting = [self]
            while (first := waiting[-1]._before()) is not None:  # from the earliest on: a long loop is not a deep recursion
                waiting.append(first)
            for var in reversed(waiting):
                assert var.node is not None
                var._samples = var.node.samples(var)
            assert isinstance(self._samples, Samples)
        elif not isinstance(self._samples, Samples):
            self._samples = self._samples()
        return self._samples

    def _before(self) -> Var | None:
        """Return the first input of the node, if it has to be asked first."""
        first = self.node.inputs[0] if self.node is not None and self.node.inputs else None
        return first if first is not None and first._samples is None else None

    def add(self, c: torch.Tensor | None = None, r: torch.Tensor | None = None) -> None:
        """Take relevance that comes back: a carry, relevance proper, or both."""
        if c is not None:
            self.c = c if self.c is None else self.c + c
        if r is not None:
            self.r = r if self.r is None else self.r + r

    def add_total(self, total: torch.Tensor) -> None:
        """Take relevance that comes back, summed over the last axis."""
        self.total = total if self.total is None else self.total + total

    def relevance(self) -> torch.Tensor:
        """Return R = a · c + r, in the shape of the tensor."""
        if self.c is None:
            return torch.zeros(self.shape, device=self.value.device) if self.r is None else self.r
        product = self.value * self.c
        if math.isnan(product.sum().item()):  # −inf · 0 of a masked maximum is no relevance
            product = torch.where(self.c == 0, 0.0, product)
        return product if self.r is None else product + self.r


class Node:
    """One operation of the forward pass; a subclass knows how relevance goes back through it."""

    inputs: tuple[Var, ...] = ()
    outputs: tuple[Var, ...] = ()
    operation: str = ""
    place: str = ""
    inside: tuple[Var, ...] = ()  # inputs and outputs that lie within the layer `place`, between two of its nodes
    reads: bool = True  # whether the values of its outputs are read on the way back
    light: bool = False  # whether it reads no values but those, and those of inputs that it says are needed

    def backward(self, run: Run) -> None:
        """Bring the relevance of the outputs back to the inputs, and book what is absorbed."""
        raise NotImplementedError

    def samples(self, output: Var) -> Samples:
        """Return which text each element of `output` belongs to; here: as in the first input."""
        return self.inputs[0].samples()

    def forget(self) -> None:
        """Let go of all tensors, and of the outputs, which know this node: else only the garbage collector would find them."""
        for var in self.outputs:
            var.value = _NOTHING
            var.node = var.c = var.r = var.total = None
        vars(self).clear()


class Tape:
    """Every node in the order of the forward pass, and the tensors they made."""

    def __init__(self, *, gates: bool = False, lean: bool = False, named: bool = True) -> None:
        self.gates = gates  # whether recurrent layers are to keep their gates
        self.lean = lean  # whether all relevance is a carry, by rules that do not read a layer's input
        self.named = named  # whether anybody asks for the names of layers
        self.nodes: list[Node] = []
        self.constants = Constants(self.nodes)
        self._vars: dict[int, Var] = {}
        self._order: list[Var] = []
        self._indexed = 0
        self.written: set[int] = set()  # memories that activations were written into
        self._by_storage: dict[int, list[Var]] = {}
        self._made: dict[int, torch.Tensor] = {}

    def find(self, thing: Any) -> Var | None:
        """Return what is known of a tensor, or None for a constant (a parameter, a mask, an initial state…)."""
        var = self._vars.get(id(thing))
        return var if var is not None and var.value is thing else None

    def put(self, var: Var) -> Var:
        """Remember `var` under its tensor."""
        self._vars[id(var.value)] = var
        self._order.append(var)
        return var

    def keep(self, var: Var, value: torch.Tensor) -> None:
        """Let `var` hold another tensor from now on, and forget it under the old one."""
        if self._vars.get(id(var.value)) is var:
            del self._vars[id(var.value)]
        var.value = value

    def record(self, node: Node, *values: torch.Tensor, gate: bool = False) -> None:
        """Add `node`, which made `values`."""
        node.outputs = tuple(self.put(Var(value, node, gate=gate)) for value in values)
        self.nodes.append(node)

    def slim(self) -> None:
        """Let go of the large values that nobody reads on the way back."""
        if not self.lean or not all(node.light for node in self.nodes):
            return
        for var in self._order:
            kept = var.ids or var.needed or var.node is None or var.node.reads
            if not kept and var.value.numel() > _LARGE:
                var.value = var.value.new_empty(1).expand(var.shape)

    def make(self, constant: torch.Tensor) -> None:
        """Remember a constant that belongs to this batch: made by the model as it ran, or given with the texts."""
        self._made[id(constant)] = constant

    def made(self, constant: torch.Tensor) -> bool:
        """Tell whether a constant belongs to this batch, and may be an initial state; a table or a parameter does not."""
        return id(constant) in self._made

    def note(self, fresh: bool, leaves: Sequence[torch.Tensor], results: Sequence[Any], *, writing: bool) -> None:
        """Note what a function made: out of nothing or of the batch's own constants, another; else none, nor what it wrote."""
        if not fresh and not self._made:
            return
        given = [leaf for leaf in leaves if leaf.is_floating_point()]
        if fresh or (given and all(map(self.made, given))):
            for each in results:
                if isinstance(each, torch.Tensor) and each.is_floating_point():
                    self.make(each)
        elif writing and given:
            self._made.pop(id(given[0]), None)

    def summed(self, value: torch.Tensor, like: Var | None = None) -> None:
        """Say that of this tensor only the relevance summed over the last axis matters, if that is so of `like`."""
        self._vars[id(value)].summed = like is None or like.summed

    def sharing(self, tensor: torch.Tensor) -> list[Var]:
        """Return all that is known so far of tensors that share memory with `tensor`, each once."""
        for var in self._order[self._indexed :]:
            self._by_storage.setdefault(memory(var.value), []).append(var)
        self._indexed = len(self._order)
        here = memory(tensor)
        self._by_storage[here] = [var for var in dict.fromkeys(self._by_storage.get(here, [])) if memory(var.value) == here]
        return list(self._by_storage[here])
