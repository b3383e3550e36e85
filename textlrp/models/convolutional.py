"""The convolutional classifier: embedding → convolutions of several widths → ReLU → pooling over the text → dense layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from textlrp.models.config import ConvolutionalConfig
from textlrp.models.layers import WordDropout, head
from textlrp.models.pooling import pool, token_mask

__all__ = ["Convolutional"]


class Convolutional(nn.Module):
    """Convolutions along the text, one window centred on each token, zeros beyond both ends of the text (Kim, EMNLP 2014)."""

    def __init__(self, config: ConvolutionalConfig) -> None:
        super().__init__()
        self.pooling = config.pooling
        self.embedding = nn.Embedding(config.vocabulary_size, config.embedding_dim, padding_idx=0)
        self.word_dropout = WordDropout(config.word_dropout)
        self.dropout = nn.Dropout(config.dropout)
        self.convolutions = nn.ModuleList(nn.Conv1d(config.embedding_dim, config.channels, width) for width in config.widths)
        features = len(config.widths) * len(config.pooling) * config.channels
        self.head = head(features, config.hidden, len(config.classes), dropout=config.dropout)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:  # [B,T], [B] -> [B,C]
        """Return the logits of the first `lengths` ids of each row."""
        if not ids.shape[1]:  # a batch of empty texts
            ids = ids.new_zeros(ids.shape[0], 1)
        mask = token_mask(ids.shape[1], lengths)
        words = self.dropout(self.word_dropout(self.embedding(ids)))
        signal = (words * mask[..., None].to(words.dtype)).transpose(1, 2)  # [B,E,T]
        features = []
        for convolution in self.convolutions:
            assert isinstance(convolution, nn.Conv1d)
            width = convolution.kernel_size[0]
            windows = functional.relu(convolution(functional.pad(signal, ((width - 1) // 2, width // 2))))  # [B,channels,T]
            features.append(pool(self.pooling, windows.transpose(1, 2), mask))
        logits: Tensor = self.head(torch.cat(features, dim=-1) if len(features) > 1 else features[0])
        return logits
