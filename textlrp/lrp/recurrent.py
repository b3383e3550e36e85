"""Recurrent layers: torch.lstm, gru, rnn_tanh, rnn_relu and their cells are run, and put on the tape level by level."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from textlrp.lrp import forward, forward_steps, padded
from textlrp.lrp.level import Level
from textlrp.lrp.names import Names
from textlrp.lrp.rows import Rows
from textlrp.lrp.structural import structural
from textlrp.lrp.tape import Tape

__all__ = ["cell", "recurrent"]


def recurrent(tape: Tape, names: Names, func: Callable[..., Any], name: str, args: tuple[Any, ...]) -> Any:
    """Run a recurrent layer level by level in evaluation mode, and put each level on the tape."""
    packed = isinstance(args[1], torch.Tensor) and not args[1].is_floating_point()
    if packed:
        x, sizes, hx, flat, has_biases, levels, _, _, bidirectional = args
        batch_first = False
    else:
        x, hx, flat, has_biases, levels, _, _, bidirectional, batch_first = args
        sizes = None
    states = list(hx) if isinstance(hx, (tuple, list)) else [hx]
    directions = 2 if bidirectional else 1
    per = len(flat) // (levels * directions)
    place = names.layer(flat[0], name)
    ends: list[list[torch.Tensor]] = []
    for level in range(levels):
        rows = slice(level * directions, (level + 1) * directions)
        mine = [tuple(flat[d * per : (d + 1) * per]) for d in range(rows.start, rows.stop)]
        parts = (
            states
            if levels == 1
            else [structural(torch.Tensor.__getitem__, "__getitem__", tape, (each, rows), {}) for each in states]
        )
        given = tuple(parts) if len(parts) > 1 else parts[0]
        tail = [has_biases, 1, 0.0, False, bidirectional]
        weights = [weight for each in mine for weight in each]
        kept, worked, seen, able = None, None, None, forward.able(name, x, mine, has_biases=has_biases)
        if able and (packed or tape.gates):
            x_rows = Rows.of(x, sizes, batch_first=batch_first)
            kept = x.new_empty(2, directions, sum(x_rows.sizes), states[0].shape[-1]) if tape.gates else None
            if packed:
                out, *end, sound = padded.run(x, sizes, parts, mine, kept)
            else:
                seen = x_rows.see(x).contiguous()
                out, *end, sound = forward.whole(seen, x_rows, parts, mine, kept)
            kept = kept if sound else None
        elif able and forward_steps.worth(x.shape[0] * x.shape[1], states[0]):
            out, *end, worked = forward_steps.run(x.transpose(0, 1) if batch_first else x, parts, mine)
            if forward_steps.precise(out):
                out = out.transpose(0, 1) if batch_first else out
            else:
                out, *end = func(x, given, weights, *tail, batch_first)
                worked = None
        elif packed:
            out, *end = func(x, sizes, given, weights, *tail)
        else:
            out, *end = func(x, given, weights, *tail, batch_first)
        if any(tape.find(each) is not None for each in (x, *parts)):
            kinds = {"has_biases": has_biases, "batch_first": batch_first}
            node = Level(name, place, x, parts, mine, sizes, tape, **kinds, kept=kept, seen=seen, worked=worked)
            tape.record(node, out, *end)
            node.outputs[0].needed = True
            inner = (node.known[0] if level > 0 else None, node.outputs[0] if level < levels - 1 else None)
            node.inside = tuple(var for var in inner if var is not None)
        ends.append(end)
        x = out
    if levels == 1:
        return (x, *ends[0])
    return (x, *(structural(torch.cat, "cat", tape, (list(each),), {}) for each in zip(*ends, strict=True)))


def cell(tape: Tape, names: Names, func: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run a cell, and put it on the tape as a level of one step."""
    given = dict(zip(("input", "hx", "w_ih", "w_hh", "b_ih", "b_hh"), args, strict=False)) | kwargs
    result = func(*args, **kwargs)
    states = list(given["hx"]) if isinstance(given["hx"], (tuple, list)) else [given["hx"]]
    has_biases = given.get("b_ih") is not None
    weights = (given["w_ih"], given["w_hh"], *((given["b_ih"], given["b_hh"]) if has_biases else ()))
    place = names.layer(given["w_ih"], name)
    node = Level(name, place, given["input"], states, [weights], None, tape, has_biases=has_biases, batch_first=False)
    tape.record(node, *(result if isinstance(result, tuple) else (result,)))
    node.outputs[0].needed = True
    return result
