"""How weights lie in a file: as they are, in half precision, or tables of vectors in 8 bits with one scale for each row."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from textlrp.errors import CheckpointError
from textlrp.models.build import skeleton
from textlrp.models.checks import choice
from textlrp.models.config import ModelConfig
from textlrp.models.ngrams import NGramEmbedding

__all__ = ["STORAGES", "expected_tensors", "from_stored", "round_to_storage", "to_stored"]

STORAGES = ("float32", "float16", "int8")
_SMALLEST_ROW = 4  # numbers; below that, a scale for each row saves nothing
_SCALE = ".scale"


def expected_tensors(config: ModelConfig, storage: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return the tensors that a file of this configuration holds: name → (safetensors dtype, shape)."""
    choice(*STORAGES)("storage", storage)
    empty = skeleton(config)
    tables = _tables(empty)
    expected: dict[str, tuple[str, tuple[int, ...]]] = {}
    for name, weight in empty.state_dict().items():
        shape = tuple(weight.shape)
        if storage == "int8" and name in tables:
            expected[name] = ("I8", shape)
            expected[name + _SCALE] = ("F32", shape[:1])
        elif weight.dtype == torch.int32:  # the hashes of selected n-grams
            expected[name] = ("I32", shape)
        else:
            expected[name] = ("F32" if storage == "float32" else "F16", shape)
    return expected


def to_stored(module: nn.Module, storage: str) -> dict[str, Tensor]:
    """Return the module's weights as they are stored; weights that are not finite, or too large, are refused.

    In 8 bits a row is q · s with whole q from -127 to 127 and s = max |w| / 127, cut to 16 bits of mantissa so that the
    largest weight is exactly 127 s, and storing twice is storing once.
    """
    choice(*STORAGES)("storage", storage)
    tables = _tables(module)
    stored: dict[str, Tensor] = {}
    for name, weight in module.state_dict().items():
        if weight.dtype == torch.int32:
            stored[name] = weight.detach().to("cpu", copy=True).contiguous()
            continue
        value = weight.detach().to("cpu", torch.float32)
        if storage == "int8" and name in tables:
            scale = _rounded_up(value.abs().amax(1) / 127)
            stored[name] = (value / scale.clamp(min=1e-30)[:, None]).round().clamp(-127, 127).to(torch.int8)
            stored[name + _SCALE] = scale
        else:
            stored[name] = value.to(torch.float32 if storage == "float32" else torch.float16)
        finite = torch.isfinite(value).all() and torch.isfinite(stored.get(name + _SCALE, stored[name])).all()
        if not finite:
            raise CheckpointError(
                f"the weight {name!r} holds NaN or numbers too large for {storage}: train again with a lower learning rate"
            )
        stored[name] = stored[name].clone().contiguous()
    return stored


def from_stored(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the float32 weights of what `to_stored` made; weights that are not finite are refused."""
    weights: dict[str, Tensor] = {}
    for name, value in stored.items():
        if name.endswith(_SCALE) and name[: -len(_SCALE)] in stored:
            continue
        if value.dtype == torch.int32:
            weights[name] = value.clone()
            continue
        weight = value.to(torch.float32, copy=True)  # the file may be mapped: hold no part of it
        if value.dtype == torch.int8:
            weight = weight * stored[name + _SCALE][:, None]
        if not bool(torch.isfinite(weight).all()):
            raise CheckpointError(
                f"the tensor {name!r} holds NaN or infinite weights: no prediction can come of it; train again"
            )
        weights[name] = weight
    return weights


def round_to_storage(module: nn.Module, storage: str) -> None:
    """Round the module's weights in place to what its file will hold, so that what is measured is what is stored."""
    module.load_state_dict(from_stored(to_stored(module, storage)))


def _tables(module: nn.Module) -> set[str]:
    kinds = (nn.Embedding, NGramEmbedding)
    owners = ((name, each) for name, each in module.named_modules() if isinstance(each, kinds))
    return {f"{name}.weight" for name, each in owners if each.weight.shape[1] >= _SMALLEST_ROW}


def _rounded_up(scale: Tensor) -> Tensor:
    return ((scale.view(torch.int32) + 0xFF) & ~0xFF).view(torch.float32)
