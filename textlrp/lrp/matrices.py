"""Matrix products, by whatever name: with weights, with a constant, of two activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from textlrp.lrp import products, weighted
from textlrp.lrp.maps import DenseMap, GeneralMap
from textlrp.lrp.numbers import wide
from textlrp.lrp.structural import structural

if TYPE_CHECKING:
    from textlrp.lrp.mode import Watch

__all__ = ["einsum", "matmul", "sum_of"]


def matmul(watch: Watch, func: Callable[..., Any], name: str, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run a matrix product: with weights (a rule), with a constant (linear), of two activations (a gate, or a rule for
    products)."""
    a, b = (*args, *(kwargs[key] for key in ("input", "other", "mat2", "vec2") if key in kwargs))[:2]
    return _two(watch, lambda one, two: func(one, two), name, a, b)


def einsum(watch: Watch, func: Callable[..., Any], name: str, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run einsum of one or two operands."""
    operands = args[1] if len(args) == 2 and isinstance(args[1], (tuple, list)) else args[1:]
    if not isinstance(args[0], str) or len(operands) > 2:
        return NotImplemented
    if len(operands) == 1:
        return structural(lambda one: torch.einsum(args[0], one), "einsum", watch.tape, tuple(operands), {})
    return _two(watch, lambda one, two: torch.einsum(args[0], one, two), "einsum", *operands)


def _two(
    watch: Watch, function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], name: str, a: torch.Tensor, b: torch.Tensor
) -> Any:
    tape, names = watch.tape, watch.names
    left, right = tape.find(a), tape.find(b)
    value = function(a, b)
    if left is not None and right is not None:
        products.bilinear(tape, function, name, watch.place(), left, right, value, uniform=watch.uniform)
        return value
    var, constant = (left, b) if left is not None else (right, a)
    assert var is not None
    if not (names.is_parameter(constant) or (left is not None and name == "matmul" and b.dim() == 2)):
        return structural(function, "einsum", tape, (a, b), {})
    weight = wide(constant.detach())
    if left is not None and name == "matmul" and b.dim() == 2:
        linear: Any = DenseMap(weight.t(), None)
    elif left is not None:
        linear = GeneralMap(weight, None, function)
    else:
        linear = GeneralMap(weight, None, lambda x, w: function(w, x))
    tape.record(weighted.Weighted(nn.Linear, linear, var, name, names.layer(constant, name)), value)
    return value


def sum_of(watch: Watch, func: Callable[..., Any], name: str, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run addmm, baddbmm, addmv…: a sum of a tensor and a product, one after the other."""
    beta, factor = kwargs.get("beta", 1), kwargs.get("value", kwargs.get("alpha", 1))
    named = ["input", "mat1", "batch1", "mat", "tensor1", "mat2", "batch2", "vec", "tensor2"]
    given: list[Any] = [*args, *(kwargs[key] for key in named if key in kwargs)]
    start, one, other = given
    with watch:
        product = one * other if name == "addcmul" else torch.matmul(one, other)
        if name == "addbmm":
            product = product.sum(0)
        return (start if beta == 1 else start * beta) + (product if factor == 1 else product * factor)
