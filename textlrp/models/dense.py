"""The dense network: embedding → pooling → dense layers, with hashed or selected n-grams beside the words."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from textlrp.models.config import DenseConfig
from textlrp.models.layers import WordDropout, head
from textlrp.models.ngrams import NGramEmbedding
from textlrp.models.pooling import pool, token_mask

__all__ = ["Dense", "shares"]


class Dense(nn.Module):
    """Pooled vectors of words and n-grams, side by side, through dense layers to the logits."""

    def __init__(self, config: DenseConfig) -> None:
        super().__init__()
        self.pooling, self.ngram_pooling, self.once = config.pooling, config.ngram_pooling, config.once
        self.embedding = nn.Embedding(config.vocabulary_size, config.embedding_dim, padding_idx=0)
        self.word_dropout = WordDropout(config.word_dropout)
        tables = {
            str(n): NGramEmbedding(n, config.ngram_buckets, config.ngram_dim, selected=config.ngram_selected)
            for n in config.ngrams
        }
        self.ngrams = nn.ModuleDict(tables)
        features = len(config.pooling) * config.embedding_dim
        features += len(config.ngrams) * len(config.ngram_pooling) * config.ngram_dim
        self.head = head(features, config.hidden, len(config.classes), dropout=config.dropout)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:  # [B,T], [B] -> [B,C]
        """Return the logits of the first `lengths` ids of each row."""
        words = self.word_dropout(self.embedding(ids))
        features = [self._pooled(self.pooling, words, ids, token_mask(ids.shape[1], lengths))]
        for table in self.ngrams.values():
            assert isinstance(table, NGramEmbedding)
            vectors = self.word_dropout(table(ids))
            features.append(self._pooled(self.ngram_pooling, vectors, table.hashes(ids), table.mask(ids, lengths)))
        logits: Tensor = self.head(torch.cat(features, dim=-1) if len(features) > 1 else features[0])
        return logits

    def _pooled(self, names: Sequence[str], vectors: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """Pool vectors [B,N,D] of words or n-grams with the numbers `keys` [B,N]; a maximum is the same, once or often."""
        if not self.once:
            return pool(names, vectors, mask)
        weights = shares(keys, mask)
        return torch.cat([pool((name,), vectors, mask if name == "max" else weights) for name in names], dim=-1)


def shares(keys: Tensor, mask: Tensor) -> Tensor:  # int64 [B,N], bool [B,N] -> float32 [B,N]
    """Return 1/c for each of the c places of a row that hold the same key, and 0 outside the mask: each key counts once.

    >>> shares(torch.tensor([[7, 8, 7, 7]]), torch.tensor([[True, True, True, False]])).tolist()
    [[0.5, 1.0, 0.5, 0.0]]
    """
    if not keys.shape[1]:
        return mask.float()
    ordered, order = keys.masked_fill(~mask, -1).sort(dim=1)
    first = torch.ones_like(ordered)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    group = first.cumsum(1) - 1
    counts = torch.zeros_like(ordered).scatter_add_(1, group, torch.ones_like(group))
    share = 1.0 / counts.gather(1, group).float()
    return torch.zeros_like(share).scatter_(1, order, share) * mask
