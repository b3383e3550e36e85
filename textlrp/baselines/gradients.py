"""Gradient, gradient × input, SmoothGrad and integrated gradients of any text module."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from textlrp.baselines.scoring import MOST_TOKENS, predicting
from textlrp.errors import InputError, RelevanceError

__all__ = ["gradient", "gradient_x_input", "integrated_gradients", "smoothgrad"]

#: Gives the point at which to differentiate, from the vectors [B,P,E] of the embedding of this number.
Change: TypeAlias = Callable[[Tensor, int], Tensor]


class _Found(NamedTuple):
    """One embedding: what owns it, its vectors x [B,P,E] and the gradient of the score at the point taken, [B,P,E]."""

    owner: nn.Module
    x: Tensor
    gradient: Tensor


def gradient(module: nn.Module, ids: Tensor, lengths: Tensor, weights: Tensor) -> Tensor:
    """Sensitivity: the squared length of the gradient at each word's vector, Σ_e (∂s/∂x_te)² (Simonyan 2014); at least 0.

    `ids` [B,T] int64, `lengths` [B] int64, `weights` [B,C] over the logits make the score s; returns [B,T], 0 on padding.
    An n-gram's value is shared among its words. Raises RelevanceError where the module has no embedding.
    """
    found = _gradients(module, ids, lengths, weights)
    return _to_words([(each.owner, each.gradient.square().sum(-1)) for each in found], ids, lengths)


def gradient_x_input(module: nn.Module, ids: Tensor, lengths: Tensor, weights: Tensor) -> Tensor:
    """Gradient times input, Σ_e x_te ∂s/∂x_te (Shrikumar 2016); shapes and errors as in `gradient`."""
    found = _gradients(module, ids, lengths, weights)
    return _to_words([(each.owner, (each.x * each.gradient).sum(-1)) for each in found], ids, lengths)


def smoothgrad(
    module: nn.Module,
    ids: Tensor,
    lengths: Tensor,
    weights: Tensor,
    *,
    samples: int = 25,
    noise: float = 0.1,
    seed: int = 0,
) -> Tensor:
    """SmoothGrad times input: Σ_e x_te · (mean of ∂s/∂x_te at x + n), n ~ N(0, σ²) on all vectors (Smilkov 2017).

    σ is `noise` · (largest − smallest entry of the text's vectors); the mean is over `samples` draws that `seed` fixes. They
    are made for each text alone, so that it has the same values in every batch. Shapes and errors as in `gradient`.
    """
    if samples < 1 or not noise >= 0:
        raise InputError(f"SmoothGrad needs at least 1 sample and noise of at least 0, not {samples} and {noise}")

    def noisy(numbers: np.ndarray) -> Change:
        def change(x: Tensor, embedding: int) -> Tensor:
            if not x.numel():
                return x
            drawn = np.stack([np.random.default_rng([seed, embedding, i]).standard_normal(x.shape[1:]) for i in numbers])
            return x + noise * (x[0].max() - x[0].min()) * torch.from_numpy(drawn).to(x)

        return change

    return _mean_x_input(module, ids, lengths, weights, samples, noisy)


def integrated_gradients(module: nn.Module, ids: Tensor, lengths: Tensor, weights: Tensor, *, steps: int = 50) -> Tensor:
    """Integrated gradients from the zero vector, Σ_e x_te ∫ ∂s/∂x_te(αx) dα, by the midpoint rule (Sundararajan 2017).

    A text's values sum to its score minus the score where all its vectors are 0, but for what `steps` midpoints miss.
    Shapes and errors as in `gradient`.
    """
    if steps < 1:
        raise InputError(f"integrated gradients need at least 1 step, not {steps}")

    def shrunk(numbers: np.ndarray) -> Change:
        return lambda x, _: x * torch.from_numpy((numbers + 0.5) / steps).to(x)[:, None, None]

    return _mean_x_input(module, ids, lengths, weights, steps, shrunk)


def _mean_x_input(
    module: nn.Module, ids: Tensor, lengths: Tensor, weights: Tensor, count: int, change: Callable[[np.ndarray], Change]
) -> Tensor:
    """Input times the mean gradient over `count` points, text by text; `change` makes those of some numbers below count."""
    result: Tensor | None = None
    for b, n in enumerate(lengths.tolist()):
        text, size = ids[b : b + 1, :n], max(1, MOST_TOKENS // max(n, 1))
        for begin in range(0, count if n else 0, size):
            numbers = np.arange(begin, min(begin + size, count))
            many, long = text.expand(len(numbers), -1), lengths[b].expand(len(numbers))
            found = _gradients(module, many, long, weights[b].expand(len(numbers), -1), change(numbers))
            parts = [(each.owner, (each.x * each.gradient).sum(-1)) for each in found]
            words = _to_words(parts, many, long).sum(0) / count
            result = words.new_zeros(ids.shape) if result is None else result
            result[b, :n] += words
    return torch.zeros(ids.shape, device=ids.device) if result is None else result


def _gradients(
    module: nn.Module, ids: Tensor, lengths: Tensor, weights: Tensor, change: Change = lambda x, _: x
) -> list[_Found]:
    """Return, for each embedding, the gradient of the weighted logits where its vectors are those that `change` gives."""
    # cuDNN cannot go back through a recurrent layer that predicts; the plain kernels can.
    with torch.backends.cudnn.flags(enabled=False), predicting(module), torch.inference_mode(False), torch.enable_grad():
        with _watched(module, change) as watched:
            score = (module(ids, lengths) * weights).sum()
        points = [point for _, _, point in watched]
        gradients = torch.autograd.grad(score, points, allow_unused=True) if score.requires_grad else [None] * len(points)
        return [
            _Found(owner, x, torch.zeros_like(x) if g is None else g)
            for (owner, x, _), g in zip(watched, gradients, strict=True)
        ]


@contextlib.contextmanager
def _watched(module: nn.Module, change: Change) -> Iterator[list[tuple[nn.Module, Tensor, Tensor]]]:
    """Replace what embeddings give (nn.Embedding, and whatever has `share_relevance`); list owner, vectors and replacement."""
    layers = [each for each in module.modules() if isinstance(each, nn.Embedding) or hasattr(each, "share_relevance")]
    if not layers:
        raise RelevanceError(
            "the module has no nn.Embedding, so there is nothing that stands for its words; occlusion, LIME and SHAP need none"
        )
    watched: list[tuple[nn.Module, Tensor, Tensor]] = []

    def hook(owner: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        x = output.detach()
        point = change(x, len(watched)).clone().requires_grad_(True)
        watched.append((owner, x, point))
        return point

    hooks = [each.register_forward_hook(hook) for each in layers]
    try:
        yield watched
    finally:
        for each in hooks:
            each.remove()


def _to_words(parts: list[tuple[nn.Module, Tensor]], ids: Tensor, lengths: Tensor) -> Tensor:  # [B,P] each -> [B,T]
    """Add up what the embeddings bring to each word, 0 on padding."""
    total: Tensor | float = 0.0
    for owner, relevance in parts:
        share = getattr(owner, "share_relevance", None)
        total = total + (relevance if share is None else share(relevance, ids))
    inside = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
    return (total * inside).detach()
