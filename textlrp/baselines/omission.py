"""Occlusion: what the score loses when one word is left out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from textlrp.baselines.scoring import scores

__all__ = ["occlusion"]

AT_ONCE = 1024  # words that are left out in turn before the next masks are made


def occlusion(module: nn.Module, ids: Tensor, lengths: Tensor, weights: Tensor) -> Tensor:
    """Leave one word out: s(text) − s(text without word t), for each t (Zeiler 2014; Li 2016).

    `ids` [B,T] int64, `lengths` [B] int64, `weights` [B,C] over the logits make the score s; returns [B,T], 0 on padding. The
    words after the gap move up. Needs no gradient and no embedding: any module with the call module(ids, lengths) will do.
    """
    result = torch.zeros(ids.shape, dtype=weights.dtype, device=ids.device)
    for b, n in enumerate(lengths.tolist()):
        words = ids[b, :n]
        for begin in range(0, n, AT_ONCE):
            places = np.arange(begin, min(begin + AT_ONCE, n))
            masks = np.vstack([np.ones(n, dtype=bool), places[:, None] != np.arange(n)])
            found = scores(module, words, weights[b], masks)
            result[b, begin : begin + len(places)] = torch.from_numpy(found[0] - found[1:]).to(result)
    return result
