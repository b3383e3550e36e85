"""attribute(): the relevance of every id of a batch, for any PyTorch module."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from textlrp.errors import InputError, RelevanceError
from textlrp.lrp.attribution import Attribution
from textlrp.lrp.composite import Composite
from textlrp.lrp.embedding import Source
from textlrp.lrp.gates import Gate, gate_rule
from textlrp.lrp.mode import Watch
from textlrp.lrp.names import Names
from textlrp.lrp.numbers import wide
from textlrp.lrp.run import Run
from textlrp.lrp.tape import Samples, Tape, Var
from textlrp.lrp.targets import start
from textlrp.lrp.weighted import Ruled

__all__ = ["attribute"]


def attribute(
    module: nn.Module,
    ids: torch.Tensor,
    lengths: torch.Tensor | None = None,
    *,
    target: Any = "predicted",
    composite: Composite | None = None,
    gates: str | Gate = "all",
    layers: bool = True,
    steps: bool = False,
) -> Attribution:
    """Explain `module(ids, lengths)`: bring the relevance of the target logit back to the ids."""
    gate = gate_rule(gates)
    composite = Composite() if composite is None else composite
    with torch.inference_mode(False), torch.no_grad():
        tape = Tape()
        ids = ids.detach().clone()
        source = Var(ids, None, samples=Samples(0))
        source.positions = torch.arange(ids.numel(), device=ids.device).view(ids.shape)
        tape.put(source)
        names = Names(module, attribute.__code__)
        with Watch(tape, names, len(ids)):
            output = module(ids) if lengths is None else module(ids, lengths)
        end = tape.find(output)
        sources = [node for node in tape.nodes if isinstance(node, Source)]
        if end is None or not sources:
            raise RelevanceError("no word embedding was seen on the way to the output")
        logits = wide(output.detach())
        begin = start(target, logits)
        ruled = [node for node in tape.nodes if isinstance(node, Ruled)]
        for depth, node in enumerate(ruled):
            node.depth, node.count = depth, len(ruled)
        run = Run(composite, gate, batch=len(ids), dtype=logits.dtype, device=logits.device, layers=layers, steps=steps)
        run.ids = ids
        run.words = torch.zeros(ids.numel(), dtype=logits.dtype, device=logits.device)
        end.add(begin.c, begin.r)
        run.walk(tape)
        tokens = run.words.view(ids.shape)
        if lengths is not None:
            inside = torch.arange(ids.shape[1], device=ids.device) < lengths.to(ids.device)[:, None]
            run.book_total("padding", tokens.masked_fill(inside, 0.0).sum(1))
            tokens = tokens.masked_fill(~inside, 0.0)
        run.book_total("words", tokens.sum(1))
        return Attribution(tokens, begin.score, run.ledger, output.detach(), run.layers or {})


_ = InputError
