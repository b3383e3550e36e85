"""The order in which a recurrent layer reads: padded or packed, either batch order, forwards or backwards, always as [T, B,
…] here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from textlrp.lrp.packing import pack, pad

__all__ = ["Order"]


@dataclass(frozen=True, eq=False)
class Order:
    """One direction's view of a sequence: `see` brings data into reading order [T, B, …], `back` brings it back.

    `sizes` are the batch sizes of packed data, which is sorted by length; else data is padded and every step counts.
    """

    sizes: torch.Tensor | None
    batch_first: bool
    reverse: bool
    steps: int
    lengths: torch.Tensor | None  # of packed data, sorted, on the CPU
    flip: torch.Tensor | None  # [T, B] for packed data read backwards

    @classmethod
    def of(cls, data: torch.Tensor, sizes: torch.Tensor | None, *, batch_first: bool, reverse: bool) -> Order:
        """Describe how `data` is read."""
        if sizes is None:
            return cls(None, batch_first, reverse, data.shape[1 if batch_first else 0], None, None)
        width, steps = int(sizes[0]), len(sizes)
        lengths = (sizes[:, None] > torch.arange(width)).sum(0)
        flip = None
        if reverse:
            t = torch.arange(steps)[:, None]
            flip = torch.where(t < lengths, lengths - 1 - t, t).to(data.device)
        return cls(sizes, batch_first, reverse, steps, lengths, flip)

    def see(self, data: torch.Tensor) -> torch.Tensor:
        """Return `data` in reading order, [T, B, …]."""
        if self.sizes is not None:
            data = pad(data, self.sizes, False, 0.0, self.steps)[0]
            return data if self.flip is None else self._flipped(data)
        if self.batch_first:
            data = data.transpose(0, 1)
        return data.flip(0) if self.reverse else data

    def filled(self, rows: torch.Tensor) -> torch.Tensor:
        """Return rows in reading order, [N, …], as [T, B, …]; 0 where there is no word."""
        if self.sizes is None:
            return rows.unflatten(0, (self.steps, -1))
        return pad(rows, self.sizes, False, 0.0, self.steps)[0]

    def back(self, data: torch.Tensor) -> torch.Tensor:
        """Return [T, B, …] in the order of the data."""
        if self.sizes is not None:
            assert self.lengths is not None
            data = data if self.flip is None else self._flipped(data)
            return pack(data, self.lengths, False)[0]
        data = data.flip(0) if self.reverse else data
        return data.transpose(0, 1) if self.batch_first else data

    def unread(self, data: torch.Tensor) -> torch.Tensor:
        """Return [T, B] in reading order as [B, T] in the order of the words."""
        if self.reverse:
            data = data.flip(0) if self.flip is None else self._flipped(data)
        return data.t()

    def last(self, width: int, device: torch.device) -> torch.Tensor:
        """Return the index of the last step of each text, [B]."""
        if self.lengths is not None:
            return (self.lengths - 1).to(device)
        return torch.full((width,), self.steps - 1, device=device)

    def _flipped(self, data: torch.Tensor) -> torch.Tensor:
        assert self.flip is not None
        return data[self.flip, torch.arange(data.shape[1], device=data.device)]
