"""Where an activation came from: the pre-activation that gate rules go by, looked for through views and 1 − g."""

from __future__ import annotations

import torch

from textlrp.lrp.numbers import wide
from textlrp.lrp.pointwise import Passing, Pointwise
from textlrp.lrp.structural import Structural
from textlrp.lrp.tables import COPIES
from textlrp.lrp.tape import Var

__all__ = ["pre_activation"]


def pre_activation(var: Var) -> torch.Tensor:
    """Return the argument of the non-linearity that made `var`; a value that none made is its own pre-activation.

    Minus infinity, which a mask puts before a softmax, counts as 0: what is masked takes part in nothing.
    """
    found = _search(var)
    return found.masked_fill(found.isinf(), 0.0)


def _search(var: Var) -> torch.Tensor:
    node = var.node
    if isinstance(node, Passing):
        return _search(node.inputs[0])
    if isinstance(node, Pointwise) or (node is not None and node.operation == "softmax"):
        return wide(node.inputs[0].value)
    if isinstance(node, Structural):
        if node.operation in COPIES and all(each.value is not None for each in node.inputs):
            with torch.no_grad():
                results = node.again(_search)
            at = [id(each) for each in node.outputs].index(id(var))
            return [each for each in results if each.is_floating_point()][at]
        if var.gate and node.operation in ("rsub", "sub"):
            return -_search(node.inputs[0]).expand(var.shape)
    return wide(var.value)
