"""Attention weights as an explanation, where a network has any: a baseline that is popular and known to mislead."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from textlrp.errors import RelevanceError
from textlrp.faithfulness.batch import Batch

__all__ = ["attention"]


def attention(batch: Batch) -> Tensor:
    """Return how much attention each token gets, [B,T], the mean over layers, heads and the tokens that attend.

    Attention is what `nn.MultiheadAttention` gives as its weights [B,T,T] and every softmax over the tokens of a text ([B,T],
    [B,T,1] or [B,1,T]: attention pooling). It has no sign and does not depend on the explained score. Raises RelevanceError
    where the network has none.
    """
    modes = [(each, each.training) for each in batch.module.modules()]
    batch.module.eval()
    inside = (torch.arange(batch.ids.shape[1], device=batch.ids.device) < batch.lengths[:, None]).float()  # [B,T]
    found: list[Tensor] = []
    try:
        with torch.no_grad(), _weights(batch.module, found.append, inside), _Softmax(found.append, inside):
            batch.module(batch.ids, batch.lengths)
    finally:
        for each, training in modes:
            each.training = training
    if not found:
        raise RelevanceError("the network has no attention: neither nn.MultiheadAttention nor a softmax over the tokens")
    return torch.stack(found).mean(0) * inside


@contextlib.contextmanager
def _weights(module: nn.Module, keep: Callable[[Tensor], object], inside: Tensor) -> Iterator[None]:
    """Keep the weights of every `nn.MultiheadAttention`, averaged over heads and over the tokens that attend."""

    def ask(_module: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return args, {**kwargs, "need_weights": True, "average_attn_weights": True}

    def take(_module: nn.Module, _args: Any, output: tuple[Tensor, Tensor]) -> None:
        weights = output[1]  # [B,T,T]: from (axis 1) to (axis 2)
        if weights is not None and weights.shape == (*inside.shape, inside.shape[1]):
            keep((weights * inside[..., None]).sum(1) / inside.sum(1, keepdim=True).clamp(min=1))

    hooks = []
    for each in module.modules():
        if isinstance(each, nn.MultiheadAttention):
            hooks.append(each.register_forward_pre_hook(ask, with_kwargs=True))
            hooks.append(each.register_forward_hook(take))
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the fast path of transformer layers asks no MultiheadAttention
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for hook in hooks:
            hook.remove()


class _Softmax(TorchFunctionMode):
    """Keep what softmax gives over the tokens of each text."""

    def __init__(self, keep: Callable[[Tensor], object], inside: Tensor) -> None:
        super().__init__()
        self._keep, self._shape = keep, tuple(inside.shape)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") == "softmax" and isinstance(output, Tensor):
            count, width = self._shape
            if tuple(output.shape) in ((count, width), (count, width, 1), (count, 1, width)):
                self._keep(output.detach().reshape(count, width).float())
        return output
