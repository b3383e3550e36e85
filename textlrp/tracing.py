"""How the score of one text travels through a classifier, as plain numbers that `textlrp.highlight.flow` draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textlrp.highlight.flow import Flow, FlowLayer

if TYPE_CHECKING:
    import torch

    from textlrp.classifier import TextClassifier
    from textlrp.explaining import Rule
    from textlrp.targets import Target

__all__ = ["trace"]


def trace(
    classifier: TextClassifier, text: str, *, target: Target = "predicted", rule: Rule = "default", gates: str = "all"
) -> Flow:
    """Follow the score of a text back through the layers; of recurrent ones, also the relevance of h and c at each step.

    >>> import textlrp
    >>> flow = trace(textlrp.load("imdb-dense"), "A warm film.", target="positive")
    >>> [layer.name for layer in flow.layers][0]
    'head.output'
    """
    import numpy as np

    from textlrp import lrp
    from textlrp.encoding import read
    from textlrp.explaining import composite_of
    from textlrp.models.batches import Encoded
    from textlrp.targets import engine_target, target_names

    reading = read(text, classifier.vocabulary, max_tokens=classifier.config_.max_tokens)
    ids, lengths = Encoded.of([reading.ids]).pad(np.arange(1))
    device = next(classifier.module.parameters()).device
    names = [str(each) for each in classifier.classes_]
    found = lrp.attribute(
        classifier.module,
        ids.to(device),
        lengths.to(device),
        target=engine_target(target),
        composite=composite_of(rule, classifier.config_.arch)[0],
        gates=gates,
        classes=names,
        steps=True,
    )
    count = len(reading.tokens)
    layers = tuple(
        FlowLayer(
            name or "(model)",
            float(each.relevance_in[0]),
            float(each.relevance_out[0]),
            float(each.absorbed[0]),
            _steps(each.hidden, count),
            _steps(each.cell, count),
        )
        for name, each in found.layers.items()
    )
    return Flow(
        target=target_names(target, found.output.double().cpu().numpy(), names)[0],
        score=float(found.score[0]),
        layers=layers,
        words=tuple(token.text for token in reading.tokens),
        ledger={name: float(value[0]) for name, value in found.ledger.items()},
    )


def _steps(relevance: torch.Tensor | None, count: int) -> tuple[tuple[float, ...], ...]:  # [levels,1,T]
    if relevance is None:
        return ()
    return tuple(tuple(level[0, :count].double().tolist()) for level in relevance)
