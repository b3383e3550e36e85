"""What an attribution gives back: plain records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

__all__ = ["Attribution", "LayerRelevance"]


@dataclass(frozen=True, eq=False)
class LayerRelevance:
    """The relevance that goes through one layer, text by text, summed over its calls if it is called more than once.

    `relevance_out` arrives at its output, `relevance_in` leaves by its input towards the words, `absorbed` stays (biases,
    stabilisers, initial states…): relevance_out = relevance_in + absorbed. All [B]. In recurrent layers `hidden` and `cell`
    hold the relevance of h and c at each time step, [levels, B, T] with one level per layer and direction (as in h_n), if
    `steps` was asked for; those of a call with fewer words than another end with zeros.
    """

    relevance_in: torch.Tensor
    relevance_out: torch.Tensor
    absorbed: torch.Tensor
    hidden: torch.Tensor | None = None
    cell: torch.Tensor | None = None

    def plus(self, other: LayerRelevance | None) -> LayerRelevance:
        """Return the sum of two calls of one layer."""
        if other is None:
            return self
        return LayerRelevance(
            self.relevance_in + other.relevance_in,
            self.relevance_out + other.relevance_out,
            self.absorbed + other.absorbed,
            other.hidden if self.hidden is None else self.hidden,
            other.cell if self.cell is None else self.cell,
        )


@dataclass(frozen=True, eq=False)
class Attribution:
    """The relevance of a batch of texts.

    `tokens` [B, T]: the relevance of each id, exactly 0 on padding. `score` [B]: what was explained. `ledger`: where the score
    went, each entry [B]; the entries sum to the score. `layers`: the same for each layer, by its name. `output`: what the model
    returned.
    """

    tokens: torch.Tensor
    score: torch.Tensor
    ledger: Mapping[str, torch.Tensor]
    output: torch.Tensor
    layers: Mapping[str, LayerRelevance] = field(default_factory=dict)

    @property
    def residual(self) -> torch.Tensor:
        """Return score − Σ ledger, [B]: 0 up to rounding, whatever the rules."""
        return self.score - torch.stack(list(self.ledger.values())).sum(0)
