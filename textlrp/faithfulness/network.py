"""The network asked many variants of texts at once: words left out, or their vectors set to zero."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from textlrp.errors import InputError, RelevanceError
from textlrp.models.batches import Encoded, length_batches

__all__ = ["DELETIONS", "logits_without", "zeroed"]

#: How a word is deleted, by name.
DELETIONS = {
    "leave out": "the word is left out, and the words after it move up",
    "zero vector": "the word stays in its place, but its vector, and that of every n-gram it is part of, is the zero vector",
}
MOST_TOKENS = 16_384


def logits_without(
    module: nn.Module, rows: Sequence[np.ndarray], deleted: Sequence[np.ndarray], *, how: str = "leave out"
) -> np.ndarray:
    """Return the logits [n,C] of texts `rows` (ids [T] each) without the words that bool `deleted` ([T] each) marks.

    `how` is one of DELETIONS; at least one word of each text must stay if words are left out. Texts of like length are
    predicted together.
    """
    if how not in DELETIONS:
        raise InputError(f"deletion is 'leave out' or 'zero vector', not {how!r}")
    masks = [np.asarray(each, dtype=bool) for each in deleted]
    if how == "leave out":
        rows = [row[~mask] for row, mask in zip(rows, masks, strict=True)]
    encoded = Encoded.of(rows)
    place = next(module.parameters()).device
    logits: np.ndarray | None = None
    modes = [(each, each.training) for each in module.modules()]
    module.eval()
    try:
        for batch in length_batches(encoded.lengths, most_tokens=MOST_TOKENS):
            ids, lengths = (each.to(place) for each in encoded.pad(batch))
            if how == "leave out":
                with torch.inference_mode():
                    found = module(ids, lengths)
            else:
                padded = np.zeros(tuple(ids.shape), dtype=bool)
                for row, i in enumerate(batch):
                    padded[row, : len(masks[i])] = masks[i]
                with zeroed(module, ids, torch.from_numpy(padded).to(place)), torch.inference_mode():
                    found = module(ids, lengths)
            values = (found if found.dtype in (torch.float32, torch.float64) else found.float()).cpu().numpy()
            if logits is None:
                logits = np.empty((len(rows), values.shape[1]), dtype=values.dtype)
            logits[batch] = values
    finally:
        for each, training in modes:
            each.training = training
    return np.zeros((0, 0), dtype=np.float32) if logits is None else logits


@contextlib.contextmanager
def zeroed(module: nn.Module, ids: Tensor, deleted: Tensor) -> Iterator[None]:  # [B,T], bool [B,T]
    """Set the vectors of the `deleted` words to zero in calls of `module` with these ids; leave nothing behind.

    The output of each `nn.Embedding` that is asked for these ids is zero at those places; the output of a module with
    `share_relevance` (n-grams) is zero wherever its relevance would reach one of those words. Raises RelevanceError where no
    embedding was asked for the ids.
    """
    shares = [each for each in module.modules() if hasattr(each, "share_relevance")]
    inside = {id(part) for each in shares for part in each.modules() if part is not each}
    touched = 0

    def words(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        nonlocal touched
        if not inputs or inputs[0].shape != ids.shape or not torch.equal(inputs[0], ids):
            return output
        touched += 1
        return output.masked_fill(deleted[..., None], 0.0)

    def grams(owner: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        nonlocal touched
        touched += 1
        return output.masked_fill(reached[id(owner)][..., None], 0.0)

    hooks = []
    reached: dict[int, Tensor] = {}
    for each in module.modules():
        if each in shares:
            reached[id(each)] = _reached(each, ids, deleted)
            hooks.append(each.register_forward_hook(grams))
        elif isinstance(each, nn.Embedding) and id(each) not in inside:
            hooks.append(each.register_forward_hook(words))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
    if not touched:
        raise RelevanceError(
            "the module looks its words up in no nn.Embedding, so their vectors cannot be set to zero; delete by 'leave out'"
        )


def _reached(owner: nn.Module, ids: Tensor, deleted: Tensor) -> Tensor:  # bool [B,T] -> bool [B,N]
    """Which n-grams share relevance with a deleted word: `share_relevance` is linear, so its transpose says."""
    share = owner.share_relevance
    assert callable(share)
    with torch.inference_mode(False), torch.enable_grad():
        words = ids.clone()
        with torch.no_grad():
            count = owner(words).shape[1]
        relevance = torch.zeros(ids.shape[0], count, device=ids.device, requires_grad=True)
        if not count:
            return relevance.detach().bool()
        reach = (share(relevance, words) * deleted.clone()).sum()
        return torch.autograd.grad(reach, relevance)[0] != 0
