"""Vectors of n-grams of token ids, hashed or selected, pooled; and the way back from an n-gram's relevance to its words."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from textlrp.errors import InputError
from textlrp.models.config import NGramConfig
from textlrp.models.pooling import pool_once

__all__ = ["FACTOR", "PRIME", "NGramEmbedding", "NGrams"]

PRIME = 2_147_483_647  # 2^31 - 1: products with the factor below stay within int64
FACTOR = 1_664_525


class NGramEmbedding(nn.Module):
    """A table of `buckets` vectors; the n-gram that begins at a token picks its row by a hash of its `n` token ids.

    With `selected`, only chosen n-grams have a row, each its own: `keys` holds their hashes, ascending, and row 0, always zero,
    is that of every other n-gram. Otherwise the hash modulo `buckets` is the row, and n-grams share rows by chance.

    The table is a parameter of this module itself, so that who looks for the owner of the weight finds `share_relevance`.
    """

    keys: Tensor

    def __init__(self, n: int, buckets: int, dim: int, *, selected: bool = False) -> None:
        super().__init__()
        self.n, self.buckets, self.dim, self.selected = n, buckets, dim, selected
        self.weight = nn.Parameter(torch.empty(buckets, dim))
        nn.init.normal_(self.weight, std=0.01)
        if selected:
            with torch.no_grad():
                self.weight[0] = 0.0
            self.register_buffer("keys", torch.full((buckets,), -1, dtype=torch.int32))

    def extra_repr(self) -> str:
        """Return the sizes for the printed module."""
        return f"n={self.n}, buckets={self.buckets}, dim={self.dim}" + (", selected=True" if self.selected else "")

    def hashes(self, ids: Tensor) -> Tensor:  # [B,T] -> [B,max(T-n+1, 0)]
        """Return the hash of each n-gram: ((id_1 + n) · f + id_2) · f + … mod (2^31 - 1); int64, at least 0.

        Two different n-grams of one text have the same hash with a chance of about 2^-31.
        """
        count = max(ids.shape[1] - self.n + 1, 0)
        hashed = ids[:, :count] + self.n
        for shift in range(1, self.n):
            hashed = (hashed * FACTOR + ids[:, shift : shift + count]) % PRIME
        return hashed

    def select(self, hashes: np.ndarray) -> None:
        """Give these n-grams the rows from 1 on, in ascending order of their hashes; at most `buckets` - 1, all different.

        >>> table = NGramEmbedding(2, 4, 1, selected=True)
        >>> table.select(table.hashes(torch.tensor([[5, 6, 7]])).numpy().ravel())
        >>> table.indices(torch.tensor([[6, 7, 7]])).tolist()
        [[2, 0]]
        """
        if not self.selected:
            raise InputError("this table is hashed: every n-gram has a row already; make it with selected=True")
        ordered = np.unique(hashes)
        if len(ordered) != len(hashes) or len(ordered) >= self.buckets or (len(ordered) and ordered[0] < 0):
            raise InputError(f"{len(hashes):,} n-grams do not fit: at most {self.buckets - 1:,}, each once")
        filled = np.full(self.buckets, PRIME, dtype=np.int32)  # no hash is 2^31 - 1: the rows after the last are never picked
        filled[0] = -1
        filled[1 : len(ordered) + 1] = ordered
        self.keys.copy_(torch.from_numpy(filled))

    def indices(self, ids: Tensor) -> Tensor:  # [B,T] -> [B,max(T-n+1, 0)]
        """Return the row of each n-gram.

        >>> NGramEmbedding(2, 1000, 4).indices(torch.tensor([[5, 6, 5, 6]]))[0, [0, 2]].diff().item()
        0
        """
        return self.rows(self.hashes(ids))

    def rows(self, hashed: Tensor) -> Tensor:  # [B,N] -> [B,N]
        """Return the row of each hash."""
        if not self.selected:
            return hashed % self.buckets
        hashed = hashed.to(torch.int32)
        place = torch.searchsorted(self.keys, hashed).clamp(max=self.buckets - 1)
        return place * (self.keys[place] == hashed)

    def mask(self, ids: Tensor, lengths: Tensor) -> Tensor:  # [B,T], [B] -> [B,max(T-n+1, 0)]
        """Return which n-grams lie wholly inside their text."""
        count = max(ids.shape[1] - self.n + 1, 0)
        return torch.arange(count, device=ids.device) < (lengths - self.n + 1)[:, None]

    def forward(self, ids: Tensor, hashed: Tensor | None = None) -> Tensor:  # [B,T] -> [B,max(T-n+1, 0),D]
        """Return the vector of the n-gram that begins at each token, as long as it ends inside the row.

        `hashed` are the hashes of the n-grams, if they are known.
        """
        rows = self.rows(self.hashes(ids) if hashed is None else hashed)
        return functional.embedding(rows, self.weight, padding_idx=0 if self.selected else None)

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


class NGrams(nn.ModuleDict):
    """A table for each n that the configuration names; called, it gives the pooled vectors that stand beside other features."""

    def __init__(self, config: NGramConfig) -> None:
        rows = {
            n: min(config.ngram_buckets, config.vocabulary_size + 1) if n == 1 else config.ngram_buckets for n in config.ngrams
        }
        super().__init__(
            {str(n): NGramEmbedding(n, rows[n], config.ngram_dim, selected=config.ngram_selected) for n in config.ngrams}
        )
        self.pooling, self.once = config.ngram_pooling, config.once
        self.features = len(config.ngrams) * len(config.ngram_pooling) * config.ngram_dim

    def tables(self) -> list[NGramEmbedding]:
        """Return the tables in the order in which their features stand."""
        found = []
        for table in self.values():
            assert isinstance(table, NGramEmbedding)
            found.append(table)
        return found

    def pooled(
        self, table: NGramEmbedding, vectors: Tensor, ids: Tensor, lengths: Tensor, hashed: Tensor | None = None
    ) -> Tensor:  # [B,N,D] -> [B,F]
        """Pool the vectors of the n-grams of one table; `hashed` are their hashes, if they are known."""
        keys = (table.hashes(ids) if hashed is None else hashed) if self.once else None
        return pool_once(self.pooling, vectors, table.mask(ids, lengths), keys)

    def forward(self, ids: Tensor, lengths: Tensor, dropout: nn.Module) -> list[Tensor]:  # [B,T], [B] -> [B,F] each
        """Return each table's pooled vectors, `dropout` applied before pooling."""
        hashes = ((table, table.hashes(ids)) for table in self.tables())
        return [self.pooled(table, dropout(table(ids, hashed)), ids, lengths, hashed) for table, hashed in hashes]
