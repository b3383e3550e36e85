"""Softmax and attention, by AttnLRP (Achtibat et al. 2024)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from textlrp.lrp.follow import aligned
from textlrp.lrp.numbers import wide
from textlrp.lrp.run import Run
from textlrp.lrp.tape import Node, Samples, Tape, Var

__all__ = ["Tangent", "softmax"]


class Tangent(Node):
    """A smooth function y = f(x) by its tangent at x: c_in = Jᵀ c_out; the rest of y, y − J x, is a bias and is booked.

    For the softmax this is AttnLRP's rule R_i = x_i (R_i^out − s_i Σ_j R_j^out) (prop. 3.1). Relevance that gates receive
    (r) passes unchanged, as through a sigmoid (Arras et al. 2019).
    """

    def __init__(self, func: Callable[..., Any], name: str, x: Var, args: Any, kwargs: Any) -> None:
        self.func, self.operation, self.inputs, self.args, self.kwargs = func, name, (x,), args, kwargs
        x.needed = True

    def backward(self, run: Run) -> None:
        """Carry back by the Jacobian."""
        (x,), (y,) = self.inputs, self.outputs
        c_in = None
        if y.c is not None:
            value = wide(x.value).detach().clone().requires_grad_()
            with torch.enable_grad():
                result = self.func(value, *self.args, **self.kwargs)
                probe = torch.zeros_like(result, requires_grad=True)
                (back,) = torch.autograd.grad(result, value, probe, create_graph=True)
                finite = torch.where(value.detach().isfinite(), value.detach(), 0.0)
                (along,) = torch.autograd.grad(back, probe, finite)  # J x
                c_in = torch.autograd.grad(result, value, y.c)[0]
            run.book("bias", y, torch.where(y.c == 0, 0.0, (result.detach() - along) * y.c))
        x.add(c_in, y.r)

    def samples(self, output: Var) -> Samples:
        """As x."""
        return aligned(self.inputs, output) if output.shape == self.inputs[0].shape else super().samples(output)


def softmax(func: Callable[..., Any], name: str, tape: Tape, args: Any, kwargs: Any) -> torch.Tensor:
    """Run a softmax or log_softmax, and put it on the tape."""
    kwargs = {key: value for key, value in kwargs.items() if key != "_stacklevel"}
    if "input" in kwargs:
        args = (kwargs.pop("input"), *args)
    args = tuple(args[:2])
    x = tape.find(args[0])
    value: torch.Tensor = func(*args, **kwargs)
    if x is not None:
        kwargs.pop("dtype", None)
        tape.record(Tangent(func, name, x, args[1:], kwargs), value, gate="log" not in name)
    return value
