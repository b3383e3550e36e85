"""What the baselines share: a module as it predicts, and the scores of a text with words left out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["MOST_TOKENS", "predicting", "scores"]

MOST_TOKENS = 16_384  # ids in one pass through the network


@contextlib.contextmanager
def predicting(module: nn.Module) -> Iterator[None]:
    """Put the module and all its parts into the mode in which it predicts, and afterwards each back into its own."""
    modes = [(each, each.training) for each in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for each, training in modes:
            each.training = training


def scores(module: nn.Module, words: Tensor, weights: Tensor, masks: np.ndarray) -> np.ndarray:
    """Return the score [n] of one text, its ids `words` [T], with only those words left that `masks` [n,T] says.

    The words that stay move together, in their order; `weights` [C] over the logits make the score. Float64.
    """
    found = np.empty(len(masks))
    order = np.argsort(masks.sum(axis=1), kind="stable")
    size = max(1, MOST_TOKENS // max(1, masks.shape[1]))
    with predicting(module), torch.inference_mode():
        for begin in range(0, len(order), size):
            rows = order[begin : begin + size]
            kept = torch.from_numpy(np.ascontiguousarray(masks[rows])).to(words.device)
            lengths = kept.sum(1)
            places = torch.argsort(~kept, dim=1, stable=True)[
                :, : max(1, int(lengths.max()))
            ]  # those that stay, in their order
            inside = torch.arange(places.shape[1], device=words.device) < lengths[:, None]
            logits = module(words[places] * inside, lengths)
            found[rows] = (logits @ weights.to(logits)).double().cpu().numpy()
    return found
