"""One level of a recurrent layer on the way back: which walk each direction takes, and what comes back to whom."""

from __future__ import annotations

import torch
from torch import nn

from textlrp.errors import RelevanceError
from textlrp.lrp import forward_steps, stepwise, stepwise_lstm
from textlrp.lrp.cells import Above, Back, Cell
from textlrp.lrp.gru import gru_all
from textlrp.lrp.lstm import Direction, lstm_all
from textlrp.lrp.numbers import wide
from textlrp.lrp.rows import Rows
from textlrp.lrp.rule import Plain, Rule
from textlrp.lrp.rules import Gamma, ZBox
from textlrp.lrp.run import Run
from textlrp.lrp.sequence import Order
from textlrp.lrp.tape import Samples, Tape, Var
from textlrp.lrp.weighted import Ruled

__all__ = ["CELLS", "KINDS", "Level"]

KINDS: dict[str, type[nn.Module]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn_tanh": nn.RNN, "rnn_relu": nn.RNN}
CELLS: dict[str, type[nn.Module]] = {
    "lstm_cell": nn.LSTMCell,
    "gru_cell": nn.GRUCell,
    "rnn_tanh_cell": nn.RNNCell,
    "rnn_relu_cell": nn.RNNCell,
}


class Level(Ruled):
    """One level of a recurrent layer: one or two directions over x; outputs h_1…h_T, h_n and, of an LSTM, c_n.

    A cell called by hand is a level of one step, whose only outputs are h and c.
    """

    light = True

    def __init__(
        self,
        operation: str,
        place: tuple[str, nn.Module],
        x: torch.Tensor,
        states: list[torch.Tensor],
        weights: list[tuple[torch.Tensor, ...]],
        sizes: torch.Tensor | None,
        tape: Tape,
        *,
        has_biases: bool,
        batch_first: bool,
        kept: torch.Tensor | None = None,
        seen: torch.Tensor | None = None,
        worked: list[forward_steps.Worked] | None = None,
    ) -> None:
        self.operation = operation
        self.single = operation in CELLS
        self.kind = CELLS[operation] if self.single else KINDS[operation]
        self.place, self.module = place
        self.given = [x, *states]
        self.known = [tape.find(each) for each in self.given]
        self.inputs = tuple(dict.fromkeys(var for var in self.known if var is not None))
        for var in self.inputs:
            var.needed = True
        self.cells = [_cell(each, has_biases=has_biases) for each in weights]
        self.sizes, self.batch_first, self.kept = sizes, batch_first, kept  # i g and c, [2, D, N, H], or None
        self.seen = seen  # x as rows, if it was copied anyway
        self.worked = worked  # in place of them, with all pre-activations

    def _value(self, place: int) -> torch.Tensor:
        var = self.known[place]
        return self._steps(wide(self.given[place] if var is None else var.value))

    def backward(self, run: Run) -> None:
        """Go through each direction, and add up what comes back."""
        x = self._value(0)
        backs = self._directions(run, x)
        first = backs[0][1]
        for order, back in backs:
            if back.total is not None and self.known[0] is not None:
                self.known[0].add_total(order.back(back.total).reshape(self.known[0].shape[:-1]))
            else:
                self._give(run, 0, *(None if part is None else order.back(part) for part in back.x), batch_axis=None)
            for key, amount in back.tally.amounts.items():
                run.book_total(key, self._texts(amount, run.batch))
        for place in range(1, len(self.given)):
            pairs = [back.h0 if place == 1 else back.c0 for _, back in backs]
            c, r = (
                None if pairs[0][part] is None else torch.stack([pair[part] for pair in pairs])  # type: ignore[misc]
                for part in (0, 1)
            )
            self._give(run, place, c, r, batch_axis=1)
        if run.steps and run.layers is not None and first.hidden is not None:
            run.note_steps(
                self, [back.hidden for _, back in backs], [back.cell for _, back in backs], [order for order, _ in backs]
            )

    def _give(self, run: Run, place: int, c: torch.Tensor | None, r: torch.Tensor | None, *, batch_axis: int | None) -> None:
        var = self.known[place]
        if var is not None:
            var.add(*(None if part is None else part.reshape(var.shape) for part in (c, r)))
            return
        value = self._value(place)
        relevance = torch.zeros_like(value) if r is None else r
        if c is not None:
            relevance = relevance + value * c
        if batch_axis == 1:
            run.book_total("initial_state", self._texts(relevance.sum((0, 2)), run.batch))
        else:
            total = (relevance[0] if self.single else relevance).sum(-1, keepdim=True)  # the texts of x are those of the output
            run.book("bias", self.outputs[0], total.expand(self.outputs[0].shape) / self.outputs[0].shape[-1])

    def _directions(self, run: Run, x: torch.Tensor) -> list[tuple[Order | Rows, Back]]:
        rule = run.rule(self.layer)
        if isinstance(rule, ZBox):
            raise RelevanceError(
                f"{self.place}: the z-box rule needs bounds of every input, and those of the state are unknown; use "
                "another rule"
            )
        carried = isinstance(rule, (Plain, Gamma)) and rule.bias == "absorb" and run.gate.name == "all"
        carried = carried and all(out.r is None for out in self.outputs[: 1 if self.single else 2])
        if carried and self.operation.startswith("lstm") and self.cells[0].projection is None:
            return self._fast(run, x, rule)
        carried = carried and isinstance(rule, Plain)
        found, sides = [], []
        orders = [Order.of(x, self.sizes, batch_first=self.batch_first, reverse=d == 1) for d in range(len(self.cells))]
        for d, (order, cell) in enumerate(zip(orders, self.cells, strict=True)):
            above, h = self._above(run, d, order)
            seen, states = order.see(x), [self._value(place)[d] for place in range(1, len(self.given))]
            if carried and self.operation.startswith("gru"):
                found.append(gru_all(seen, h, states[0], cell, above, rule.epsilon, steps=run.steps))
            elif self.operation.startswith("lstm"):
                kept = None if self.kept is None else [order.filled(part[d]) for part in self.kept]
                worked = None if self.worked is None else self.worked[d]
                sides.append(stepwise_lstm.Direction(seen, h, states[0], states[1], cell, above, rule, run.gate, kept, worked))
            else:
                walk = stepwise.gru if self.operation.startswith("gru") else stepwise.rnn
                found.append(walk(seen, h, states[0], states[0], cell, above, rule, run.gate, steps=run.steps))
        found += stepwise_lstm.lstm(sides, run.gate, steps=run.steps, summed=self._summed(run)) if sides else []
        return list(zip(orders, found, strict=True))

    def _summed(self, run: Run) -> bool:
        """Tell whether only the sum of the relevance of each x is asked for."""
        return run.layers is None and self.known[0] is not None and self.known[0].summed

    def _fast(self, run: Run, x: torch.Tensor, rule: Rule) -> list[tuple[Order | Rows, Back]]:
        """An LSTM under the *all* gate rule, as rows; what comes back to what is read backwards is turned."""
        rows, out, sides = Rows.of(x, self.sizes, batch_first=self.batch_first), self.outputs[0], []
        x, h, size = (
            rows.see(x) if self.seen is None else self.seen,
            rows.see(self._steps(wide(out.value))),
            self._value(2).shape[-1],
        )
        q = None if out.c is None else rows.see(self._steps(out.c))
        ends = None if self.single else self.outputs[1].c, run.carry(self.outputs[-1])
        for d, cell in enumerate(self.cells):
            mine, (h0, c0) = slice(d * size, (d + 1) * size), (self._value(place)[d] for place in (1, 2))
            to_h, to_c = (each if each is None or self.single else each[d] for each in ends)
            arrived = None if q is None else q[:, mine]
            sides.append(Direction(x, h[:, mine], arrived, h0, c0, cell, to_h, to_c, turned=d == 1))
        gamma = rule.gamma if isinstance(rule, Gamma) else 0.0
        backs = lstm_all(rows, sides, rule.epsilon, self.kept, gamma=gamma, steps=run.steps, summed=self._summed(run))
        return [(rows, _turned(rows, back) if d else back) for d, back in enumerate(backs)]

    def _steps(self, data: torch.Tensor) -> torch.Tensor:
        return data[None] if self.single else data

    def _above(self, run: Run, d: int, order: Order) -> tuple[Above, torch.Tensor]:
        out = self.outputs[0]
        value = wide(out.value)
        value = value[None] if self.single else value
        size = value.shape[-1] // len(self.cells)
        mine = slice(d * size, (d + 1) * size)
        h = order.see(value[..., mine])
        at = order.last(h.shape[1], h.device)
        parts: list[torch.Tensor | None] = []
        for name in ("c", "r"):
            arrived = getattr(out, name)
            part = None
            if arrived is not None:
                part = order.see((arrived[None] if self.single else arrived)[..., mine])
            last = None if self.single else getattr(self.outputs[1], name)
            if last is not None:
                part = torch.zeros_like(h) if part is None else part.clone(memory_format=torch.contiguous_format)
                part[at, torch.arange(h.shape[1], device=h.device)] += last[d]
            parts.append(part)
        if parts[0] is None and (parts[1] is None or len(self.given) == 3):
            parts[0] = torch.zeros_like(h)
        c_n = None
        if len(self.given) == 3:
            c_n = run.carry(self.outputs[-1])
            if c_n is not None and not self.single:
                c_n = c_n[d]
        return Above(parts[0], parts[1], c_n, at), h

    def _texts(self, amount: torch.Tensor, batch: int) -> torch.Tensor:
        """Bring amounts in the order of this layer's batch axis to the order of the texts."""
        samples = self.outputs[0].samples()
        return Samples(0, None if samples.index is None else samples.index[: len(amount)]).total(amount, batch)

    def samples(self, output: Var) -> Samples:
        """Outputs as x (or as the state, if x is a constant); the states' second axis is the batch."""
        if self.single:
            return self.inputs[0].samples()
        if self.known[0] is not None:
            own = self.known[0].samples()
        else:
            state = self.inputs[0]
            texts = state.samples().spread(state.shape, state.value.device)[0, :, 0]
            if self.sizes is not None:
                own = Samples(0, torch.cat([texts[:size] for size in self.sizes.tolist()]))
            else:
                own = Samples(0 if self.batch_first else 1, texts)
        if output is self.outputs[0]:
            return own
        return Samples(1, None if own.index is None else own.index[: output.shape[1]])


def _turned(rows: Rows, back: Back) -> Back:
    def turn(part: torch.Tensor | None) -> torch.Tensor | None:
        return None if part is None else rows.turn(part)

    return back._replace(x=(turn(back.x[0]), None), hidden=turn(back.hidden), cell=turn(back.cell), total=turn(back.total))


def _cell(weights: tuple[torch.Tensor, ...], *, has_biases: bool) -> Cell:
    parts = [wide(each.detach()) for each in weights]
    b_ih, b_hh = (parts[2], parts[3]) if has_biases else (None, None)
    rest = parts[4:] if has_biases else parts[2:]
    return Cell(parts[0], parts[1], b_ih, b_hh, rest[0] if rest else None)
