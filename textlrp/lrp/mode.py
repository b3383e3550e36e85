"""The forward pass, watched: every torch function that a model calls goes through here, by name, and one table says what
becomes of it.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from textlrp.errors import RelevanceError
from textlrp.lrp import attention, embedding, level, matrices, normalise, packing, products, recurrent, weighted
from textlrp.lrp.custom import Custom
from textlrp.lrp.evaluation import TRAINED, in_evaluation
from textlrp.lrp.ids import follow_ids, write_ids
from textlrp.lrp.inplace import revive, write
from textlrp.lrp.names import Names
from textlrp.lrp.pointwise import pointwise
from textlrp.lrp.structural import flatten, structural
from textlrp.lrp.tables import (
    ALIASES,
    CONSTANTS,
    COPIES,
    FACTORIES,
    IDENTITIES,
    LIKE,
    POINTWISE,
    RANDOM,
    READERS,
    SELECTIONS,
    SUMS,
)
from textlrp.lrp.tape import Tape, Var
from textlrp.lrp.transforms import refuse_transformed, transforming

__all__ = ["OPERATIONS", "Watch"]

Handler = Callable[["Watch", Callable[..., Any], str, Any, dict[str, Any]], Any]

# Attributes that are tensors of the same numbers, and functions that do the same.
_ATTRIBUTES: dict[Any, str] = dict.fromkeys((torch.Tensor.T, torch.Tensor.mT, torch.Tensor.H, torch.Tensor.mH), "t")
_ATTRIBUTES[torch.Tensor.data] = "detach"


class Watch(TorchFunctionMode):
    """Runs a model's functions, and writes on the tape those that relevance can come back through."""

    def __init__(self, tape: Tape, names: Names, own: frozenset[str], *, steps: int) -> None:
        super().__init__()
        self.tape, self.names = tape, names
        self.own = own  # operations that the composite has rules for
        self.steps = steps  # ids in each text
        self.uniform = False  # inside nn.MultiheadAttention
        self.random: torch.Tensor | None = None  # the state of the random numbers before the model drew any
        self.random_cuda: list[torch.Tensor] = []

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Handle one call."""
        name = getattr(func, "__name__", "").split(".")[0]
        name = ALIASES.get(name, name)
        kwargs = kwargs or {}
        tape = self.tape
        if tape.written:
            revive(tape, args, kwargs)
        if name == "__get__":
            twin = _ATTRIBUTES.get(getattr(func, "__self__", None))
            known = None if twin is None else tape.find(args[0])
            if twin is None or known is None:
                return func(*args, **kwargs)
            if known.ids:
                return follow_ids(self, func, twin, args, kwargs, [known])
            return structural(func, twin, tape, args, kwargs)
        if transforming():
            refuse_transformed(tape, name, args, kwargs)
        if name in IDENTITIES:
            return args[0] if args else kwargs["input"]
        if name in RANDOM and self.random is None:
            self.random = torch.get_rng_state()
            self.random_cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
        if name == "linear" and not self.names.lost:
            return weighted.linear(tape, self.names, func, args, kwargs)
        if kwargs and kwargs.get("out") is not None:
            return self._into(func, args, kwargs)
        leaves = [leaf for leaf in flatten((args, *kwargs.values()) if kwargs else args) if isinstance(leaf, torch.Tensor)]
        writing = (name.endswith("_") and not name.endswith("__")) or name in ("__setitem__", "__set__")
        if leaves and (writing or (kwargs and kwargs.get("inplace") is True)):
            if writing and self.names.is_state(leaves[0]):
                return self._spare(leaves)
            tape.constants.keep(leaves[0])
        if self.names.lost and name not in CONSTANTS and name != "__len__":
            self.names.refuse_lost(leaves)
        read = leaves[:1] if name in LIKE else leaves
        tracked = [var for var in map(tape.find, read) if var is not None]
        if not tracked or name in CONSTANTS:
            if name in TRAINED:
                args, kwargs = in_evaluation(name, args, kwargs)
            result = func(*args, **kwargs)
            tape.note(name in FACTORIES, read, flatten(result), writing=writing)
            return result
        if name in self.own:
            return self.custom(func, name, args, kwargs, tracked)
        if writing and name not in ("_pack_padded_sequence_",):
            return self._write(func, name, args, kwargs)
        if kwargs.get("inplace") is True and name in POINTWISE:
            kwargs = {key: value for key, value in kwargs.items() if key != "inplace"}
            in_place = getattr(torch.Tensor, f"{name}_", None)
            return write(tape, lambda _, given, options: self(func, given, options), in_place or func, f"{name}_", args, kwargs)
        of_ids = all(var.ids for var in tracked)
        handler = OPERATIONS.get(name)
        if handler is not None and (not of_ids or name in READERS):
            result = handler(self, func, name, args, kwargs)
            if result is not NotImplemented:
                return result
        if of_ids:
            return follow_ids(self, func, name, args, kwargs, tracked)
        if name in POINTWISE:
            result = pointwise(func, name, tape, args, kwargs)
            return self.custom(func, name, args, kwargs, tracked) if result is NotImplemented else result
        if name in COPIES or name in SUMS or name in SELECTIONS:
            return structural(func, name, tape, args, kwargs)
        if isinstance(func, FunctionType) and (func.__module__ or "").startswith("torch."):
            return self.descend(func, args, kwargs)
        return self.custom(func, name, args, kwargs, tracked)

    def restore_random(self) -> None:
        """Set the state of the random numbers back, if the model drew any."""
        if self.random is not None:
            torch.set_rng_state(self.random)
            if self.random_cuda:
                torch.cuda.set_rng_state_all(self.random_cuda)

    def __call__(self, func: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """Run `func` under watch again."""
        with self:
            return func(*args, **kwargs)

    def descend(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Run a Python function of torch so that the calls inside it are seen one by one."""
        blind = dict.fromkeys(
            ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic"), lambda *_: False
        )
        inside = FunctionType(func.__code__, {**func.__globals__, **blind}, func.__name__, func.__defaults__, func.__closure__)
        inside.__kwdefaults__ = func.__kwdefaults__
        return self(inside, args, kwargs)

    @contextlib.contextmanager
    def uniformly(self) -> Iterator[None]:
        """Treat products of activations by the uniform rule for a while."""
        before, self.uniform = self.uniform, True
        try:
            yield
        finally:
            self.uniform = before

    def custom(self, func: Callable[..., Any], name: str, args: Any, kwargs: Any, tracked: list[Var]) -> Any:
        """Run an operation that no table knows; its node complains if relevance comes to it."""
        result = func(*args, **kwargs)
        values = [leaf for leaf in flatten(result) if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()]
        fresh = [value for value in values if self.tape.find(value) is None]
        inputs = tuple(dict.fromkeys(var for var in tracked if not var.ids)) or tuple(dict.fromkeys(tracked))
        if fresh:
            rest = tuple(leaf for leaf in args if not isinstance(leaf, torch.Tensor))
            self.tape.record(Custom(func, name, self.place(), inputs, rest, kwargs), *fresh)
        return result

    def place(self) -> str:
        """Return the name of the module that is running."""
        module = self.names.running()
        return self.names.name(module) or type(module).__name__

    def _spare(self, leaves: list[torch.Tensor]) -> torch.Tensor:
        """Leave the model's own numbers as they are; note it if they are not those that the model would go on with."""
        if any(var is not None and not var.ids for var in map(self.tape.find, leaves)):
            self.names.lose(leaves[0])
        return leaves[0]

    def _into(self, func: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """Run a function that has its results put into `out`, and put them there."""
        out = kwargs["out"]
        result = self(func, args, {key: value for key, value in kwargs.items() if key != "out"})
        for target, value in zip(flatten(out), flatten(result), strict=True):
            if target.shape != value.shape and not self.names.is_state(target):
                self.tape.constants.keep(target)
                target.resize_(value.shape)
            self(torch.Tensor.copy_, (target, value), {})
        return out

    def _write(self, func: Callable[..., Any], name: str, args: Any, kwargs: Any) -> Any:
        if name == "__set__":
            if getattr(func, "__self__", None) is torch.Tensor.data:
                raise RelevanceError(f"{self.place()} sets .data of or to an activation, which cannot be followed; use copy_()")
            return func(*args, **kwargs)
        if not args[0].is_floating_point():
            return write_ids(self, func, name, args, kwargs)
        return write(self.tape, lambda twin, given, options: self(twin, given, options), func, name, args, kwargs)


def _attention(watch: Watch, func: Callable[..., Any], name: str, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run nn.MultiheadAttention's function in its parts."""
    with watch.uniformly():
        return watch.descend(func, args, kwargs)


def _dot_product_attention(watch: Watch, func: Callable[..., Any], name: str, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run softmax(q kᵀ / √d + mask) v in its parts; both products share half and half (AttnLRP)."""
    given = dict(zip(("query", "key", "value", "attn_mask", "dropout_p", "is_causal"), args, strict=False)) | kwargs
    q, k, v, mask = given["query"], given["key"], given["value"], given.get("attn_mask")
    scale = given.get("scale")
    with watch.uniformly(), watch:
        scores = torch.matmul(q * (1 / math.sqrt(q.shape[-1]) if scale is None else scale), k.transpose(-2, -1))
        if given.get("is_causal"):
            mask = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device).tril()
        if mask is not None:
            scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
        return torch.matmul(functional.softmax(scores, -1), v)


def _negative(watch: Watch, func: Callable[..., Any], name: str, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run a difference; 1 − gate is a gate."""
    value = structural(func, name, watch.tape, args, kwargs)
    first, second = (args[1], args[0]) if name == "rsub" else (args[0], args[1] if len(args) > 1 else kwargs.get("other"))
    new, gate = watch.tape.find(value), watch.tape.find(second)
    if new is not None:
        new.gate = (gate is not None and gate.gate and isinstance(first, (int, float))) or (
            _all_ones(first, watch.tape) and gate is not None and gate.gate
        )
    return value


def _all_ones(thing: Any, tape: Tape) -> bool:
    return isinstance(thing, torch.Tensor) and tape.find(thing) is None and bool((thing == 1).all())


def _sum_gate(watch: Watch, func: Callable[..., Any], name: str, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run a sum; the sum of gates is no gate."""
    value = structural(func, name, watch.tape, args, kwargs)
    new = watch.tape.find(value)
    if new is not None:
        new.gate = False
    return value


def _table() -> dict[str, Handler]:
    table: dict[str, Handler] = {
        "linear": lambda w, f, n, a, k: weighted.linear(w.tape, w.names, f, a, k),
        "conv1d": lambda w, f, n, a, k: weighted.conv1d(w.tape, w.names, f, a, k),
        "embedding": lambda w, f, n, a, k: embedding.embedding(w.tape, w.names, f, a, k),
        "embedding_bag": lambda w, f, n, a, k: embedding.embedding_bag(w.tape, w.names, f, a, k),
        "_pack_padded_sequence": lambda w, f, n, a, k: packing.pack_padded_sequence(w.tape, a),
        "_pad_packed_sequence": lambda w, f, n, a, k: packing.pad_packed_sequence(w.tape, a),
        "batch_norm": lambda w, f, n, a, k: normalise.batch_norm(f, w.tape, w.names, a, k),
        "einsum": matrices.einsum,
        "multi_head_attention_forward": _attention,
        "scaled_dot_product_attention": _dot_product_attention,
        "add": _sum_gate,
    }
    table |= dict.fromkeys(level.KINDS, lambda w, f, n, a, k: recurrent.recurrent(w.tape, w.names, f, n, a))
    table |= dict.fromkeys(level.CELLS, lambda w, f, n, a, k: recurrent.cell(w.tape, w.names, f, n, a, k))
    table |= dict.fromkeys(("layer_norm", "rms_norm"), lambda w, f, n, a, k: normalise.layer_norm(f, n, w.tape, w.names, a, k))
    table |= dict.fromkeys(("softmax", "log_softmax"), lambda w, f, n, a, k: attention.softmax(f, n, w.tape, a, k))
    multiply: Handler = lambda w, f, n, a, k: products.product(f, n, w.tape, w.place, a, k)  # noqa: E731
    table |= dict.fromkeys(("mul", "div"), multiply)
    table |= dict.fromkeys(("matmul", "__rmatmul__", "bmm", "dot", "inner"), matrices.matmul)
    table |= dict.fromkeys(("addmm", "baddbmm", "addmv", "addbmm", "addcmul"), matrices.sum_of)
    table |= dict.fromkeys(("sub", "rsub"), _negative)
    return table


OPERATIONS = _table()
