"""Calls of torch.lstm, gru, rnn_tanh and rnn_relu: level by level, each direction for itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from textlrp.errors import RelevanceError
from textlrp.lrp.lstm import Back, Cell, lstm_all
from textlrp.lrp.names import Names
from textlrp.lrp.numbers import wide
from textlrp.lrp.rules import Plain
from textlrp.lrp.run import Run
from textlrp.lrp.sequence import Order
from textlrp.lrp.structural import structural
from textlrp.lrp.tape import Samples, Tape, Var
from textlrp.lrp.weighted import Ruled

__all__ = ["Level", "recurrent"]

KINDS: dict[str, type[nn.Module]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn_tanh": nn.RNN, "rnn_relu": nn.RNN}


class Level(Ruled):
    """One level of a recurrent layer: one or two directions over x; outputs h_1…h_T, h_n and, of an LSTM, c_n."""

    def __init__(
        self,
        operation: str,
        place: tuple[str, nn.Module],
        x: Any,
        states: list[Any],
        weights: list[tuple[torch.Tensor, ...]],
        sizes: torch.Tensor | None,
        *,
        has_biases: bool,
        batch_first: bool,
        tape: Tape,
    ) -> None:
        self.operation, self.kind = operation, KINDS[operation]
        self.place, self.module = place
        self.x, self.states = x, states
        self.known = [tape.find(x), *(tape.find(state) for state in states)]
        self.inputs = tuple(var for var in self.known if var is not None)
        for var in self.inputs:
            var.needed = True
        self.cells = [self._cell(each, has_biases=has_biases) for each in weights]
        self.sizes, self.batch_first = sizes, batch_first

    def _cell(self, weights: tuple[torch.Tensor, ...], *, has_biases: bool) -> Cell:
        parts = [wide(each.detach()) for each in weights]
        bias = parts[2] + parts[3] if has_biases else None
        rest = parts[4:] if has_biases else parts[2:]
        return Cell(parts[0], parts[1], bias, rest[0] if rest else None)

    def _value(self, place: int) -> torch.Tensor:
        var = self.known[place]
        return wide(var.value if var is not None else (self.x if place == 0 else self.states[place - 1]))

    def backward(self, run: Run) -> None:
        """Go through each direction, and add up what comes back."""
        rule = run.rule(self.layer())
        if not isinstance(rule, Plain) or rule.bias != "absorb" or not self.kind is nn.LSTM or run.gate.name != "all":
            raise RelevanceError(f"{self.place}: rule {rule.name} or gates {run.gate.name} not yet")
        out, h_n, *more = self.outputs
        carries = run.carry(out), run.carry(h_n), run.carry(more[0]) if more else None
        x = self._value(0)
        backs: list[Back | None] = []
        for d, cell in enumerate(self.cells):
            order = Order.of(x, self.sizes, batch_first=self.batch_first, reverse=d == 1)
            backs.append(self._direction(run, d, cell, order, x, carries, rule.epsilon))
        whole = [back for back in backs if back is not None]
        numbers = self._numbers(whole[0].h0)
        c_x = None
        for d, back in enumerate(backs):
            if back is None:
                continue
            order = Order.of(x, self.sizes, batch_first=self.batch_first, reverse=d == 1)
            part = order.back(back.x)
            c_x = part if c_x is None else c_x + part
            for key, amount in back.ledger.items():
                run.book_total(key, numbers(amount))
        assert c_x is not None
        if self.known[0] is not None:
            self.known[0].add(c_x)
        else:
            run.book("bias", out, torch.zeros(()))
        for place in (1, 2)[: len(self.states)]:
            var, value = self.known[place], self._value(place)
            parts = [torch.zeros_like(value[0]) if back is None else (back.h0, back.c0)[place - 1] for back in backs]
            if var is not None:
                var.add(torch.stack(parts))
            else:
                run.book_total("initial_state", numbers((torch.stack(parts) * value).sum((0, 2))))

    def _direction(
        self, run: Run, d: int, cell: Cell, order: Order, x: torch.Tensor, carries: Any, epsilon: float
    ) -> Back | None:
        c_out, c_hn, c_cn = carries
        value = wide(self.outputs[0].value)
        size = value.shape[-1] // len(self.cells)
        mine = slice(d * size, (d + 1) * size)
        h = order.see(value[..., mine])
        if c_out is None:
            q = torch.zeros_like(h)
        else:
            q = order.see(c_out[..., mine]).clone(memory_format=torch.contiguous_format)
        at = order.last(h.shape[1], h.device)
        if c_hn is not None:
            q[at, torch.arange(h.shape[1], device=h.device)] += c_hn[d]
        h0, c0 = self._value(1)[d], self._value(2)[d]
        return lstm_all(order.see(x), h, h0, c0, cell, q, None if c_cn is None else (at, c_cn[d]), epsilon, steps=run.steps)

    def _numbers(self, like: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
        samples = self.outputs[0].samples()
        width = like.shape[0]
        index = None if samples.index is None else samples.index[:width]

        def bring(amount: torch.Tensor) -> torch.Tensor:
            return Samples(0, index).total(amount, self.batch)

        return bring

    batch: int = 0

    def samples(self, output: Var) -> Samples:
        """Outputs as x; the states' second axis is the batch."""
        own = self.known[0].samples() if self.known[0] is not None else Samples(0 if self.batch_first else 1)
        if output is self.outputs[0]:
            return own
        width = output.shape[1]
        return Samples(1, None if own.index is None else own.index[:width])


def recurrent(tape: Tape, names: Names, func: Callable[..., Any], name: str, args: tuple[Any, ...], batch: int) -> Any:
    """Run a recurrent layer level by level in evaluation mode, and put each level on the tape."""
    packed = isinstance(args[1], torch.Tensor) and not args[1].is_floating_point()
    if packed:
        x, sizes, hx, flat, has_biases, levels, _, _, bidirectional = args
        batch_first = False
    else:
        x, hx, flat, has_biases, levels, _, _, bidirectional, batch_first = args
        sizes = None
    states = list(hx) if isinstance(hx, (tuple, list)) else [hx]
    watched = any(tape.find(each) is not None for each in (x, *states))
    if not watched:
        return func(*args)
    directions = 2 if bidirectional else 1
    per = len(flat) // (levels * directions)
    place = names.layer(flat[0], name)
    ends: list[list[torch.Tensor]] = []
    for level in range(levels):
        rows = slice(level * directions, (level + 1) * directions)
        mine = [tuple(flat[d * per : (d + 1) * per]) for d in range(level * directions, (level + 1) * directions)]
        parts = states if levels == 1 else [_rows(tape, state, rows) for state in states]
        given = tuple(parts) if len(parts) > 1 else parts[0]
        tail = [has_biases, 1, 0.0, False, bidirectional]
        weights = [weight for each in mine for weight in each]
        call = (x, sizes, given, weights, *tail) if packed else (x, given, weights, *tail, batch_first)
        out, *end = func(*call)
        node = Level(name, place, x, parts, mine, sizes, has_biases=has_biases, batch_first=batch_first, tape=tape)
        node.batch = batch
        tape.record(node, out, *end)
        ends.append(end)
        x = out
    if levels == 1:
        return (x, *ends[0])
    return (x, *(structural(torch.cat, "cat", tape, (list(each),), {}) for each in zip(*ends, strict=True)))


def _rows(tape: Tape, state: torch.Tensor, rows: slice) -> torch.Tensor:
    part: torch.Tensor = structural(torch.Tensor.__getitem__, "__getitem__", tape, (state, rows), {})
    return part
