"""The most frequent structural operations, transposed by hand: the same as autograd gives, without running anything again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from textlrp.lrp.numbers import widened
from textlrp.lrp.run import Run
from textlrp.lrp.tape import Var

__all__ = ["QUICK"]

Back = Callable[[Run, Var, Var, tuple[Any, ...], dict[str, Any], torch.Tensor], Any]


def _same(run: Run, x: Var, y: Var, args: tuple[Any, ...], kwargs: dict[str, Any], c: torch.Tensor) -> torch.Tensor:
    return c


def _shape(run: Run, x: Var, y: Var, args: tuple[Any, ...], kwargs: dict[str, Any], c: torch.Tensor) -> torch.Tensor:
    return c.reshape(x.shape)


def _transpose(run: Run, x: Var, y: Var, args: tuple[Any, ...], kwargs: dict[str, Any], c: torch.Tensor) -> Any:
    return c.transpose(*args) if len(args) == 2 and not kwargs else NotImplemented


def _masked_fill(run: Run, x: Var, y: Var, args: tuple[Any, ...], kwargs: dict[str, Any], c: torch.Tensor) -> Any:
    if len(args) != 2 or kwargs or isinstance(args[1], torch.Tensor) or x.shape != y.shape:
        return NotImplemented
    mask, value = args
    if value != 0:
        rows = mask.shape[-1] == 1 and mask.shape[:-1] == x.shape[:-1]
        lost = c[mask[..., 0]] if rows else c * mask.to(c.dtype)
        if not bool(lost.count_nonzero()):
            return c
        lost = c * mask.to(c.dtype)
        run.book("bias", y, torch.where(lost == 0, 0.0, lost * value))
    return c.masked_fill(mask, 0.0)


def _index_select(run: Run, x: Var, y: Var, args: tuple[Any, ...], kwargs: dict[str, Any], c: torch.Tensor) -> Any:
    if len(args) != 2 or kwargs:
        return NotImplemented
    dim, index = args  # of relevance summed over the last axis there is one axis less
    back = index.argsort()
    if len(index) == x.shape[dim] and torch.equal(index[back], torch.arange(len(index), device=index.device)):
        return c.index_select(dim, back)  # a permutation
    return c.new_zeros(x.shape[: c.dim()]).index_add_(dim % len(x.shape), index, c)


def _pad(run: Run, x: Var, y: Var, args: tuple[Any, ...], kwargs: dict[str, Any], c: torch.Tensor) -> Any:
    given = dict(zip(("pad", "mode", "value"), args, strict=False)) | kwargs
    if given.get("mode", "constant") != "constant" or given.get("value") or c.dim() != len(x.shape):
        return NotImplemented
    return functional.pad(c, [-each for each in given["pad"]])  # zeros take nothing


def _cast(run: Run, x: Var, y: Var, args: tuple[Any, ...], kwargs: dict[str, Any], c: torch.Tensor) -> Any:
    return c.to(device=x.value.device, dtype=widened(x.value.dtype))  # not by way of a half precision that x was cast to


def _axes(x: Var, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[int, ...], bool] | None:
    if set(kwargs) - {"dim", "keepdim"} or len(args) > 2:
        return None
    dim = kwargs.get("dim", args[0] if args else None)
    if not isinstance(dim, int) and not (isinstance(dim, (tuple, list)) and dim):
        return None
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    return tuple(each % len(x.shape) for each in dims), bool(kwargs.get("keepdim", args[1] if len(args) > 1 else False))


def _spread(c: torch.Tensor, dims: tuple[int, ...], keep: bool) -> torch.Tensor:
    if not keep:
        for dim in sorted(dims):
            c = c.unsqueeze(dim)
    return c


def _sum(run: Run, x: Var, y: Var, args: tuple[Any, ...], kwargs: dict[str, Any], c: torch.Tensor) -> Any:
    found = _axes(x, args, kwargs)
    return NotImplemented if found is None else _spread(c, *found).expand(x.shape)


def _mean(run: Run, x: Var, y: Var, args: tuple[Any, ...], kwargs: dict[str, Any], c: torch.Tensor) -> Any:
    found = _axes(x, args, kwargs)
    if found is None:
        return NotImplemented
    count = 1
    for dim in found[0]:
        count *= x.shape[dim]
    return (_spread(c, *found) / count).expand(x.shape)


def _amax(run: Run, x: Var, y: Var, args: tuple[Any, ...], kwargs: dict[str, Any], c: torch.Tensor) -> Any:
    found = _axes(x, args, kwargs)
    if found is None or len(found[0]) != 1:
        return NotImplemented
    dims, keep = found
    best = torch.eq(
        x.value, _spread(y.value, dims, keep), out=torch.empty_like(x.value, dtype=c.dtype)
    )  # 1 and 0 multiply faster than torch.where
    return best.mul_(_spread(c, dims, keep) / best.sum(dims, keepdim=True).clamp(min=1.0))  # several may be equal


QUICK: dict[str, Back] = dict.fromkeys(("contiguous", "clone", "detach"), _same)
QUICK |= dict.fromkeys(("to", "half", "bfloat16", "float", "double", "type", "type_as"), _cast)
QUICK |= dict.fromkeys(("reshape", "view", "flatten", "unsqueeze", "squeeze"), _shape)
QUICK |= {
    "transpose": _transpose,
    "masked_fill": _masked_fill,
    "pad": _pad,
    "index_select": _index_select,
    "sum": _sum,
    "mean": _mean,
    "amax": _amax,
}
