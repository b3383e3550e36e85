"""The model-parameter randomisation test: an explanation of a model must change when the model's parameters are scrambled."""

from __future__ import annotations

import copy

import torch
from torch import nn

__all__ = ["REPEATED", "SCRAMBLED", "STAGES", "passes", "scrambled"]

#: How far the network is scrambled, from its output towards the words (the cascade of Adebayo et al. 2018).
STAGES = ("output", "all but the word vectors", "all")
SCRAMBLED = 0.5  # at most this rank correlation, either way, may be left after everything was scrambled
REPEATED = 0.95  # at least this rank correlation must be found when the same explanation is asked for again


def scrambled(module: nn.Module, stage: str, *, seed: int = 0) -> nn.Module:
    """Return a copy of `module` whose parameters are shuffled within each tensor, so that their distribution stays.

    `stage` is one of STAGES. Rows of an embedding that are wholly zero (padding, n-grams without a vector) stay as they are.
    """
    copied = copy.deepcopy(module).eval()
    owners = [each for each in copied.modules() if any(True for _ in each.parameters(recurse=False))]
    words = [each for each in owners if isinstance(each, nn.Embedding) or hasattr(each, "share_relevance")]
    chosen = {"output": owners[-1:], "all": owners}.get(stage, [each for each in owners if each not in words])
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for owner in chosen:
            for parameter in owner.parameters(recurse=False):
                _shuffle(parameter, owner in words, generator)
    return copied


def _shuffle(parameter: nn.Parameter, rows: bool, generator: torch.Generator) -> None:
    values = parameter.detach().cpu()
    kept = values.abs().flatten(1).amax(1) > 0 if rows and values.dim() > 1 else torch.ones(len(values), dtype=torch.bool)
    moved = values[kept].flatten()
    values = values.clone()
    values[kept] = moved[torch.randperm(len(moved), generator=generator)].reshape(values[kept].shape)
    parameter.copy_(values)


def passes(repeated: float, low: float, high: float) -> bool:
    """Say whether a method passes: asked again it says the same, and of a scrambled model it says something else.

    `repeated`: mean rank correlation with a second explanation of the same model; `low`, `high`: the 95 % interval of the mean
    rank correlation with the explanation of the wholly scrambled model.

    >>> passes(1.0, -0.1, 0.1), passes(1.0, 0.8, 0.9), passes(0.0, -0.1, 0.1)
    (True, False, False)
    """
    return repeated >= REPEATED and low >= -SCRAMBLED and high <= SCRAMBLED
