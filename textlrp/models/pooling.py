"""Many vectors into one, with padding left out exactly."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["last", "maximum", "mean", "pool", "pool_once", "root", "shares", "token_mask"]


def token_mask(width: int, lengths: Tensor) -> Tensor:  # [B] -> [B,T]
    """Return which of `width` positions hold a token: the first `lengths` of each row.

    >>> token_mask(3, torch.tensor([1, 3])).tolist()
    [[True, False, False], [True, True, True]]
    """
    return torch.arange(width, device=lengths.device) < lengths[:, None]


def mean(vectors: Tensor, mask: Tensor) -> Tensor:  # [B,T,D], [B,T] -> [B,D]
    """Return the mean over the tokens; 0 where there is none."""
    count = mask.sum(1, keepdim=True).clamp(min=1).to(vectors.dtype)
    return (vectors * mask[..., None].to(vectors.dtype)).sum(1) / count


def root(vectors: Tensor, mask: Tensor) -> Tensor:  # [B,T,D], [B,T] -> [B,D]
    """Return the sum over the tokens divided by the square root of their number; 0 where there is none."""
    count = mask.sum(1, keepdim=True).clamp(min=1).to(vectors.dtype)
    return (vectors * mask[..., None].to(vectors.dtype)).sum(1) / count.sqrt()


def maximum(vectors: Tensor, mask: Tensor) -> Tensor:  # [B,T,D], [B,T] -> [B,D]
    """Return the maximum over the tokens; 0 where there is none."""
    if not vectors.shape[1]:
        return vectors.sum(1)
    lowest = torch.finfo(vectors.dtype).min
    highest = vectors.masked_fill(~mask[..., None], lowest).amax(1)
    return highest.masked_fill(~mask.any(1, keepdim=True), 0.0)


def last(states: Tensor, lengths: Tensor, *, units: int) -> Tensor:  # [B,T,D], [B] -> [B,D]
    """Return the state after the whole text in each direction: the first `units` at the last token, the others at the first.

    The state of a text without tokens is 0.
    """
    at = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, units)
    ends = states[..., :units].gather(1, at).squeeze(1)
    if states.shape[-1] > units:
        ends = torch.cat([ends, states[:, 0, units:]], dim=-1)
    return ends.masked_fill((lengths == 0)[:, None], 0.0)


_POOLS = {"mean": mean, "max": maximum, "root": root}


def pool(names: Sequence[str], vectors: Tensor, mask: Tensor) -> Tensor:  # [B,T,D], [B,T] -> [B,len(names)·D]
    """Pool in each of the ways named and put the results side by side."""
    pooled = [_POOLS[name](vectors, mask) for name in names]
    return pooled[0] if len(pooled) == 1 else torch.cat(pooled, dim=-1)


def pool_once(names: Sequence[str], vectors: Tensor, mask: Tensor, keys: Tensor | None) -> Tensor:  # [B,N,D], [B,N] -> [B,F]
    """Pool as `pool` does; each of the numbers `keys` [B,N] counts once, where there are any."""
    if keys is None:
        return pool(names, vectors, mask)
    weights = shares(keys, mask)  # a maximum is the same, once or often
    return torch.cat([pool((name,), vectors, mask if name == "max" else weights) for name in names], dim=-1)


def shares(keys: Tensor, mask: Tensor) -> Tensor:  # int64 [B,N], bool [B,N] -> float32 [B,N]
    """Return 1/c for each of the c places of a row that hold the same key, and 0 outside the mask: each key counts once.

    >>> shares(torch.tensor([[7, 8, 7, 7]]), torch.tensor([[True, True, True, False]])).tolist()
    [[0.5, 1.0, 0.5, 0.0]]
    """
    if not keys.shape[1]:
        return mask.float()
    ordered, order = keys.masked_fill(~mask, -1).sort(dim=1)
    first = torch.ones_like(ordered)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    group = first.cumsum(1) - 1
    counts = torch.zeros_like(ordered).scatter_add_(1, group, torch.ones_like(group))
    share = 1.0 / counts.gather(1, group).float()
    return torch.zeros_like(share).scatter_(1, order, share) * mask
