"""Linear maps that rules are applied to: what x becomes under a weight, and how it goes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch.nn import functional

from textlrp.lrp.affine import add_affine, affine, many

__all__ = ["ConvMap", "DenseMap", "DiagonalMap", "GeneralMap", "LinearMap"]


@dataclass(frozen=True, eq=False)
class LinearMap:
    """The interface: z = apply(x, weight) + bias, and the transposed map back from z to x."""

    weight: torch.Tensor
    bias: torch.Tensor | None  # shaped to broadcast against z
    _magnitudes: dict[float, torch.Tensor] = field(default_factory=dict, init=False, repr=False)
    mixed: ClassVar[float] = 1  # so many axes at the end are mixed or moved, at most

    def magnitudes(self, part: float) -> torch.Tensor:
        """Return the weight, and a part of |weight|: [2, …]."""
        if part not in self._magnitudes:
            self._magnitudes[part] = torch.stack((self.weight, self.weight.abs() * part))
        return self._magnitudes[part]

    def apply(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return Σ_i x_i w_ji, without the bias."""
        raise NotImplementedError

    def add(self, total: torch.Tensor, x: torch.Tensor, weight: torch.Tensor) -> None:
        """Add Σ_i x_i w_ji to `total`."""
        total += self.apply(x, weight)

    def transpose(self, q: torch.Tensor, weight: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Return Σ_j w_ji q_j, in the shape of the input `like`."""
        raise NotImplementedError

    def transpose_each(self, q: torch.Tensor, weights: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Return the transposed map of each of q under each of the weights, side by side along the first axis."""
        return torch.stack([self.transpose(each, weight, like) for each, weight in zip(q, weights, strict=True)])

    def scatter(self, q: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Return Σ_j q_j over the outputs that input i goes into, in the shape of `like`."""
        return self.transpose(q, torch.ones_like(self.weight), like)

    def sums(self, weight: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Return Σ_i w_ji over the inputs of each output, to broadcast against z: what inputs of one would give."""
        return self.apply(torch.ones_like(like), weight)

    def heard(self, x: torch.Tensor) -> torch.Tensor:
        """Tell of which outputs any input is not 0, to broadcast against z."""
        return self.apply(x.abs(), torch.ones_like(self.weight)) > 0

    def fan_in(self, like: torch.Tensor) -> torch.Tensor | float:
        """Return how many inputs each output has."""
        return self.sums(torch.ones_like(self.weight), like)

    def texts(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return the number of the text of each output, to broadcast against z, from those of the inputs."""
        ones, one = torch.ones_like(numbers), torch.ones_like(self.weight, dtype=numbers.dtype)
        weight = self.weight.abs().to(numbers.dtype)  # which may pick the inputs of one text, or none
        by_weight, by_count = (self.apply(numbers, each) / self.apply(ones, each) for each in (weight, one))
        return torch.where(by_weight.isnan(), by_count, by_weight).round()

    def taken(self, q: torch.Tensor) -> torch.Tensor:
        """Return Σ_j b_j q_j over all axes but the first."""
        assert self.bias is not None
        return (self.bias * q).flatten(1).sum(1)


@dataclass(frozen=True, eq=False)
class DenseMap(LinearMap):
    """z = x Wᵀ + b over the last axis; weight [out, in]."""

    def apply(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return x Wᵀ."""
        return affine(x, weight)

    def add(self, total: torch.Tensor, x: torch.Tensor, weight: torch.Tensor) -> None:
        """Add x Wᵀ, in one call."""
        add_affine(total.view(-1, total.shape[-1]), x.reshape(-1, x.shape[-1]), weight)

    def transpose(self, q: torch.Tensor, weight: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Return q W."""
        return affine(q, weight.t())

    def transpose_each(self, q: torch.Tensor, weights: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Return q W for each, in one call."""
        if many(q[0], weights[0]):
            return super().transpose_each(q, weights, like)
        return torch.bmm(q.flatten(1, -2), weights).view(*q.shape[:-1], -1)

    def scatter(self, q: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Give every input the sum of all outputs."""
        return q.sum(-1, keepdim=True).expand(like.shape)

    def sums(self, weight: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Return the sums of the rows."""
        return weight.sum(1)

    def heard(self, x: torch.Tensor) -> torch.Tensor:
        """Tell which rows are not all 0."""
        return x.any(-1, keepdim=True)

    def fan_in(self, like: torch.Tensor) -> float:
        """Return the number of inputs."""
        return float(self.weight.shape[1])

    def taken(self, q: torch.Tensor) -> torch.Tensor:
        """Return Σ_j b_j q_j over all axes but the first: one product."""
        assert self.bias is not None
        return torch.mv(q if q.dim() == 2 else q.flatten(1, -2).sum(1), self.bias)


@dataclass(frozen=True, eq=False)
class ConvMap(LinearMap):
    """A 1-d convolution; x [B, in, T] or [in, T], weight [out, in / groups, K]."""

    mixed: ClassVar[float] = 2
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1

    def apply(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return the convolution without bias."""
        return functional.conv1d(x, weight, None, self.stride, self.padding, self.dilation, self.groups)

    def transpose(self, q: torch.Tensor, weight: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Return the transposed convolution, in the input's length."""
        reach = (q.shape[-1] - 1) * self.stride - 2 * self.padding + self.dilation * (weight.shape[-1] - 1) + 1
        rest = like.shape[-1] - reach
        return functional.conv_transpose1d(q, weight, None, self.stride, self.padding, rest, self.groups, self.dilation)

    def taken(self, q: torch.Tensor) -> torch.Tensor:
        """Return Σ_j b_j q_j over channels and time."""
        assert self.bias is not None
        return torch.mv(q.sum(-1), self.bias[:, 0]) if q.dim() == 3 else super().taken(q)

    def sums(self, weight: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Return the sums under each output's window; fewer weights at a padded border."""
        found = self.apply(like.new_ones([1, *like.shape[-2:]]), weight)
        return found if like.dim() == 3 else found[0]


@dataclass(frozen=True, eq=False)
class DiagonalMap(LinearMap):
    """z_i = w_i x_i; weight [out]."""

    def apply(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return w ⊙ x."""
        return x * weight

    def transpose(self, q: torch.Tensor, weight: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Return w ⊙ q."""
        return q * weight

    def fan_in(self, like: torch.Tensor) -> float:
        """One input each."""
        return 1.0


@dataclass(frozen=True, eq=False)
class GeneralMap(LinearMap):
    """Any function that is linear in x and in the weight: matmul and einsum in whatever form; transposed by autograd."""

    mixed: ClassVar[float] = torch.inf
    function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = torch.matmul

    def apply(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return the function of x and the weight."""
        return self.function(x, weight)

    def transpose(self, q: torch.Tensor, weight: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Return the gradient of the inputs."""
        with torch.enable_grad():
            leaf = torch.zeros_like(like, requires_grad=True)
            return torch.autograd.grad(self.function(leaf, weight), leaf, q)[0]
