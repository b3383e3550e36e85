"""Embeddings: where relevance reaches the words."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from textlrp.errors import RelevanceError
from textlrp.lrp.numbers import wide
from textlrp.lrp.run import Run
from textlrp.lrp.tape import Node, Samples, Tape, Var

_BAG = ["input", "weight", "offsets", "max_norm", "norm_type", "scale_grad_by_freq", "mode", "sparse"]
_BAG += ["per_sample_weights", "include_last_offset", "padding_idx"]

__all__ = ["Bag", "Lookup", "Source", "unwritten"]


class Source(Node):
    """A node that turns ids into vectors: what comes back to it is the relevance of words."""

    light = True

    def __init__(self, ids: Var, index: torch.Tensor, place: str, module: nn.Module | None) -> None:
        self.operation, self.place = "embedding", place
        self.inputs = (ids,)
        self.index = index
        self.share = getattr(module, "share_relevance", None)

    def deliver(self, run: Run, relevance: torch.Tensor) -> None:
        """Add relevance, in the shape of the index tensor, to the ids it came from."""
        ids = self.inputs[0]
        words = run.words
        if run.layers is not None:
            run.delivered = run.texts(ids, relevance)
        if self.share is not None:
            shared = self.share(relevance, run.ids)
            if shared.shape != run.ids.shape:
                raise RelevanceError(
                    f"{self.place}: share_relevance must return the shape of ids {tuple(run.ids.shape)}, not "
                    f"{tuple(shared.shape)}"
                )
            words += shared.reshape(-1).to(words.dtype)
            return
        if ids.positions is None or ids.positions.shape != relevance.shape:
            raise RelevanceError(
                f"the indices of the embedding {self.place!r} are computed from ids, so its relevance cannot be brought "
                "back to them; "
                "give the module that owns it a method share_relevance(relevance, ids) -> [B, T] (sums preserved)"
            )
        words.index_add_(
            0, ids.positions.reshape(-1).clamp(min=0), (relevance * (ids.positions >= 0)).reshape(-1).to(words.dtype)
        )
        outside = relevance * (ids.positions < 0)
        if bool((outside != 0).any()):
            run.book("bias", ids, outside)


class Lookup(Source):
    """F.embedding: y = weight[index]; the words take all, summed over the embedding axis."""

    def backward(self, run: Run) -> None:
        """Sum x · c + r over the embedding axis."""
        y = self.outputs[0]
        relevance = y.total
        if y.c is not None:
            own = (wide(y.value) * y.c).sum(-1)
            relevance = own if relevance is None else relevance + own
        if y.r is not None:
            relevance = y.r.sum(-1) if relevance is None else relevance + y.r.sum(-1)
        assert relevance is not None
        self.deliver(run, relevance)

    def samples(self, output: Var) -> Samples:
        """One axis more than the ids, at the end."""
        own = self.inputs[0].samples()
        if own.dim is not None:
            return own
        assert own.index is not None
        return Samples(None, own.index.unsqueeze(-1).expand(output.shape))


class Bag(Source):
    """F.embedding_bag: sums, means or maxima of embeddings; each word takes its own part of the bag."""

    def __init__(self, ids: Var, index: torch.Tensor, place: str, module: nn.Module | None, **options: Any) -> None:
        super().__init__(ids, index, place, module)
        self.operation = "embedding_bag"
        self.options = options

    def backward(self, run: Run) -> None:
        """Look every vector up again, weigh it as the bag did, and multiply with the carry."""
        y = self.outputs[0]
        c = run.carry(y)
        assert c is not None
        weight, mode = wide(self.options["weight"]), self.options["mode"]
        bags = self.bags()
        flat = self.index.reshape(-1)
        x = weight[flat]  # [N, E]
        real = torch.ones_like(flat, dtype=torch.bool)
        if self.options.get("padding_idx") is not None:
            real = flat != self.options["padding_idx"] % weight.shape[0]
        inside = (bags >= 0) & real
        at = bags.clamp(min=0)
        if mode == "max":
            best = x == wide(y.value)[at]
            best &= inside[:, None]
            ties = torch.zeros(c.shape, dtype=c.dtype, device=c.device).index_add_(0, at, best.to(c.dtype))
            share = best / ties.clamp(min=1)[at]
        else:
            share = inside.to(c.dtype)
            if mode == "mean":
                count = torch.zeros(len(c), dtype=c.dtype, device=c.device).index_add_(0, at, share)
                share = share / count.clamp(min=1)[at]
            given = self.options.get("per_sample_weights")
            if given is not None:
                share = share * wide(given).reshape(-1)
            share = share[:, None]
        self.deliver(run, (x * c[at] * share).sum(-1).reshape(self.index.shape))

    def bags(self) -> torch.Tensor:
        """Return the number of the bag of each index, −1 for none."""
        if self.index.dim() == 2:
            return torch.arange(len(self.index), device=self.index.device).repeat_interleave(self.index.shape[1])
        offsets = self.options["offsets"]
        places = torch.arange(len(self.index), device=self.index.device)
        return torch.searchsorted(offsets.contiguous(), places, right=True) - 1

    def samples(self, output: Var) -> Samples:
        """A bag belongs to the text of its first index."""
        own = self.inputs[0].samples()
        if self.index.dim() == 2 and own.dim == 0:
            return own
        if self.index.dim() == 1:
            numbers = own.spread(self.index.shape, self.index.device)
            offsets = self.options["offsets"].clamp(max=max(len(numbers) - 1, 0))
            bag_of_text = torch.arange(len(output.value), device=self.index.device)
            if len(output.value) == self.outputs[0].shape[0] and len(numbers):
                lengths = torch.diff(self.options["offsets"], append=self.options["offsets"].new_tensor([len(numbers)]))[
                    : len(bag_of_text)
                ]
                return Samples(0, torch.where(lengths > 0, numbers[offsets[: len(bag_of_text)]], bag_of_text))
            return Samples(0, bag_of_text)
        return super().samples(output)


def embedding(tape: Tape, names: Any, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.Tensor:
    """Run F.embedding; put it on the tape if its indices come from the ids."""
    index = kwargs.get("input", args[0] if args else None)
    read, options = unwritten(args, kwargs)
    value: torch.Tensor = func(*read, **options)
    var = tape.find(index)
    if var is not None and var.ids:
        weight = kwargs.get("weight", args[1] if len(args) > 1 else None)
        assert isinstance(index, torch.Tensor)
        place, module = names.layer(weight, "embedding")
        tape.record(Lookup(var, index, place, module), value)
        tape.summed(value)
    return value


def lookup(tape: Tape, names: Any, value: torch.Tensor, weight: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Put weight[index] on the tape, which is an embedding without the name."""
    var = tape.find(index)
    assert var is not None
    place, module = names.layer(weight, "embedding")
    tape.record(Lookup(var, index, place, module), value)
    tape.summed(value)
    return value


def embedding_bag(tape: Tape, names: Any, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run F.embedding_bag; put it on the tape if its indices come from the ids."""
    weight = dict(zip(_BAG, args, strict=False)).get("weight", kwargs.get("weight"))
    args, kwargs = unwritten(args, kwargs)
    given = dict(zip(_BAG, args, strict=False)) | kwargs
    value = func(*args, **kwargs)
    index = given["input"]
    var = tape.find(index)
    if var is not None and var.ids:
        offsets = given.get("offsets")
        if offsets is not None and given.get("include_last_offset"):
            offsets = offsets[:-1]
        place, module = names.layer(weight, "embedding_bag")
        options = {"weight": given["weight"], "mode": given.get("mode", "mean"), "offsets": offsets}
        options |= {"padding_idx": given.get("padding_idx"), "per_sample_weights": given.get("per_sample_weights")}
        tape.record(Bag(var, index, place, module, **options), value)
    return value


def unwritten(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of an embedding with a copy of its weight if it has a max_norm, which is written into the weight."""
    given = dict(zip(("input", "weight", None, "max_norm"), args, strict=False)) | kwargs
    if given.get("max_norm") is None:
        return args, kwargs
    weight = given["weight"].detach().clone()
    return (args[0], weight, *args[2:]) if len(args) > 1 else args, kwargs | ({} if len(args) > 1 else {"weight": weight})
