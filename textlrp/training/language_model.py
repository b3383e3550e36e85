"""Pre-training of a recurrent classifier as a language model, in both directions (Dai & Le, NeurIPS 2015).

Each direction learns to name the next word it will read; the classifier then starts from its embedding and its recurrent
weights. The softmax is over the words of the batch and a shared random sample (sampled softmax, Jean et al., ACL 2015).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from textlrp.errors import InputError
from textlrp.models.recurrent import Recurrent

__all__ = ["LanguageModel"]


class LanguageModel(nn.Module):
    """The next word in each direction from the states of a recurrent classifier; both share the embedding (tied).

    `counts` [V] are the words' frequencies: negative words are drawn in proportion to count^¾. Only classifiers of one layer
    can be trained, since a second layer of a bidirectional one would have read the word to be named.
    """

    chances: Tensor
    bias: Tensor

    def __init__(self, classifier: Recurrent, counts: Tensor, *, negatives: int = 4_096) -> None:
        super().__init__()
        layer: nn.LSTM | nn.GRU = getattr(classifier, classifier.arch)
        if layer.num_layers > 1:
            raise InputError("a language model in both directions needs a classifier of one recurrent layer")
        if counts.shape != classifier.embedding.weight.shape[:1]:
            raise InputError(f"counts must hold one number for each of the {classifier.embedding.num_embeddings} words")
        self.classifier, self.negatives, self.directions = classifier, negatives, 2 if layer.bidirectional else 1
        size = classifier.embedding.embedding_dim
        self.projections = nn.ModuleList(nn.Linear(classifier.units, size) for _ in range(self.directions))
        self.bias = nn.Parameter(torch.log(counts.float().clamp(min=1) / counts.sum()))
        chances = counts.float() ** 0.75
        chances[0] = 0.0  # padding is never a word to be named
        self.register_buffer("chances", chances / chances.sum())

    def forward(self, ids: Tensor, lengths: Tensor, *, generator: torch.Generator | None = None) -> Tensor:  # [B,T], [B] -> []
        """Return the mean loss of naming the next word (and, backwards, the one before), in nats over the sampled words."""
        words = self.classifier.dropout(self.classifier.embedding(ids))
        states = self.classifier.states(words, lengths)
        units = self.classifier.units
        inside = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        both = inside[:, 1:] & inside[:, :-1]
        if not bool(both.any()):
            return states.sum() * 0.0
        losses = [self._loss(0, states[:, :-1, :units][both], ids[:, 1:][both], generator)]
        if self.directions == 2:
            losses.append(self._loss(1, states[:, 1:, units:][both], ids[:, :-1][both], generator))
        return torch.stack(losses).mean()

    def _loss(self, direction: int, states: Tensor, words: Tensor, generator: torch.Generator | None) -> Tensor:
        """Return the sampled softmax loss of states [N,units] and words [N]: e·Ph + b over the batch's words and a sample."""
        drawn = torch.multinomial(self.chances, self.negatives, replacement=True, generator=generator)
        candidates, place = torch.unique(torch.cat([words, drawn]), return_inverse=True)
        hidden = self.projections[direction](states)  # [N,E]
        logits = hidden @ self.classifier.embedding.weight[candidates].T + self.bias[candidates]
        return functional.cross_entropy(logits.float(), place[: len(words)])
