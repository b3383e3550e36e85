"""Working memory that is kept from call to call: fresh memory costs a page fault every 4 kB, which took up to a tenth of the
time of an explanation.
"""

from __future__ import annotations

import threading
from math import prod
from typing import cast

import torch

__all__ = ["scratch"]

_MOST = 2**24  # numbers that are kept in each thread: 64 MB in float32
_KEPT = threading.local()


def scratch(like: torch.Tensor, *shape: int) -> torch.Tensor:
    """Return memory of this shape, with anything in it, of the dtype and device of `like`.

    It is the caller's until the same thread asks again, so nothing that outlives the caller may lie there.

    >>> scratch(torch.zeros(1), 2, 3).shape
    torch.Size([2, 3])
    """
    count = prod(shape)
    if like.device.type != "cpu" or count > _MOST:
        return like.new_empty(shape)
    held = cast("dict[torch.dtype, torch.Tensor]", _KEPT.__dict__)
    kept = held.get(like.dtype)
    if kept is None or len(kept) < count:
        held.pop(like.dtype, None)
        with torch.inference_mode(False):  # a tensor made in inference mode could not be written to outside
            kept = held[like.dtype] = torch.empty(count, dtype=like.dtype)
    return kept[:count].view(shape)
