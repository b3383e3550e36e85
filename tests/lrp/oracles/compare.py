"""What the tests share: the engine's rule for an oracle's rule, models with a chosen relevance at an output, and the error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import torch

from tests.lrp.oracles.affine import Rule
from textlrp import lrp

BIASES = ("absorb", "spread", "share")


def engine_rule(rule: Rule) -> Any:
    """The engine's rule of the same name and options."""
    return getattr(lrp, rule.name)(**rule.options)


def rules(*, box: bool = True, zero: bool = True, tiny: float = 1e-6) -> st.SearchStrategy[Rule]:
    """Any rule with any options; z-box and LRP-0 can be left out, and `tiny` is the smallest stabiliser."""
    bias, epsilon = st.sampled_from(BIASES), st.sampled_from([tiny, 1e-3, 0.25])

    def build(name: str, **options: Any) -> st.SearchStrategy[Rule]:
        keys = {key: value if isinstance(value, st.SearchStrategy) else st.just(value) for key, value in options.items()}
        return st.fixed_dictionaries(keys).map(lambda drawn: Rule(name, drawn))

    beta = st.sampled_from([0.0, 0.5, 1.0])
    known = [
        build("Epsilon", epsilon=epsilon, bias=bias),
        build("Gamma", gamma=st.sampled_from([0.0, 0.25, 3.0]), epsilon=epsilon, bias=bias),
        beta.flatmap(lambda b: build("AlphaBeta", alpha=1.0 + b, beta=b, epsilon=epsilon, bias=bias)),
        build("ZPlus", epsilon=epsilon, bias=bias),
        build("WSquare", epsilon=epsilon, bias=bias),
        build("Flat", epsilon=epsilon, bias=bias),
    ]
    if zero:
        known.append(build("Zero", bias=bias))
    if box:
        known.append(build("ZBox", low=-2.0, high=2.5, epsilon=epsilon, bias=bias))
    return st.one_of(known)


class Reader(torch.nn.Module):
    """Token ids to one logit: sum(readout * f(embedding)), so that y * readout is the relevance at the output y of f.

    `run(inner, x, lengths)` makes y [B, ...] of x [B, T, E]; the readout is constant, and drawn to fit y.
    """

    def __init__(
        self,
        vectors: torch.Tensor,
        inner: torch.nn.Module,
        run: Callable[..., torch.Tensor],
        ids: torch.Tensor,
        lengths: torch.Tensor,
    ) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding.from_pretrained(vectors.clone())
        self.inner = inner
        self.run = run
        with torch.no_grad():
            y = run(inner, self.embedding(ids), lengths)
        random = torch.Generator().manual_seed(0)
        self.register_buffer("readout", torch.randn(y.shape[1:], generator=random, dtype=torch.float64).to(y.dtype))

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        y = self.run(self.inner, self.embedding(ids), lengths)
        return (y * self.readout).flatten(1).sum(1, keepdim=True)


def explain(model: torch.nn.Module, ids: torch.Tensor, lengths: torch.Tensor, rule: Rule, gates: str = "all") -> Any:
    """The engine's attribution of the only logit, with one rule everywhere."""
    return lrp.attribute(model, ids, lengths, target=0, composite=lrp.Composite(default=engine_rule(rule)), gates=gates)


def assert_close(found: Any, expected: Any, *, scale: float, tolerance: float = 1e-9, what: str = "relevance") -> None:
    """The largest difference is at most `tolerance` of the largest relevance."""
    found, expected = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    assert found.shape == expected.shape, (what, found.shape, expected.shape)
    error = float(np.abs(found - expected).max(initial=0.0))
    assert error <= tolerance * max(scale, 1e-300), f"{what}: off by {error:.3e}, {error / scale:.1e} of the largest relevance"


def assert_ledger(
    ledger: dict[str, torch.Tensor], index: int, lost: dict[str, float], *, scale: float, tolerance: float = 1e-9
) -> None:
    """The entries of the ledger that the oracle also books are the same."""
    for key, value in lost.items():
        found = float(ledger[key][index]) if key in ledger else 0.0
        assert_close(found, value, scale=scale, tolerance=tolerance, what=f"ledger[{key!r}]")


def assert_closed(attribution: Any, *, tolerance: float = 1e-10, scale: float | None = None) -> None:
    """The ledger sums to the score."""
    total = sum(entry.double() for entry in attribution.ledger.values())
    size = sum(entry.double().abs() for entry in attribution.ledger.values())
    if scale is not None:
        size = size.clamp(min=scale)
    error = (total - attribution.score.double()).abs() / size.clamp(min=1e-300)
    assert float(error.max()) <= tolerance, f"the ledger does not close: {float(error.max()):.2e}"
