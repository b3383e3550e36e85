"""torch.vmap, torch.func.grad and the like: what they wrap cannot be followed, so it is an error, not a constant."""

from __future__ import annotations

from typing import Any

import torch
from torch._C._functorch import get_unwrapped, is_functorch_wrapped_tensor, peek_interpreter_stack

from textlrp.errors import RelevanceError
from textlrp.lrp.structural import flatten
from textlrp.lrp.tables import CONSTANTS, LOGIC
from textlrp.lrp.tape import Tape

__all__ = ["refuse_transformed", "transforming"]


def transforming() -> bool:
    """Tell whether a transform of torch.func is running."""
    return peek_interpreter_stack() is not None


def refuse_transformed(tape: Tape, name: str, args: Any, kwargs: dict[str, Any]) -> None:
    """Raise if a function inside a transform takes an activation, or ids for more than a comparison."""
    for leaf in flatten((args, *kwargs.values())):
        if not isinstance(leaf, torch.Tensor):
            continue
        while is_functorch_wrapped_tensor(leaf):
            leaf = get_unwrapped(leaf)
        var = tape.find(leaf)
        if var is not None and name not in CONSTANTS and not (var.ids and name in LOGIC):
            raise RelevanceError(
                f"{name!r} runs inside torch.vmap or another transform of torch.func, where activations cannot be followed; "
                "write it as an operation on the whole batch"
            )
