"""The dense network: embedding → pooling → dense layers, with hashed or selected n-grams beside the words."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from textlrp.models.config import DenseConfig
from textlrp.models.layers import WordDropout, head
from textlrp.models.ngrams import NGrams
from textlrp.models.pooling import pool_once, token_mask

__all__ = ["Dense"]


class Dense(nn.Module):
    """Pooled vectors of words and n-grams, side by side, through dense layers to the logits."""

    def __init__(self, config: DenseConfig) -> None:
        super().__init__()
        self.pooling, self.once = config.pooling, config.once
        self.embedding = nn.Embedding(config.vocabulary_size, config.embedding_dim, padding_idx=0)
        self.word_dropout = WordDropout(config.word_dropout)
        self.ngrams = NGrams(config)
        features = len(config.pooling) * config.embedding_dim + self.ngrams.features
        self.head = head(features, config.hidden, len(config.classes), dropout=config.dropout)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:  # [B,T], [B] -> [B,C]
        """Return the logits of the first `lengths` ids of each row."""
        words = self.pooled(self.word_dropout(self.embedding(ids)), ids, lengths)
        features = [words, *self.ngrams(ids, lengths, self.word_dropout)]
        logits: Tensor = self.head(torch.cat(features, dim=-1) if len(features) > 1 else words)
        return logits

    def pooled(self, words: Tensor, ids: Tensor, lengths: Tensor) -> Tensor:  # [B,T,E] -> [B,F]
        """Pool the vectors of the words."""
        return pool_once(self.pooling, words, token_mask(ids.shape[1], lengths), ids if self.once else None)
