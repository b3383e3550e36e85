"""Class activation mapping: what each place of the text brought to a score through global pooling and one linear layer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from textlrp.baselines.scoring import predicting
from textlrp.errors import RelevanceError
from textlrp.models.convolutional import Convolutional
from textlrp.models.dense import Dense
from textlrp.models.ngrams import NGramEmbedding
from textlrp.models.pooling import pool, token_mask
from textlrp.models.recurrent import Recurrent

__all__ = ["class_activation"]

NEEDED = "class activation needs global pooling (mean, root or max) followed by one linear layer"


class _Map(NamedTuple):
    """Features [B,P,D] at P places, and how they are pooled to [B,·]; `owner` shares its places among words."""

    features: Tensor
    pooled: Callable[[Tensor], Tensor]
    owner: NGramEmbedding | None = None


def class_activation(module: nn.Module, ids: Tensor, lengths: Tensor, weights: Tensor) -> Tensor:
    """Class activation mapping, Σ_k w_k f_k(t) / T (Zhou 2016); of a maximum, w_k f_k where it is reached (Oquab 2015).

    `ids` [B,T] int64, `lengths` [B] int64, `weights` [B,C] over the logits, which make w of the linear layer's weights; returns
    [B,T], 0 on padding, which sums to the score without its bias. Places that reach one maximum share it equally, and so do
    the words of an n-gram. Raises RelevanceError unless the module is one of `textlrp.models` whose pooling is mean, root or
    max and is followed by one linear layer.
    """
    output = _linear_head(module)
    with predicting(module), torch.no_grad():
        maps = _maps(module, ids, lengths)
    # Pooling is linear where its winners stay: feature × gradient is what each place brought to the pooled feature.
    with torch.inference_mode(False), torch.enable_grad():
        leaves = [each.features.detach().clone().requires_grad_(True) for each in maps]
        pooled = torch.cat([each.pooled(leaf) for each, leaf in zip(maps, leaves, strict=True)], dim=-1)
        gradients = torch.autograd.grad(pooled, leaves, grad_outputs=(weights.to(pooled) @ output.weight).detach())
    total = pooled.new_zeros(ids.shape)
    for each, leaf, gradient in zip(maps, leaves, gradients, strict=True):
        places = (leaf.detach() * gradient).sum(-1)  # [B,P]
        total = total + (places[:, : ids.shape[1]] if each.owner is None else each.owner.share_relevance(places, ids))
    return (total * token_mask(ids.shape[1], lengths)).detach()


def _linear_head(module: nn.Module) -> nn.Linear:
    if not isinstance(module, (Dense, Recurrent, Convolutional)):
        raise RelevanceError(f"{NEEDED}, in a network of textlrp.models; this is a {type(module).__name__}")
    if "last" in module.pooling:
        raise RelevanceError(f"{NEEDED}; this network takes the last state instead of pooling")
    layers = [each for each in module.head if isinstance(each, nn.Linear)]
    if len(layers) != 1:
        raise RelevanceError(f"{NEEDED}; in this network there are {len(layers) - 1} hidden layers between them")
    return layers[0]


def _maps(module: nn.Module, ids: Tensor, lengths: Tensor) -> list[_Map]:
    """Return the features that the network pools, in the order in which its head takes them."""
    assert isinstance(module, (Dense, Recurrent, Convolutional))
    given, ids = ids, ids if ids.shape[1] else ids.new_zeros(ids.shape[0], 1)
    words, mask = module.embedding(ids), token_mask(ids.shape[1], lengths)
    way = partial(pool, module.pooling, mask=mask)
    if not isinstance(module, Convolutional):
        if isinstance(module, Dense):
            maps = [_Map(words, partial(module.pooled, ids=ids, lengths=lengths))]
        else:
            maps = [_Map(module.states(words, lengths), way)]
        for table in module.ngrams.tables():
            maps.append(_Map(table(given), partial(module.ngrams.pooled, table, ids=given, lengths=lengths), table))
        return maps
    signal = (words * mask[..., None].to(words.dtype)).transpose(1, 2)  # [B,E,T]
    maps = []
    for convolution in module.convolutions:
        assert isinstance(convolution, nn.Conv1d)
        width = convolution.kernel_size[0]
        windows = functional.relu(convolution(functional.pad(signal, ((width - 1) // 2, width // 2))))
        maps.append(_Map(windows.transpose(1, 2), way))
    return maps
