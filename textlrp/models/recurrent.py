"""LSTM and GRU classifiers: embedding → recurrent layers → pooling over the states → dense layers; n-grams may join there."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from textlrp.models.config import RecurrentConfig
from textlrp.models.layers import WordDropout, head
from textlrp.models.ngrams import NGrams
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
        self.ngrams = NGrams(config)
        features = len(config.pooling) * config.units * (2 if config.bidirectional else 1) + self.ngrams.features
        self.head = head(features, config.hidden, len(config.classes), dropout=config.dropout)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:  # [B,T], [B] -> [B,C]
        """Return the logits of the first `lengths` ids of each row."""
        beside = self.ngrams(ids, lengths, self.word_dropout)
        if not ids.shape[1]:  # a batch of empty texts
            ids = ids.new_zeros(ids.shape[0], 1)
        words = self.dropout(self.word_dropout(self.embedding(ids)))
        states = self.states(words, lengths)
        mask = token_mask(ids.shape[1], lengths)
        pooled = [
            last(states, lengths, units=self.units) if name == "last" else pool((name,), states, mask) for name in self.pooling
        ]
        features = [*pooled, *beside]
        logits: Tensor = self.head(torch.cat(features, dim=-1) if len(features) > 1 else features[0])
        return logits

    def states(self, words: Tensor, lengths: Tensor) -> Tensor:  # [B,T,E], [B] -> [B,T,D]
        """Return the states at each token; what stands on padding must not be used.

        From left to right, padding comes after everything and needs no care; only the other direction does. Packing it is
        exact and plain, but keeps the CPU from its fast kernel: there, training and prediction turn each text round instead.
        """
        layer: nn.LSTM | nn.GRU = getattr(self, self.arch)
        if not layer.bidirectional or bool((lengths == words.shape[1]).all()):
            states: Tensor = layer(words)[0]
            return states
        if words.device.type == "cpu" and (self.training or torch.is_inference_mode_enabled()):
            return _both_ways(layer, words, lengths)
        packed = pack_padded_sequence(words, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=words.shape[1])[0]


def _both_ways(layer: nn.LSTM | nn.GRU, words: Tensor, lengths: Tensor) -> Tensor:  # [B,T,E], [B] -> [B,T,2H]
    """Run each direction of each layer as a padded layer of its own, from left to right over texts turned round."""
    turned = (lengths[:, None] - 1 - torch.arange(words.shape[1])).clamp(min=0)[..., None]  # [B,T,1]: its own inverse
    states = words
    for number in range(layer.num_layers):
        if number and layer.dropout:
            states = functional.dropout(states, layer.dropout, layer.training)
        backward = states.gather(1, turned.expand(-1, -1, states.shape[2]))
        ahead = _one_way(layer, states, number, "")
        back = _one_way(layer, backward, number, "_reverse")
        states = torch.cat([ahead, back.gather(1, turned.expand(-1, -1, layer.hidden_size))], dim=-1)
    return states


def _one_way(layer: nn.LSTM | nn.GRU, states: Tensor, number: int, direction: str) -> Tensor:  # [B,T,D] -> [B,T,H]
    weights = [getattr(layer, f"{kind}_l{number}{direction}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    start = states.new_zeros(1, states.shape[0], layer.hidden_size)
    if isinstance(layer, nn.LSTM):
        ahead: Tensor = torch.lstm(states, (start, start), weights, True, 1, 0.0, layer.training, False, True)[0]
    else:
        ahead = torch.gru(states, start, weights, True, 1, 0.0, layer.training, False, True)[0]
    return ahead
