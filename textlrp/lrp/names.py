"""Names of layers: which module of the model is running, found without touching it.

The stack of Python frames says it: each running module has a frame of `nn.Module._call_impl`, whose `self` is the module.
Nothing is hooked or patched, threads do not see each other, and weights that are computed (weight normalisation, quantised
embeddings) or shared do not matter. Functional code that holds parameters itself is named by its parameter.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cached_property
from types import CodeType

import torch
from torch import nn

from textlrp.errors import RelevanceError
from textlrp.lrp.constants import memory

__all__ = ["Names"]

_CALL = nn.Module._call_impl.__code__


class Names:
    """The names of a model's modules and parameters; `batch` is the number of texts. Scripted parts are an error."""

    def __init__(self, module: nn.Module, stop: CodeType, batch: int) -> None:
        self._module = module
        self._stop = stop
        self.batch = batch
        self._modules: dict[int, tuple[str, nn.Module]] = {}
        self._buffers: dict[int, torch.Tensor] = {}  # as they are before the model runs
        self.lost: set[int] = set()  # memories of state that activations were to be written into
        self.compiled = False  # whether parts of it are wrapped by torch.compile
        self._visit(module, "")

    def _visit(self, module: nn.Module, name: str) -> None:
        """Note a module and those below it, each once and by its first name, as named_modules() does."""
        if id(module) in self._modules:
            return
        if isinstance(module, torch.jit.ScriptModule):
            raise RelevanceError(
                f"{type(self._module).__name__}: a scripted or traced module cannot be seen into; explain the Python module "
                "it was made from"
            )
        self._modules[id(module)] = name, module
        self.compiled = self.compiled or module._compiled_call_impl is not None or "_orig_mod" in module._modules
        if module._buffers:
            self._buffers.update((id(each), each) for each in module._buffers.values() if each is not None)
        for key, each in module._modules.items():
            if each is not None:
                self._visit(each, f"{name}.{key}" if name else key)

    @cached_property
    def _owners(self) -> dict[int, list[tuple[nn.Module, str, str]]]:
        owners: dict[int, list[tuple[nn.Module, str, str]]] = {}
        for name, module in self._modules.values():
            for key, parameter in module._parameters.items():
                if parameter is not None:
                    owners.setdefault(id(parameter), []).append((module, name, key))
        return owners

    def running(self) -> nn.Module:
        """Return the innermost module that is running."""
        frame = sys._getframe(1)
        while frame is not None:  # type: ignore[redundant-expr]
            if frame.f_code is _CALL:
                found = frame.f_locals["self"]
                if id(found) in self._modules:
                    assert isinstance(found, nn.Module)
                    return found
            elif frame.f_code is self._stop:
                break
            frame = frame.f_back  # type: ignore[assignment]
        return self._module

    def name(self, module: nn.Module) -> str:
        """Return the dotted name of a module of the model; the model itself is ''."""
        found = self._modules.get(id(module))
        return found[0] if found else ""

    def is_parameter(self, tensor: torch.Tensor) -> bool:
        """Tell whether a tensor is a parameter of the model, or a view of one."""
        return id(tensor) in self._owners or (tensor._is_view() and id(tensor._base) in self._owners)

    @cached_property
    def _state(self) -> dict[int, torch.Tensor]:
        """By their memory, all parameters and buffers, which are held here lest another tensor gets that memory."""
        parameters = (each for module in self._modules.values() for each in module[1]._parameters.values())
        state = {memory(each): each for each in (*parameters, *self._buffers.values()) if each is not None}
        state.pop(0, None)
        return state

    def is_state(self, tensor: torch.Tensor) -> bool:
        """Tell whether a tensor shares memory with a parameter or a buffer of the model: itself, a view, weight.data…"""
        return id(tensor) in self._owners or id(tensor) in self._buffers or memory(tensor) in self._state

    def lose(self, state: torch.Tensor) -> None:
        """Note that activations were to be written into the state of the model, and were not."""
        self.lost.add(memory(state))

    def refuse_lost(self, tensors: Iterable[torch.Tensor]) -> None:
        """Raise if the model reads state that it would have written activations into."""
        if any(memory(each) in self.lost for each in tensors):
            raise RelevanceError(
                f"{self.name(self.running()) or type(self._module).__name__} writes activations into a buffer or parameter "
                "of the model and reads it afterwards, but an explanation leaves the model as it is; write into a copy, "
                "such as memory = self.memory.clone(), or call eval() before if it does so in training only"
            )

    def layer(self, weight: torch.Tensor | None, operation: str) -> tuple[str, nn.Module]:
        """Return name and module of the layer that runs `operation` with `weight`."""
        module = self.running()
        owners = [] if weight is None else self._owners.get(id(weight), [])
        if not owners and weight is not None and weight._is_view():
            owners = self._owners.get(id(weight._base), [])
        own = [key for owner, _, key in owners if owner is module]
        if owners and not own:
            module, name, key = owners[0]
        else:
            name, key = self.name(module), own[0] if own else ""
        if type(module).__module__.startswith("torch.nn"):
            return name or operation, module
        if not key and any(True for _ in module.children()):
            key = operation  # a function called by a module that is more than one layer
        if key in ("", "weight"):
            return name or operation, module
        return f"{name}.{key}" if name else key, module
