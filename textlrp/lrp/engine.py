"""attribute(): the relevance of every id of a batch, for any PyTorch module."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from textlrp.errors import InputError, RelevanceError
from textlrp.lrp.attribution import Attribution
from textlrp.lrp.composite import Composite
from textlrp.lrp.embedding import Source
from textlrp.lrp.gates import Gate, gate_rule
from textlrp.lrp.inplace import revive
from textlrp.lrp.mode import Watch
from textlrp.lrp.names import Names
from textlrp.lrp.numbers import wide
from textlrp.lrp.run import Run
from textlrp.lrp.structural import flatten
from textlrp.lrp.tape import Samples, Tape, Var
from textlrp.lrp.targets import Target, start
from textlrp.lrp.weighted import Ruled

__all__ = ["attribute"]

_STANCE = threading.RLock()


def attribute(
    module: nn.Module,
    ids: torch.Tensor,
    lengths: torch.Tensor | None = None,
    *,
    target: Target = "predicted",
    composite: Composite | None = None,
    gates: str | Gate = "all",
    classes: Sequence[str] | None = None,
    arguments: Mapping[str, Any] | None = None,
    layers: bool = True,
    steps: bool = False,
) -> Attribution:
    """Explain what `module(ids, lengths)` returns: bring the relevance of the target back to each id, by LRP.

    `ids` [B, T]: integers that the model embeds, or floating-point inputs [B, …], whose elements then take the relevance.
    `lengths` [B]: how many ids of each text are real (None: all; the model is then called without). `target`: "predicted",
    "margin", "winner", a class index or name (with `classes`), one for each text, `Margin`, `Weights` or `Relevance`.
    `composite` says which rule each layer gets (default: LRP-ε with ε = 0.001), `gates` who takes the relevance of gated
    products. `arguments` are further keyword arguments of the model. `layers=False` leaves out the relevance of layers,
    `steps=True` adds that of h and c in recurrent layers over time.

    The model is explained as it behaves in evaluation, and is left as it was: nothing is hooked, patched or written. Raises
    `RelevanceError` where an operation has no rule, `InputError` or `UnknownNameError` for arguments that cannot be.

    >>> from torch import nn
    >>> model = nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(12, 2))
    >>> a = attribute(model, torch.tensor([[1, 2, 3]]), target=1)
    >>> a.tokens.shape, bool(a.residual.abs() < 1e-5)
    (torch.Size([1, 3]), True)
    """
    gate = gate_rule(gates)
    composite = Composite() if composite is None else composite
    if not isinstance(composite, Composite):
        raise InputError(f"attribute: composite must be a Composite, as Composite(default=Epsilon(0.001)), not {composite!r}")
    _check(module, ids, lengths)
    batch = ids.shape[0]  # len() of a tensor is Python
    if "_orig_mod" in module._modules:  # torch.compile wraps it
        module = module.get_submodule("_orig_mod")
    with torch.inference_mode(False), torch.no_grad(), ExitStack() as afterwards:
        tape = Tape(
            gates=not gate.reaches_gates,  # else all pre-activations are worked out once more anyway
            lean=gate.name == "all" and composite.plain and not layers,
            named=layers or bool(composite.rules),
        )
        source = Var(ids.detach().clone(), None, samples=Samples(0))
        source.ids = not ids.is_floating_point()
        source.positions = torch.arange(ids.numel(), device=ids.device).view(ids.shape) if source.ids else None
        tape.put(source)
        watch = Watch(
            tape,
            Names(module, attribute.__code__, batch),
            frozenset(composite.operations),
            steps=ids.shape[1:].numel() if batch else 1,
        )
        for each in flatten(list((arguments or {}).values())):
            if isinstance(each, torch.Tensor) and each.is_floating_point():
                tape.make(each)
        given = (source.value,) if lengths is None else (source.value, lengths)
        try:
            with _eagerly() if watch.names.compiled else nullcontext(), watch:
                output = module(*given, **(arguments or {}))
        finally:
            watch.restore_random()
        revive(tape, output)
        end = tape.find(output) if isinstance(output, torch.Tensor) else None
        if not isinstance(output, torch.Tensor):
            raise RelevanceError(
                f"the model must return a tensor of logits [B, C], not {type(output).__name__}; wrap it in a module that does"
            )
        if end is None or end.ids or (source.ids and not any(isinstance(node, Source) for node in tape.nodes)):
            raise RelevanceError(
                "no embedding of the ids was seen on the way to the output; the model must look ids up with "
                "nn.Embedding, nn.EmbeddingBag or "
                "weight[ids], in Python code (a scripted or traced part cannot be seen: explain the module it was made from)"
            )
        output = output.detach()
        afterwards.enter_context(_unmixed(output.device))
        logits = wide(output)
        begin = start(target, logits, classes)
        if composite.rules:  # else nobody asks
            _set_depths(tape)
        run = Run(composite, gate, source, batch=batch, dtype=logits.dtype, device=logits.device, layers=layers, steps=steps)
        end.add(begin.c, begin.r)
        tape.slim()
        if batch:  # else there is nothing to share out
            run.walk(tape)
        if not source.ids:
            run.words = source.relevance().to(logits.dtype)
        tokens = run.words.view(ids.shape)
        if lengths is not None and ids.dim() >= 2:
            padding = torch.arange(ids.shape[1], device=ids.device) >= lengths.to(ids.device)[:, None]
            padding = padding.view(*padding.shape, *([1] * (ids.dim() - 2)))
            run.book_total("padding", source.samples().total(tokens.masked_fill(~padding, 0.0), run.batch))
            tokens = tokens.masked_fill(padding, 0.0)
        run.book_total("words", source.samples().total(tokens, run.batch))
        return Attribution(tokens, begin.score, run.ledger, output, run.layers or {})


@contextmanager
def _eagerly() -> Iterator[None]:
    """Run what is compiled as it was written, one thread after the other: torch has one stance for all of them."""
    with _STANCE, torch.compiler.set_stance("force_eager"):
        yield


def _unmixed(device: torch.device) -> AbstractContextManager[Any]:
    """Switch the caller's autocast off: the model runs under it, relevance is computed in full precision."""
    mixed = torch.is_autocast_enabled(device.type)
    return torch.autocast(device.type, enabled=False) if mixed else nullcontext()


def _set_depths(tape: Tape) -> None:
    """Tell each layer with a rule how many such layers lie between it and the words, at most."""
    below: dict[int, int] = {}
    ruled: list[Ruled] = []
    for node in tape.nodes:
        depth = max((below.get(id(var), 0) for var in node.inputs), default=0)
        if isinstance(node, Ruled):
            node.depth = depth
            ruled.append(node)
            depth += 1
        below.update((id(var), depth) for var in node.outputs)
    count = max((node.depth for node in ruled), default=0) + 1
    for node in ruled:
        node.count = count


def _check(module: Any, ids: Any, lengths: Any) -> None:
    if not isinstance(module, nn.Module):
        raise InputError(f"attribute: the model must be a torch.nn.Module, not {type(module).__name__}")
    if not isinstance(ids, torch.Tensor) or ids.dim() < 1 or ids.dtype == torch.bool:
        raise InputError("attribute: ids must be an integer tensor [B, T] (or floating-point inputs [B, …])")
    if lengths is not None:
        if not isinstance(lengths, torch.Tensor) or lengths.shape != ids.shape[:1]:
            raise InputError(f"attribute: lengths must be a tensor [{len(ids)}], one for each text")
        if ids.dim() >= 2 and len(ids) and (int(lengths.max()) > ids.shape[1] or int(lengths.min()) < 0):
            raise InputError(f"attribute: lengths must lie between 0 and {ids.shape[1]}, the width of ids")
