"""The fast forward of a one-layer bidirectional LSTM or GRU classifier, in two parts: word vectors, and what is made of them.

Training changes the vectors between the two (adversarial training); the module itself stays the plain one that ships.
"""

from __future__ import annotations

import torch
from torch import _VF, Tensor, nn

from textlrp.models.convolutional import Convolutional
from textlrp.models.pooling import pool, token_mask
from textlrp.models.recurrent import Recurrent


def fast(module: nn.Module) -> bool:
    """Return whether the forward of `module` is computed here, in half precision, 6 times faster on a CPU."""
    return isinstance(module, Recurrent) and module.arch == "lstm" and not set(module.pooling) - {"max", "mean", "root"}


def word_vectors_of(module: Recurrent, ids: Tensor) -> Tensor:  # [B,T] -> [B,T,E]
    """Return the vectors that the recurrent layer reads, dropout applied."""
    words: Tensor = module.dropout(module.word_dropout(module.embedding(ids)))
    return words


def logits_of(module: Recurrent, words: Tensor, ids: Tensor, lengths: Tensor) -> Tensor:  # [B,T,E], [B,T], [B] -> [B,C]
    """Compute in bfloat16, unpacked, what the classifier makes of word vectors; n-grams are looked up by `ids`.

    The second direction reads each review reversed within its own length; padding then follows the text in both.
    """
    words = words.bfloat16()
    weights = [weight.bfloat16() for weight in module.lstm._flat_weights]
    position = torch.arange(words.shape[1])
    reverse = torch.where(position < lengths[:, None], lengths[:, None] - 1 - position, position)[..., None]  # [B,T,1]
    start = words.new_zeros(1, len(words), module.units)
    mask = token_mask(words.shape[1], lengths)
    pooled = []
    for direction, given in ((0, words), (1, words.gather(1, reverse.expand_as(words)))):
        part = weights[4 * direction : 4 * direction + 4]
        states = _VF.lstm(given, (start, start), part, True, 1, 0.0, torch.is_grad_enabled(), False, True)[0]
        pooled.append([pool((name,), states, mask).float() for name in module.pooling])  # the order of the tokens is immaterial
    features = [torch.cat(both, dim=-1) for both in zip(*pooled, strict=True)]
    features += module.ngrams(ids, lengths, module.word_dropout)
    logits: Tensor = module.head(torch.cat(features, dim=-1))
    return logits


def forward(module: nn.Module, ids: Tensor, lengths: Tensor) -> Tensor:
    """Return the logits, the fast way where there is one."""
    if fast(module):
        return logits_of(module, word_vectors_of(module, ids), ids, lengths)
    with torch.autocast("cpu", torch.bfloat16, enabled=isinstance(module, Convolutional)):
        return module(ids, lengths)
