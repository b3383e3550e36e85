"""From encoded texts to Explanations: network, LRP, and the plain record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from textlrp import lrp
from textlrp.encoding import Reading
from textlrp.errors import InputError, unknown_name
from textlrp.explanation import Explanation
from textlrp.finite import check_finite
from textlrp.models.batches import Encoded, probabilities
from textlrp.targets import Target, engine_target, target_names

if TYPE_CHECKING:
    from torch import nn

    from textlrp.models.config import ModelConfig

__all__ = ["DEFAULT_RULES", "Rule", "composite_of", "explain_batch"]

Rule: TypeAlias = "str | lrp.Rule | lrp.Composite"

#: What `rule="default"` stands for: the most faithful rule of each architecture on validation texts (reports/faithfulness.md).
DEFAULT_RULES = {"dense": "epsilon", "lstm": "epsilon-gamma", "gru": "epsilon", "cnn": "epsilon"}


def composite_of(rule: Rule, arch: str) -> tuple[lrp.Composite, str]:
    """Return the composite that a rule, a composite or a name stands for, and the name that an Explanation records.

    >>> composite_of("default", "lstm")[1]
    'epsilon-gamma'
    """
    if isinstance(rule, lrp.Composite):
        return rule, rule.name
    if isinstance(rule, lrp.Rule):
        return lrp.Composite(default=rule), rule.name
    if not isinstance(rule, str):
        raise InputError(f"a rule is a name, a rule such as lrp.Epsilon(1e-3), or a Composite, not a {type(rule).__name__}")
    name = DEFAULT_RULES[arch] if rule == "default" else rule
    if name not in lrp.PRESETS:
        raise unknown_name("rule", rule, ["default", *lrp.PRESETS])
    return lrp.PRESETS[name].composite, name


def explain_batch(
    module: nn.Module,
    batch: Sequence[Reading],
    *,
    config: ModelConfig,
    classes: Sequence[Any],
    target: Target,
    rule: Rule,
    gates: str,
    model: str,
    places: np.ndarray | None = None,
) -> list[Explanation]:
    """Explain a batch of encoded texts at once; one forward pass, and relevance back from its logits.

    Raises NumericalError where numbers overflow or become NaN; it names the texts by their `places` (left out: in the batch).
    """
    composite, rule_name = composite_of(rule, config.arch)
    ids, lengths = Encoded.of([each.ids for each in batch]).pad(np.arange(len(batch)))
    if not ids.shape[1]:
        ids = ids.new_zeros(len(batch), 1)  # nothing but empty texts: one column of padding, so that the words are looked up
    device = next(module.parameters()).device
    found = lrp.attribute(
        module,
        ids.to(device),
        lengths.to(device),
        target=engine_target(target),
        composite=composite,
        gates=gates,
        classes=[str(name) for name in classes],
        layers=False,
    )
    logits = found.output.double().cpu().numpy()
    check_finite("logits", logits, places=places)
    names = target_names(target, logits, classes)
    relevance = found.tokens.double().cpu().numpy()
    scores = found.score.double().cpu().numpy()
    ledger = {name: entry.double().cpu().numpy() for name, entry in found.ledger.items()}
    because = (
        f"the rule {rule_name!r} with the gate rule {gates!r} divides by sums that may all but vanish, and relevance grew from "
        "word to word beyond what single precision holds; use "
        + ("gates='all' or 'abs', or a rule with a larger ε" if gates in ("prop", "half") else "a rule with a larger ε")
    )
    check_finite("relevance", relevance, places=places, because=because)
    check_finite("ledger", np.stack([scores, *ledger.values()], axis=1), places=places, because=because)
    shares = probabilities(logits, temperature=config.temperature)
    explanations = []
    for i, reading in enumerate(batch):
        length = len(reading.tokens)
        explanations.append(
            Explanation(
                text=reading.text,
                tokens=reading.tokens,
                relevance=relevance[i, :length].copy(),
                target=names[i],
                score=float(scores[i]),
                ledger={name: float(entry[i]) for name, entry in ledger.items()},
                prediction=str(classes[int(logits[i].argmax())]),
                probabilities={str(name): float(p) for name, p in zip(classes, shares[i], strict=True)},
                known=tuple((reading.ids > 1).tolist()),
                read_to=reading.read_to,
                model=model,
                rule=rule_name,
                gates=gates,
            )
        )
    return explanations
