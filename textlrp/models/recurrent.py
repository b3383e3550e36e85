"""LSTM and GRU classifiers: embedding → recurrent layers → pooling over the states → dense layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from textlrp.models.config import RecurrentConfig
from textlrp.models.layers import WordDropout, head
from textlrp.models.pooling import last, pool, token_mask

__all__ = ["Recurrent"]


class Recurrent(nn.Module):
    """A stack of LSTM (or GRU) layers whose states are pooled; the layer is the attribute `lstm` (or `gru`)."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.arch, self.pooling, self.units = config.arch, config.pooling, config.units
        self.embedding = nn.Embedding(config.vocabulary_size, config.embedding_dim, padding_idx=0)
        self.word_dropout = WordDropout(config.word_dropout)
        self.dropout = nn.Dropout(config.dropout)
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[config.arch]
        layer = kind(
            config.embedding_dim,
            config.units,
            num_layers=config.layers,
            bidirectional=config.bidirectional,
            batch_first=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )
        setattr(self, config.arch, layer)
        features = len(config.pooling) * config.units * (2 if config.bidirectional else 1)
        self.head = head(features, config.hidden, len(config.classes), dropout=config.dropout)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:  # [B,T], [B] -> [B,C]
        """Return the logits of the first `lengths` ids of each row."""
        if not ids.shape[1]:  # a batch of empty texts
            ids = ids.new_zeros(ids.shape[0], 1)
        words = self.dropout(self.word_dropout(self.embedding(ids)))
        states = self.states(words, lengths)
        mask = token_mask(ids.shape[1], lengths)
        pooled = [
            last(states, lengths, units=self.units) if name == "last" else pool((name,), states, mask) for name in self.pooling
        ]
        logits: Tensor = self.head(torch.cat(pooled, dim=-1) if len(pooled) > 1 else pooled[0])
        return logits

    def states(self, words: Tensor, lengths: Tensor) -> Tensor:  # [B,T,E], [B] -> [B,T,D]
        """Return the states at each token; what stands on padding must not be used.

        From left to right, padding comes after everything and needs no care; only the other direction is packed.
        """
        layer: nn.LSTM | nn.GRU = getattr(self, self.arch)
        if not layer.bidirectional or bool((lengths == words.shape[1]).all()):
            states: Tensor = layer(words)[0]
            return states
        packed = pack_padded_sequence(words, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=words.shape[1])[0]
