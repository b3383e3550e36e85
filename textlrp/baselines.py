"""What LRP is compared with: gradient, gradient × input, integrated gradients and occlusion, for any text module."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from torch import Tensor, nn

from textlrp.errors import RelevanceError

__all__ = ["METHODS", "Method", "gradient", "gradient_x_input", "integrated_gradients", "occlusion"]

Method: TypeAlias = Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor]


class _Embedded:
    """The outputs of a module's embeddings in one forward pass, each scaled by `scale` and ready to be differentiated."""

    def __init__(self) -> None:
        self.scale = 1.0
        self.found: list[tuple[nn.Module, Tensor]] = []  # the embedding, its output before scaling and with a gradient

    def hook(self, module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        with torch.enable_grad():
            leaf = output.detach().clone().requires_grad_(True)
            self.found.append((module, leaf))
            return leaf * self.scale


@contextlib.contextmanager
def _watched(module: nn.Module) -> Iterator[_Embedded]:
    """Watch the embeddings of `module` (nn.Embedding, and whatever has `share_relevance`); leave nothing behind."""
    watched = _Embedded()
    layers = [each for each in module.modules() if isinstance(each, nn.Embedding) or hasattr(each, "share_relevance")]
    if not layers:
        raise RelevanceError("the module has no nn.Embedding, so there is nothing that stands for its words")
    hooks = [each.register_forward_hook(watched.hook) for each in layers]
    was_training = module.training
    module.eval()
    try:
        yield watched
    finally:
        module.train(was_training)
        for hook in hooks:
            hook.remove()


def _gradients(
    module: nn.Module, ids: Tensor, lengths: Tensor, weights: Tensor, *, scale: float = 1.0
) -> list[tuple[nn.Module, Tensor, Tensor]]:
    """For each embedding: the module, its output x [B,·,E], and the gradient of the weighted logits at scale · x."""
    with _watched(module) as watched, torch.enable_grad():
        watched.scale = scale
        score = (module(ids, lengths) * weights).sum()
        leaves = [leaf for _, leaf in watched.found]
        gradients = torch.autograd.grad(score, leaves, allow_unused=True)
        return [
            (owner, leaf.detach(), torch.zeros_like(leaf) if g is None else g / scale)
            for (owner, leaf), g in zip(watched.found, gradients, strict=True)
        ]


def _to_words(owner: nn.Module, relevance: Tensor, ids: Tensor) -> Tensor:  # [B,…] -> [B,T]
    share = getattr(owner, "share_relevance", None)
    return relevance if share is None else share(relevance, ids)


def _sum(parts: list[tuple[nn.Module, Tensor]], ids: Tensor, lengths: Tensor) -> Tensor:  # -> [B,T]
    total = torch.zeros(ids.shape, dtype=parts[0][1].dtype, device=ids.device)
    for owner, relevance in parts:
        total = total + _to_words(owner, relevance, ids)
    inside = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
    return total * inside


def gradient(module: nn.Module, ids: Tensor, lengths: Tensor, weights: Tensor) -> Tensor:
    """Sensitivity: the squared length of the gradient at each word's vector, Σ_e (∂s/∂x_te)² (Simonyan 2014); at least 0.

    `ids` [B,T] int64, `lengths` [B] int64, `weights` [B,C] over the logits make the score s; returns [B,T], 0 on padding.
    """
    found = _gradients(module, ids, lengths, weights)
    return _sum([(owner, g.square().sum(-1)) for owner, _, g in found], ids, lengths)


def gradient_x_input(module: nn.Module, ids: Tensor, lengths: Tensor, weights: Tensor) -> Tensor:
    """Gradient times input, Σ_e x_te ∂s/∂x_te (Shrikumar 2016); shapes as in `gradient`."""
    found = _gradients(module, ids, lengths, weights)
    return _sum([(owner, (x * g).sum(-1)) for owner, x, g in found], ids, lengths)


def integrated_gradients(module: nn.Module, ids: Tensor, lengths: Tensor, weights: Tensor, *, steps: int = 50) -> Tensor:
    """Integrated gradients from the zero vector, Σ_e x_te ∫ ∂s/∂x_te(αx) dα, by the midpoint rule (Sundararajan 2017)."""
    total: Tensor | None = None
    for step in range(steps):
        found = _gradients(module, ids, lengths, weights, scale=(step + 0.5) / steps)
        part = _sum([(owner, (x * g).sum(-1)) for owner, x, g in found], ids, lengths)
        total = part if total is None else total + part
    assert total is not None
    return total / steps


def occlusion(module: nn.Module, ids: Tensor, lengths: Tensor, weights: Tensor, *, batch_size: int = 64) -> Tensor:
    """Leave one word out: s(text) − s(text without word t), for each t (Zeiler 2014; Li 2016); shapes as in `gradient`."""
    result = torch.zeros(ids.shape, dtype=torch.float32, device=ids.device)
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            whole = (module(ids, lengths) * weights).sum(-1)  # [B]
            for b in range(ids.shape[0]):
                n = int(lengths[b])
                for start in range(0, n, batch_size):
                    places = torch.arange(start, min(start + batch_size, n), device=ids.device)
                    kept = torch.arange(max(n - 1, 1), device=ids.device).expand(len(places), -1)
                    kept = kept + (kept >= places[:, None])  # skip the word at `places`
                    without = ids[b][kept.clamp(max=ids.shape[1] - 1)]
                    short = torch.full((len(places),), n - 1, dtype=lengths.dtype, device=ids.device)
                    left = (module(without, short) * weights[b]).sum(-1)
                    result[b, places] = (whole[b] - left).float()
    finally:
        module.train(was_training)
    return result


#: The methods by the names that `textlrp compare` uses.
METHODS: dict[str, Method] = {
    "gradient": gradient,
    "gradient × input": gradient_x_input,
    "integrated gradients": integrated_gradients,
    "occlusion": occlusion,
}
