"""One walk backwards over the tape: the choices it goes by, and the ledger it fills."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch.nn import functional

from textlrp.lrp.attribution import LayerRelevance
from textlrp.lrp.composite import Composite, Layer
from textlrp.lrp.gates import Gate
from textlrp.lrp.numbers import wide
from textlrp.lrp.rule import Rule
from textlrp.lrp.tape import Node, Tape, Var

__all__ = ["ALWAYS", "SUMMABLE", "Run"]

ALWAYS = ("words", "bias", "stabiliser", "initial_state", "padding")
SUMMABLE = {torch.float32: 1e-20, torch.float64: 1e-100}  # a smaller sum cannot share out relevance; it is booked as stabiliser


class Run:
    """What every node needs on the way back: rule and gate choices, the ledger, the relevance of layers."""

    def __init__(
        self,
        composite: Composite,
        gate: Gate,
        source: Var,
        *,
        batch: int,
        dtype: torch.dtype,
        device: torch.device,
        layers: bool,
        steps: bool,
    ) -> None:
        self.composite = composite
        self.gate = gate
        self.batch = batch
        self.dtype = dtype
        self._nothing = torch.zeros(batch, dtype=dtype, device=device)
        self.ledger = dict.fromkeys(ALWAYS, self._nothing)  # added to, never written into
        self.steps = steps
        self.layers: dict[str, LayerRelevance] | None = {} if layers else None
        self.ids = source.value
        self.words = torch.zeros(source.value.numel(), dtype=dtype, device=device) if source.ids else self._nothing  # [B·T]
        self._absorbed: torch.Tensor | None = None
        self.delivered = self.ledger["words"]  # [B], by the embedding that was met last
        self.over_time: dict[str, list[Any]] = {}

    def walk(self, tape: Tape) -> None:
        """Go through the tape from its end, and let go of each node as soon as its relevance has been passed on."""
        while tape.nodes:
            node = tape.nodes.pop()
            for out in node.outputs:
                if out.reached:
                    self._pass(node)
                    break
            node.forget()
        self._add_steps()

    def _pass(self, node: Node) -> None:
        if self.layers is None or not node.place:
            node.backward(self)
            return
        before = {id(v): (v.c, v.r) for v in node.inputs}
        reads = any(var.ids for var in node.inputs)
        out = self.ledger["words"] if reads else self._total(tuple(var for var in node.outputs if var not in node.inside))
        self._absorbed = None
        node.backward(self)
        self._note(node, out, before)

    def _add_steps(self) -> None:
        for name, levels in self.over_time.items():
            assert self.layers is not None
            hidden, cell = (None if levels[0][k] is None else _joined([level[k] for level in levels]) for k in (0, 1))
            self.layers[name] = replace(self.layers[name], hidden=hidden, cell=cell)

    def rule(self, layer: Callable[[], Layer]) -> Rule:
        """Return the rule for a layer, which is described only if the composite has to tell it from others."""
        return self.composite.rule_for(layer()) if self.composite.rules else self.composite.default

    def book(self, key: str, var: Var, amount: torch.Tensor, times: float = 1.0) -> None:
        """Add `amount`, which has the shape of `var`, so many times to an entry of the ledger, text by text."""
        total = var.samples().total(amount, self.batch)
        self.book_total(key, total if times == 1 else total * times)

    def book_product(self, key: str, var: Var, one: torch.Tensor, other: torch.Tensor, work: torch.Tensor) -> None:
        """Book one · other, element by element, each in the shape of `var`; `work` is overwritten."""
        samples = var.samples()
        if one.dim() == 2 and samples.dim == 0 and samples.index is None:
            self.book_total(key, torch.linalg.vecdot(one, other))
        else:
            self.book_total(key, samples.total(torch.mul(one, other, out=work), self.batch))

    def book_total(self, key: str, amount: torch.Tensor) -> None:
        """Add `amount` [B] to an entry of the ledger."""
        held = self.ledger.get(key)
        if held is None:
            if not bool((amount != 0).any()):
                return
            self.ledger[key] = amount
        else:
            first = held is self._nothing and amount.dtype == held.dtype
            self.ledger[key] = amount if first else held + amount
        if self.layers is not None:
            self._absorbed = amount if self._absorbed is None else self._absorbed + amount

    def carry(self, var: Var) -> torch.Tensor | None:
        """Return all relevance of `var` as a carry: R = a · c; what has no activation to hold on to is booked."""
        if var.r is None:
            return var.c
        value = wide(var.value)
        faint = value.abs() < SUMMABLE[value.dtype]
        c = (var.r / value.masked_fill(faint, 1.0)).masked_fill_(faint, 0.0)
        if bool(faint.any()):
            self.book("stabiliser", var, var.r * faint)
        return c if var.c is None else var.c + c

    def texts(self, var: Var, amount: torch.Tensor) -> torch.Tensor:
        """Sum an amount in the shape of `var` text by text: [B]."""
        return var.samples().total(amount, self.batch)

    def note_steps(self, node: Node, hidden: list[Any], cell: list[Any], orders: list[Any]) -> None:
        """Keep the relevance of h and c over time, [levels, B, T], in the order of the texts and of their words."""
        found: list[torch.Tensor | None] = []
        for parts in (hidden, cell):
            if parts[0] is None:
                found.append(None)
                continue
            rows = [order.unread(part) for order, part in zip(orders, parts, strict=True)]  # [B', T] each
            index = node.outputs[0].samples().index
            level = torch.zeros(len(rows), self.batch, rows[0].shape[1], dtype=self.dtype, device=rows[0].device)
            at = (
                torch.arange(self.batch, device=level.device)[: rows[0].shape[0]]
                if index is None
                else index[: rows[0].shape[0]]
            )
            level[:, at] = torch.stack(rows)
            found.append(level)
        self.over_time.setdefault(node.place, []).insert(0, (found[0], found[1]))

    def _total(self, variables: tuple[Var, ...]) -> torch.Tensor:
        total = torch.zeros_like(self.ledger["words"])
        for var in variables:
            if var.reached and not var.ids:
                total = total + var.samples().total(var.relevance(), self.batch)
        return total

    def _note(self, node: Node, out: torch.Tensor, before: dict[int, tuple[torch.Tensor | None, torch.Tensor | None]]) -> None:
        assert self.layers is not None
        arrived = torch.zeros_like(out)
        for var in dict.fromkeys(node.inputs):
            if var.ids:
                out = arrived = self.delivered  # an embedding gives all it gets to the words
                continue
            if not var.reached or var in node.inside:
                continue
            kept = var.c, var.r
            c, r = before[id(var)]
            var.c = kept[0] if c is None or kept[0] is None else kept[0] - c
            var.r = kept[1] if r is None or kept[1] is None else kept[1] - r
            arrived = arrived + var.samples().total(var.relevance(), self.batch)
            var.c, var.r = kept
        absorbed = torch.zeros_like(out) if self._absorbed is None else self._absorbed
        self.layers[node.place] = LayerRelevance(arrived, out, absorbed).plus(self.layers.get(node.place))


def _joined(levels: list[torch.Tensor]) -> torch.Tensor:
    """Join levels, [levels, B, T] each; those of a call with fewer words end with zeros."""
    width = max(level.shape[-1] for level in levels)
    return torch.cat([functional.pad(level, (0, width - level.shape[-1])) for level in levels])
