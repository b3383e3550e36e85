"""Small arithmetic that every rule shares: signs, stabilised denominators, safe quotients."""

from __future__ import annotations

from functools import lru_cache

import torch

__all__ = ["inverse", "quotient", "sign", "signed", "stabilise", "where_positive", "wide", "widened"]

_SELECT = torch.ops.aten.threshold_backward.default


@lru_cache(maxsize=64)
def _number(value: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    return torch.full((), value, dtype=dtype, device=device)


def signed(z: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Return ε · sign(z), where the sign of 0 does not matter.

    >>> signed(torch.tensor([-2.0, 3.0]), 0.5).tolist()
    [-0.5, 0.5]
    """
    return torch.copysign(_number(epsilon, z.dtype, z.device), z)


def sign(z: torch.Tensor) -> torch.Tensor:
    """Return the sign of z as Arras 2017 takes it: sign(0) = +1.

    >>> sign(torch.tensor([-2.0, 0.0, 3.0])).tolist()
    [-1.0, 1.0, 1.0]
    """
    return signed(z + 0.0, 1.0)  # −0 + 0 = 0


def stabilise(z: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Return z + ε · sign(z), with sign(0) = +1.

    >>> stabilise(torch.tensor([-1.0, 0.0]), 0.5).tolist()
    [-1.5, 0.5]
    """
    if epsilon == 0:
        return z
    return signed(z + 0.0, epsilon).add_(z)


def quotient(numerator: torch.Tensor, denominator: torch.Tensor) -> torch.Tensor:
    """Return numerator / denominator, and 0 where the denominator is 0, or subnormal, which would make it infinite.

    >>> quotient(torch.tensor([1.0, 1.0]), torch.tensor([2.0, 0.0])).tolist()
    [0.5, 0.0]
    """
    found = numerator / denominator
    tiny = torch.finfo(denominator.dtype).tiny
    if not found.numel() or float(denominator.abs().amin()) >= tiny:  # mostly; masks take long
        return found
    return found.masked_fill_(denominator.abs() < tiny, 0.0)


def inverse(stable: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Return 1 / stable, and 0 where `stable` is 0, or subnormal, which a stabiliser `epsilon` rules out.

    >>> inverse(torch.tensor([2.0, 0.0]), 0.0).tolist()
    [0.5, 0.0]
    """
    return stable.reciprocal() if epsilon else quotient(stable.new_ones(()), stable)


def where_positive(amount: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
    """Return `amount` where `by` > 0, else 0; up to twenty times as fast as torch.where, which takes one element at a time.

    >>> where_positive(torch.tensor([1.0, 2.0, torch.inf]), torch.tensor([0.5, -1.0, 0.0])).tolist()
    [1.0, 0.0, 0.0]
    """
    chosen: torch.Tensor = _SELECT(amount, by, 0.0)
    return chosen


def wide(tensor: torch.Tensor) -> torch.Tensor:
    """Return half-precision numbers as float32, others as they are: relevance is never computed in half precision."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def widened(dtype: torch.dtype) -> torch.dtype:
    """Return the precision of `wide`.

    >>> widened(torch.bfloat16), widened(torch.float64)
    (torch.float32, torch.float64)
    """
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype
