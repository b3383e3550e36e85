"""Where a network computes: the name of a device, checked before anything is moved there."""

from __future__ import annotations

import torch

from textlrp.errors import InputError

__all__ = ["device_of"]


def device_of(name: str | torch.device | None = None, *, here: bool = True) -> torch.device:
    """Return the device of this name; if it is None, the GPU where there is one, else the CPU.

    InputError for what is no device, and for one that is not on this machine, unless `here` is False: of a cluster, only its
    workers know.

    >>> device_of("cpu")
    device(type='cpu')
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise InputError(f"unknown device {name!r}; for example 'cpu', 'cuda', 'cuda:0'") from error
    if here and not _is_here(place):
        raise InputError(f"there is no device {str(name)!r} on this machine, or torch was installed without it; use 'cpu'")
    return place


def _is_here(place: torch.device) -> bool:
    if place.type == "cuda":  # asked, not tried: processes that are forked later could not use a GPU that was
        return torch.cuda.is_available() and 0 <= (place.index or 0) < torch.cuda.device_count()
    try:
        torch.zeros(1, device=place).tolist()
    except (RuntimeError, AssertionError, ImportError):  # each kind of device is missing in its own way
        return False
    return True
