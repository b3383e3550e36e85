"""Vectors of hashed n-grams of token ids, and the way back from an n-gram's relevance to its words."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["NGramEmbedding"]

_PRIME = 2_147_483_647  # 2^31 - 1: products with the factor below stay within int64
_FACTOR = 1_664_525


class NGramEmbedding(nn.Module):
    """A table of `buckets` vectors; the n-gram that begins at a token picks its row by a hash of its `n` token ids.

    The table is a parameter of this module itself, so that who looks for the owner of the weight finds `share_relevance`.
    """

    def __init__(self, n: int, buckets: int, dim: int) -> None:
        super().__init__()
        self.n, self.buckets, self.dim = n, buckets, dim
        self.weight = nn.Parameter(torch.empty(buckets, dim))
        nn.init.normal_(self.weight, std=0.01)

    def extra_repr(self) -> str:
        """Return the sizes for the printed module."""
        return f"n={self.n}, buckets={self.buckets}, dim={self.dim}"

    def indices(self, ids: Tensor) -> Tensor:  # [B,T] -> [B,max(T-n+1, 0)]
        """Return the row of each n-gram: ((id_1 · f + id_2) · f + …) mod (2^31 - 1) mod buckets.

        >>> NGramEmbedding(2, 1000, 4).indices(torch.tensor([[5, 6, 5, 6]]))[0, [0, 2]].diff().item()
        0
        """
        count = max(ids.shape[1] - self.n + 1, 0)
        hashed = ids[:, :count] + self.n
        for shift in range(1, self.n):
            hashed = (hashed * _FACTOR + ids[:, shift : shift + count]) % _PRIME
        return hashed % self.buckets

    def mask(self, ids: Tensor, lengths: Tensor) -> Tensor:  # [B,T], [B] -> [B,max(T-n+1, 0)]
        """Return which n-grams lie wholly inside their text."""
        count = max(ids.shape[1] - self.n + 1, 0)
        return torch.arange(count, device=ids.device) < (lengths - self.n + 1)[:, None]

    def forward(self, ids: Tensor) -> Tensor:  # [B,T] -> [B,max(T-n+1, 0),D]
        """Return the vector of the n-gram that begins at each token, as long as it ends inside the row."""
        return functional.embedding(self.indices(ids), self.weight)

    def share_relevance(self, relevance: Tensor, ids: Tensor) -> Tensor:  # [B,max(T-n+1, 0)], [B,T] -> [B,T]
        """Share each n-gram's relevance equally among its words; the sum of each row stays as it is.

        >>> NGramEmbedding(2, 10, 4).share_relevance(torch.tensor([[2.0, 4.0]]), torch.tensor([[7, 8, 9]])).tolist()
        [[1.0, 3.0, 2.0]]
        """
        shared = relevance.new_zeros(ids.shape)
        count = relevance.shape[1]
        for shift in range(self.n):
            shared[:, shift : shift + count] += relevance / self.n
        return shared
