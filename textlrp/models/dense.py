"""The dense network: embedding → pooling → dense layers, with hashed n-grams beside the words."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from textlrp.models.config import DenseConfig
from textlrp.models.layers import WordDropout, head
from textlrp.models.ngrams import NGramEmbedding
from textlrp.models.pooling import pool, token_mask

__all__ = ["Dense"]


class Dense(nn.Module):
    """Pooled vectors of words and n-grams, side by side, through dense layers to the logits."""

    def __init__(self, config: DenseConfig) -> None:
        super().__init__()
        self.pooling, self.ngram_pooling = config.pooling, config.ngram_pooling
        self.embedding = nn.Embedding(config.vocabulary_size, config.embedding_dim, padding_idx=0)
        self.word_dropout = WordDropout(config.word_dropout)
        tables = {str(n): NGramEmbedding(n, config.ngram_buckets, config.ngram_dim, selected=config.ngram_selected) for n in config.ngrams}
        self.ngrams = nn.ModuleDict(tables)
        features = len(config.pooling) * config.embedding_dim
        features += len(config.ngrams) * len(config.ngram_pooling) * config.ngram_dim
        self.head = head(features, config.hidden, len(config.classes), dropout=config.dropout)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:  # [B,T], [B] -> [B,C]
        """Return the logits of the first `lengths` ids of each row."""
        words = self.word_dropout(self.embedding(ids))
        features = [pool(self.pooling, words, token_mask(ids.shape[1], lengths))]
        for ngrams in self.ngrams.values():
            assert isinstance(ngrams, NGramEmbedding)
            features.append(pool(self.ngram_pooling, self.word_dropout(ngrams(ids)), ngrams.mask(ids, lengths)))
        logits: Tensor = self.head(torch.cat(features, dim=-1) if len(features) > 1 else features[0])
        return logits
