"""Products: an activation times a constant, a gate times a signal, two signals; element by element or as matrices.

A constant factor is a weight: linear. A divisor counts as a constant (the identity rule of Achtibat et al. 2024). Of a gate and
a signal, the gate rule says who takes what. Two signals need a rule from the composite (`product="half"`: the uniform rule of
Achtibat et al. 2024). Matrix products go term by term: z_ij = Σ_k a_ik b_kj.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from textlrp.errors import RelevanceError
from textlrp.lrp.follow import aligned
from textlrp.lrp.gates import Gate, Split
from textlrp.lrp.numbers import wide
from textlrp.lrp.origin import pre_activation
from textlrp.lrp.run import Run
from textlrp.lrp.tape import Node, Samples, Tape, Var

__all__ = ["Bilinear", "Multiplied", "Scaled", "bilinear", "product", "shares"]

_SHARES = {"half": Split(0.5, 0.5), "first": Split(1.0, None), "second": Split(None, 1.0)}


class Scaled(Node):
    """z = x · w or x / w with a constant w: linear."""

    reads, light = False, True

    def __init__(self, x: Var, factor: Any, operation: str, *, inverse: bool) -> None:
        self.operation, self.inputs = operation, (x,)
        self.factor, self.inverse = factor, inverse

    def backward(self, run: Run) -> None:
        """Scale the carry; r is summed where x was broadcast."""
        (x,), (z,) = self.inputs, self.outputs
        c, r = z.c, z.r
        if c is not None:
            factor = wide(self.factor) if isinstance(self.factor, torch.Tensor) else self.factor
            c = (c / factor if self.inverse else c * factor).sum_to_size(x.shape)
        x.add(c, None if r is None else r.sum_to_size(x.shape))

    def samples(self, output: Var) -> Samples:
        """As x, broadcast."""
        return aligned(self.inputs, output)


def shares(node: Node, run: Run) -> tuple[int, Gate | Split]:
    """Return which input is the gate, and the rule; raise where two signals meet without a rule."""
    a, b = node.inputs[0], node.inputs[-1]
    if a.gate != b.gate:
        return (0 if a.gate else 1), run.gate
    if run.composite.product is None:
        raise RelevanceError(
            f"{node.operation!r} in {node.place or 'the model'} multiplies two signals, neither of them a gate (a "
            "sigmoid, a softmax, 1 − gate), "
            "and LRP does not say which takes the relevance; choose with Composite(..., product='half') (each half, as "
            "AttnLRP does), "
            "'first' or 'second'"
        )
    return 0, _SHARES[run.composite.product]


class Multiplied(Node):
    """z = a ⊙ b of two activations."""

    def __init__(self, a: Var, b: Var, operation: str, place: str) -> None:
        self.operation, self.place, self.inputs = operation, place, (a, b)
        a.needed = b.needed = True

    def backward(self, run: Run) -> None:
        """Share c and r by the gate rule: a signal's carry is g · share, a gate receives relevance proper."""
        z = self.outputs[0]
        at, rule = shares(self, run)
        gate, signal = self.inputs[at], self.inputs[1 - at]
        if isinstance(rule, Gate):
            pre = (pre_activation(gate), pre_activation(signal)) if rule.by_value else (torch.empty(0), torch.empty(0))
            split = rule.split(*pre, run.composite.default.epsilon)
        else:
            split = rule
        relevance = z.relevance() if split.gate is not None or split.stabiliser is not None or split.loss is not None else None
        if split.signal is not None:
            c = None if z.c is None else (z.c * split.signal * wide(gate.value)).sum_to_size(signal.shape)
            r = None if z.r is None else (z.r * split.signal).sum_to_size(signal.shape)
            signal.add(c, r)
        if split.gate is not None:
            assert relevance is not None
            if isinstance(rule, Gate):
                gate.add(r=(relevance * split.gate).sum_to_size(gate.shape))
            else:
                c = None if z.c is None else (z.c * split.gate * wide(signal.value)).sum_to_size(gate.shape)
                gate.add(c, None if z.r is None else (z.r * split.gate).sum_to_size(gate.shape))
        for key, part in (("stabiliser", split.stabiliser), ("gates", split.loss)):
            if part is not None:
                assert relevance is not None
                run.book(key, z, relevance * part)

    def samples(self, output: Var) -> Samples:
        """As the inputs, broadcast."""
        return aligned(self.inputs, output)


class Bilinear(Node):
    """z = f(a, b), linear in each of two activations: matmul, bmm, einsum…; `uniform` halves it whatever the gate "
    "rule (AttnLRP)."""

    def __init__(
        self,
        func: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        name: str,
        a: Var,
        b: Var,
        place: str,
        *,
        uniform: bool,
    ) -> None:
        self.func, self.operation, self.place, self.inputs, self.uniform = func, name, place, (a, b), uniform
        a.needed = b.needed = True

    def backward(self, run: Run) -> None:
        """Share the terms of each sum alike, or, for gate rules that go by value, each term for itself."""
        z = self.outputs[0]
        at, rule = (0, _SHARES["half"]) if self.uniform else shares(self, run)
        c = run.carry(z)
        assert c is not None
        if isinstance(rule, Gate) and rule.by_value:
            self._term_by_term(run, at, rule, c)
            return
        split = rule if isinstance(rule, Split) else rule.split(c, c, 0.0)
        leaves = [wide(var.value).detach().clone().requires_grad_() for var in self.inputs]
        with torch.enable_grad():
            back = torch.autograd.grad(self.func(*leaves), leaves, c)
        for place, (var, part) in enumerate(zip(self.inputs, back, strict=True)):
            share = split.gate if place == at else split.signal
            if share is not None:
                as_gate = place == at and isinstance(rule, Gate)
                var.add(**({"r": part * share * wide(var.value)} if as_gate else {"c": part * share}))
        if split.loss is not None:
            run.book("gates", z, wide(z.value) * c * split.loss)

    def _term_by_term(self, run: Run, at: int, rule: Gate, c: torch.Tensor) -> None:
        (a, b), z = self.inputs, self.outputs[0]
        if self.operation not in ("matmul", "bmm") or min(len(a.shape), len(b.shape)) < 2:
            raise RelevanceError(
                f"gates={rule.name!r} needs {self.operation!r} of a gate written as matmul of matrices, or as * and sum"
            )
        relevance = wide(a.value).unsqueeze(-1) * wide(b.value).unsqueeze(-3) * c.unsqueeze(-2)  # [..., i, k, j]
        pre = pre_activation(a).unsqueeze(-1), pre_activation(b).unsqueeze(-3)
        split = rule.split(pre[at], pre[1 - at], run.composite.default.epsilon)
        mine, other = (split.gate, split.signal) if at == 0 else (split.signal, split.gate)
        for var, share, axis in ((a, mine, -1), (b, other, -3)):
            if share is not None:
                var.add(r=(relevance * share).sum(axis).sum_to_size(var.shape))
        if split.stabiliser is not None:
            run.book("stabiliser", z, (relevance * split.stabiliser).sum(-2))

    def samples(self, output: Var) -> Samples:
        """Send the numbers of the texts through the map, instead of the values of one input, and one for the other."""
        a, b = self.inputs
        own, ones = (
            a.samples().spread(a.shape, a.value.device).double(),
            torch.ones(b.shape, dtype=torch.float64, device=b.value.device),
        )
        count = self.func(torch.ones_like(own), ones)
        return Samples.compress((self.func(own, ones) / count).round())


def product(func: Callable[..., Any], name: str, tape: Tape, place: Callable[[], str], args: Any, kwargs: Any) -> Any:
    """Run a product or quotient, and put it on the tape; a quotient that is rounded is neither."""
    if kwargs.get("rounding_mode") is not None:
        return NotImplemented
    value = func(*args, **kwargs)
    inverse = "div" in name
    a, b = args[0] if args else kwargs["input"], args[1] if len(args) > 1 else kwargs["other"]
    left, right = tape.find(a), tape.find(b)
    if left is not None and right is None:
        node: Node = Scaled(left, b, name, inverse=inverse)
        tape.record(node, value, gate=left.gate)
    elif right is not None and left is None and not inverse:
        tape.record(Scaled(right, a, name, inverse=False), value, gate=right.gate)
    elif left is not None and right is not None and not inverse:
        tape.record(Multiplied(left, right, name, place()), value, gate=left.gate and right.gate)
    elif left is not None and right is not None:  # a normalisation: the divisor counts as a constant
        tape.record(Scaled(left, right.value, name, inverse=True), value, gate=left.gate)
    else:
        return NotImplemented
    return value


def bilinear(
    tape: Tape,
    func: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    name: str,
    place: str,
    a: Var,
    b: Var,
    value: torch.Tensor,
    *,
    uniform: bool,
) -> None:
    """Put a bilinear map of two activations on the tape."""
    tape.record(Bilinear(func, name, a, b, place, uniform=uniform), value)
