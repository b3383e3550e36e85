"""x Wᵀ + b for many rows at once, through the library that torch.nn.LSTM runs on.

torch's own products call MKL, which on AMD's processors uses half of the width that they calculate with. oneDNN uses all of
it: twice as fast on a Zen 5, equal on others. It could add something on the way, but a sum of its own is faster.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch.nn import functional

__all__ = ["add_affine", "affine", "many"]

_FEWEST = 2**15  # numbers of x, with fewer of which MKL's call is faster: 256 rows of 128
_LEAST = 2**12  # weights


def affine(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """Return x Wᵀ + b, [..., k], of x [..., m], W [k, m] and b [k]; or b [n, k], if x is [n, m]. No gradients are kept.

    >>> affine(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]), torch.tensor([0.5])).tolist()
    [[11.5]]
    """
    if not many(x, weight):
        return functional.linear(x, weight, bias) if bias is None or bias.dim() == 1 else torch.addmm(bias, x, weight.t())
    if bias is not None and bias.dim() == 2:
        return affine(x, weight).add_(bias)
    if not weight.t().is_contiguous():
        weight = weight.contiguous()  # with gaps between its rows, oneDNN would take a thousand times as long
    rows = x.reshape(-1, x.shape[-1])
    own = len(rows)
    count = rounded(len(rows))
    if count > own:
        rows = torch.cat([rows, rows.new_zeros(count - own, rows.shape[1])])
    found: torch.Tensor = _onednn()(rows, weight, bias, "none", [], "")  # type: ignore[misc]
    return found[:own].view(*x.shape[:-1], -1)


def rounded(count: int) -> int:
    """Round up to three binary digits: oneDNN makes a kernel for each number of rows, which takes as long as several products.

    >>> [rounded(count) for count in (6, 1000, 1024, 1025)]
    [6, 1024, 1024, 1280]
    """
    step = 1 << max(count.bit_length() - 3, 0)
    return -(-count // step) * step


def add_affine(total: torch.Tensor, x: torch.Tensor, weight: torch.Tensor) -> None:
    """Add x Wᵀ, [n, k], to `total`.

    >>> add_affine(total := torch.ones(1, 1), torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]))
    >>> total.tolist()
    [[12.0]]
    """
    if many(x, weight):
        total.add_(affine(x, weight))
    else:
        total.addmm_(x, weight.t())


def many(x: torch.Tensor, weight: torch.Tensor) -> bool:
    """Tell whether a product is large enough for oneDNN, and of a kind that it does.

    >>> many(torch.zeros(16, 128), torch.zeros(128, 128))
    False
    """
    if x.numel() < _FEWEST or weight.numel() < _LEAST:
        return False
    return x.dtype == torch.float32 and x.device.type == "cpu" and _onednn() is not None


@cache
def _onednn() -> Callable[..., torch.Tensor] | None:
    """Return the function, if torch was built with it, and as it is known here: it is not documented."""
    found = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if torch.backends.mkldnn.is_available() else None
    if found is None:
        return None
    x, weight, bias = (torch.ones(shape, dtype=torch.float32, device="cpu") for shape in ((2, 3), (4, 3), (4,)))
    try:
        right = found(x, weight, bias, "none", [], "").tolist() == [[4.0] * 4] * 2
    except (RuntimeError, TypeError):
        return None
    return found if right else None
