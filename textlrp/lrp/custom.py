"""Operations without a rule: an error that says how to give one, or the rule that a composite gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from textlrp.errors import RelevanceError
from textlrp.lrp.attention import Tangent
from textlrp.lrp.numbers import wide
from textlrp.lrp.run import Run
from textlrp.lrp.tape import Node, Samples, Var

__all__ = ["Custom"]


class Custom(Node):
    """An operation that the built-in tables do not know; it matters only if relevance comes to it.

    The composite's `operations` may give its rule: "pass" (all relevance goes to the first activation, element by element),
    "gradient" (gradient × input, the rest is booked as bias), "stop" (the output counts as a constant: booked as bias), or
    a function `(inputs, output, relevance) -> relevances of the inputs`, tensors like the activations; what it does not
    hand on is booked under "rule".
    """

    def __init__(
        self, func: Callable[..., Any], name: str, place: str, inputs: tuple[Var, ...], args: Any, kwargs: Any
    ) -> None:
        self.func, self.operation, self.place, self.inputs = func, name, place, inputs
        self.args, self.kwargs = args, kwargs
        for var in inputs:
            var.needed = True

    def backward(self, run: Run) -> None:
        """Go by the composite's rule, or say what has none, where, and how to give it one."""
        rule = run.composite.operations.get(self.operation)
        if rule is None or len(self.outputs) != 1:
            raise RelevanceError(
                f"operation {self.operation!r} in {self.place or 'the model'} has no rule, and relevance came to it; "
                "give it one with "
                f"Composite(..., operations={{{self.operation!r}: rule}}), where rule is 'pass', 'gradient', 'stop' or "
                "a function "
                "(inputs, output, relevance) -> relevances of the inputs"
            )
        out, first = self.outputs[0], self.inputs[0]
        if rule == "pass":
            if out.shape != first.shape:
                raise RelevanceError(
                    f"operation {self.operation!r}: 'pass' needs input and output of one shape, not {first.shape}, {out.shape}"
                )
            first.add(r=out.relevance())
        elif rule == "stop":
            run.book("bias", out, out.relevance())
        elif rule == "gradient":
            out.c = run.carry(out)
            Tangent.backward(self, run)  # type: ignore[arg-type]
        elif callable(rule):
            relevance = out.relevance()
            given = rule(tuple(wide(var.value) for var in self.inputs), wide(out.value), relevance)
            given = (given,) if isinstance(given, torch.Tensor) else tuple(given)
            if len(given) != len(self.inputs) or any(
                part is not None and part.shape != var.shape for part, var in zip(given, self.inputs, strict=True)
            ):
                raise RelevanceError(
                    f"the rule for {self.operation!r} must return one relevance for each input, in the input's shape"
                )
            lost = run.texts(out, relevance)
            for var, part in zip(self.inputs, given, strict=True):
                if part is not None:
                    var.add(r=part)
                    lost = lost - run.texts(var, part)
            run.book_total("rule", lost)
        else:
            raise RelevanceError(
                f"the rule for {self.operation!r} must be 'pass', 'gradient', 'stop' or a function, not {rule!r}"
            )

    def samples(self, output: Var) -> Samples:
        """As the first input of the same shape, else along the first axis of the right length."""
        for var in self.inputs:
            own = var.samples()
            if var.shape == output.shape or (own.dim is not None and output.shape[: own.dim + 1] == var.shape[: own.dim + 1]):
                return own
        raise RelevanceError(
            f"operation {self.operation!r} in {self.place or 'the model'}: cannot tell the texts of its output apart"
        )
