"""What a method is given, and how it is asked for the relevance of many texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from torch import Tensor, nn

from textlrp.encoding import Reading
from textlrp.errors import InputError
from textlrp.faithfulness.sample import Sample
from textlrp.models.batches import Encoded, length_batches

__all__ = ["Batch", "Explained", "Method", "explain"]


@dataclass(frozen=True, eq=False)
class Batch:
    """Texts of similar length, and the scores to explain: Σ_c weights[b,c] · logits[b,c].

    `ids` int64 [B,T] padded with 0, `lengths` int64 [B], `weights` [B,C]; `numbers` [B] names each text, for methods that draw
    at random; `module(ids, lengths)` gives the logits [B,C].
    """

    module: nn.Module
    readings: tuple[Reading, ...]
    ids: Tensor
    lengths: Tensor
    weights: Tensor
    numbers: np.ndarray


#: A method: gives the relevance of each text's tokens, [T] each, or one padded array [B,T].
Method: TypeAlias = Callable[[Batch], Any]


@dataclass(frozen=True, eq=False)
class Explained:
    """The relevance of texts, float64 [T] each, and what of each score no ledger entry holds, [n] (NaN: no ledger is
    kept); `failed`, bool [n]: the method gave values that are not finite."""

    relevance: list[np.ndarray]
    residual: np.ndarray
    failed: np.ndarray


def explain(
    name: str, method: Method, module: nn.Module, sample: Sample, *, strict: bool = True, most_tokens: int = 8192
) -> Explained:
    """Ask a method for the relevance of the texts of `sample`, in batches of like length.

    Raises InputError where the method gives the wrong number of values, or values that are not finite; unless `strict`, a text
    with such a value is said to have no relevance at all, 0 everywhere, and is marked in `failed`.
    """
    import torch

    encoded = Encoded.of(each.ids for each in sample.readings)
    relevance: list[np.ndarray] = [np.zeros(0)] * len(sample)
    residual = np.full(len(sample), np.nan)
    failed = np.zeros(len(sample), dtype=bool)
    device = next(module.parameters()).device
    for places in length_batches(encoded.lengths, most_tokens=most_tokens, most_texts=64):
        ids, lengths = encoded.pad(places)
        weights = torch.from_numpy(sample.weights[places].astype(sample.logits.dtype))
        readings = tuple(sample.readings[i] for i in places)
        batch = Batch(module, readings, ids.to(device), lengths.to(device), weights.to(device), sample.numbers[places])
        found = method(batch)
        if hasattr(found, "tokens") and hasattr(found, "residual"):
            residual[places] = found.residual.detach().double().cpu().numpy()
            found = found.tokens
        for i, row in zip(places, _rows(name, found, len(places)), strict=True):
            values = _checked(name, row, len(sample.readings[i].ids))
            failed[i] = not np.isfinite(values).all()
            if failed[i] and strict:
                raise InputError(f"the method {name!r} gave a relevance that is not finite")
            relevance[i] = np.zeros(len(values)) if failed[i] else values
    return Explained(relevance, residual, failed)


def _rows(name: str, found: Any, count: int) -> Sequence[Any]:
    if isinstance(found, Tensor):
        found = found.detach().double().cpu().numpy()
    if len(found) != count:
        raise InputError(f"the method {name!r} gave relevance for {len(found)} texts of a batch of {count}")
    return list(found)


def _checked(name: str, row: Any, length: int) -> np.ndarray:
    values = np.asarray(row.detach().cpu() if isinstance(row, Tensor) else row, dtype=np.float64)
    if values.ndim != 1 or len(values) < length:
        raise InputError(f"the method {name!r} gave relevance of shape {values.shape} for a text of {length} tokens")
    return values[:length].copy()
