"""The networks that the bench runs: LSTMs of one or two directions, padded or packed, trained or fresh; and batches."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import textlrp
from textlrp import lrp
from textlrp.explaining import composite_of
from textlrp.text.tokens import words

__all__ = ["DEFAULT", "Reader", "attribute", "batch", "default_of", "network"]

#: What lrp.attribute does by itself.
DEFAULT = lrp.Composite(default=lrp.Epsilon(1e-3))


def default_of(arch: str) -> lrp.Composite:
    """Return the rule that `rule="default"` stands for in models of this architecture."""
    return composite_of("default", arch)[0]


class Reader(nn.Module):
    """Embedding → LSTM → maximum over the words → linear layer; `trained` gives the weights of the bundled model."""

    def __init__(self, *, both: bool = True, packed: bool = False, hidden: int = 128, trained: bool = True) -> None:
        super().__init__()
        source = textlrp.load("imdb-lstm").module
        self.embedding, self.packed = source.embedding, packed
        torch.manual_seed(0)
        width = self.embedding.embedding_dim
        self.lstm = nn.LSTM(width, hidden, batch_first=True, bidirectional=both)
        self.output = nn.Linear(hidden * (2 if both else 1), 2)
        if trained:
            own = source.lstm.state_dict()
            self.lstm.load_state_dict({name: own[name] for name in self.lstm.state_dict()})
            with torch.no_grad():
                self.output.weight.copy_(source.head.output.weight[:, : self.output.in_features])
        self.eval()

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:  # [B,T], [B] -> [B,2]
        """Return the logits."""
        x = self.embedding(ids)
        if self.packed:
            given = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            states = pad_packed_sequence(self.lstm(given)[0], batch_first=True, total_length=ids.shape[1])[0]
            outside = torch.arange(ids.shape[1], device=ids.device) >= lengths[:, None]
            states = states.masked_fill(outside[..., None], -1e9)
        else:
            states = self.lstm(x)[0]
        logits: Tensor = self.output(states.amax(1))
        return logits


_running: list[int] = []


def batch(texts: int, steps: int, *, shortest: int | None = None) -> tuple[Tensor, Tensor]:
    """Return ids [B, T] cut out of the bundled reviews, and lengths: all T, or drawn between `shortest` and T."""
    if not _running:
        vocabulary = textlrp.load("imdb-lstm").vocabulary
        for text in textlrp.load_reviews("bundled")["text"]:
            _running.extend(vocabulary.encode(words(text)).tolist())
    random = np.random.default_rng(0)
    starts = random.integers(0, len(_running) - steps, texts)
    ids = torch.tensor([_running[start : start + steps] for start in starts])
    lengths = torch.full((texts,), steps)
    if shortest is not None:
        lengths = torch.from_numpy(random.integers(shortest, steps + 1, texts))
        lengths[0] = steps
        ids[torch.arange(steps) >= lengths[:, None]] = 0
    return ids, lengths


def attribute(
    module: nn.Module,
    ids: Tensor,
    lengths: Tensor,
    *,
    composite: lrp.Composite = DEFAULT,
    gates: str = "all",
    layers: bool = False,
) -> lrp.Attribution:
    """Explain class 1."""
    return lrp.attribute(module, ids, lengths, target=1, composite=composite, gates=gates, layers=layers)


def network(module: nn.Module, ids: Tensor, lengths: Tensor) -> Tensor:
    """Run the network alone, without gradients."""
    with torch.inference_mode():
        found: Tensor = module(ids, lengths)
    return found
