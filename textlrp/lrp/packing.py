"""Packed sequences: from [B, T, E] to [N, E] and back, which only copies."""

from __future__ import annotations

from typing import Any

import torch

from textlrp.lrp.run import Run
from textlrp.lrp.tape import Node, Samples, Tape, Var

__all__ = ["pack", "pack_padded_sequence", "pad", "pad_packed_sequence"]

pack = torch._VF._pack_padded_sequence  # type: ignore[attr-defined]
pad = torch._VF._pad_packed_sequence  # type: ignore[attr-defined]


class Pack(Node):
    """[B, T, E] or [T, B, E] to the data of a PackedSequence, [N, E]."""

    operation = "pack_padded_sequence"

    def __init__(self, x: Var, lengths: torch.Tensor, sizes: torch.Tensor, *, batch_first: bool) -> None:
        self.inputs = (x,)
        self.lengths, self.sizes, self.batch_first = lengths, sizes, batch_first

    def backward(self, run: Run) -> None:
        """Pad with zeros."""
        x, data = self.inputs[0], self.outputs[0]
        steps = x.shape[1 if self.batch_first else 0]
        parts = (data.c, data.r, data.total)
        c, r, total = (None if each is None else pad(each, self.sizes, self.batch_first, 0.0, steps)[0] for each in parts)
        x.add(c, r)
        if total is not None:
            x.add_total(total)

    def samples(self, output: Var) -> Samples:
        """Pack the numbers of the texts as well."""
        x = self.inputs[0]
        numbers = x.samples().spread(x.shape, x.value.device)
        thin = numbers.flatten(2)[..., 0] if numbers.dim() > 2 else numbers
        return Samples(0, pack(thin.contiguous(), self.lengths, self.batch_first)[0])


class Pad(Node):
    """The data of a PackedSequence to [B, T, E] or [T, B, E]."""

    operation = "pad_packed_sequence"

    def __init__(self, data: Var, sizes: torch.Tensor, lengths: torch.Tensor, *, batch_first: bool, value: float) -> None:
        self.inputs = (data,)
        self.sizes, self.lengths, self.batch_first, self.value = sizes, lengths, batch_first, value

    def backward(self, run: Run) -> None:
        """Pack; nothing comes back to padding, which is a constant."""
        data, out = self.inputs[0], self.outputs[0]
        c, r = (None if each is None else pack(each, self.lengths, self.batch_first)[0] for each in (out.c, out.r))
        data.add(c, r)
        if self.value != 0 and out.c is not None:
            mine = torch.ones(data.shape[:1], dtype=torch.bool, device=out.c.device)
            inside = pad(mine, self.sizes, self.batch_first, False, out.shape[1 if self.batch_first else 0])[0]
            run.book(
                "bias", out, (self.value * out.c).masked_fill_(inside.unflatten(-1, (-1, *[1] * (len(out.shape) - 2))), 0.0)
            )

    def samples(self, output: Var) -> Samples:
        """The first step of the data holds every text once."""
        data = self.inputs[0]
        own = data.samples()
        assert own.dim == 0
        numbers = own.spread(data.shape[:1], data.value.device)
        return Samples(0 if self.batch_first else 1, numbers[: int(self.sizes[0])])


def pack_padded_sequence(tape: Tape, args: tuple[Any, ...]) -> Any:
    """Run _pack_padded_sequence, on values or on ids."""
    data, sizes = pack(*args)
    x = tape.find(args[0])
    if x is not None:
        node = Pack(x, args[1], sizes, batch_first=args[2])
        tape.record(node, data)
        tape.summed(data, x)
        if x.ids:
            at = None if x.positions is None else pack(x.positions, args[1], args[2])[0]
            node.outputs[0].ids, node.outputs[0].positions = True, at
    return data, sizes


def pad_packed_sequence(tape: Tape, args: tuple[Any, ...]) -> Any:
    """Run _pad_packed_sequence, on values or on ids."""
    out, lengths = pad(*args)
    data = tape.find(args[0])
    if data is not None:
        node = Pad(data, args[1], lengths, batch_first=args[2], value=float(args[3]))
        tape.record(node, out)
        if data.ids:
            at = None if data.positions is None else pad(data.positions, args[1], args[2], -1, args[4])[0]
            node.outputs[0].ids, node.outputs[0].positions = True, at
    return out, lengths
