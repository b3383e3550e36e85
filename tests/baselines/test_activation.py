"""Class activation against a literal version of its definition."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.baselines.conftest import IDS, LENGTHS, NETWORKS, WEIGHTS, Case, network
from textlrp.baselines import class_activation
from textlrp.errors import RelevanceError

MAPPED = [name for name in NETWORKS if "hidden" not in name and "last" not in name]


def brought(how: str, features: list[list[float]], place: int, unit: int, keys: list[int] | None) -> float:
    """What the feature `unit` at `place` brings to the pooled feature, in plain Python."""
    column = [row[unit] for row in features]
    if how == "max":
        best = max(column)
        winners = [i for i, value in enumerate(column) if value == best]
        return best / len(winners) if place in winners else 0.0
    if keys is None:
        count, share = float(len(column)), 1.0
    else:  # each key counts once
        count, share = float(len(set(keys))), 1.0 / keys.count(keys[place])
    return column[place] * share / (count if how == "mean" else count**0.5)


def literal(module: Any, name: str, words: list[int], weights: Tensor) -> list[float]:
    """Σ_k w_k · (what place t brings to pooled feature k), one text, one place and one feature at a time."""
    n, once = len(words), getattr(module, "once", False)
    ids = torch.tensor([words])
    vectors = module.embedding(ids)
    maps: list[tuple[Tensor, tuple[str, ...], int, list[int] | None]] = []
    if name.startswith("dense"):
        maps.append((vectors[0], module.pooling, 1, words if once else None))
    elif name.startswith("cnn"):
        for layer in module.convolutions:
            width = layer.kernel_size[0]
            padded = torch.cat([torch.zeros((width - 1) // 2, 5), vectors[0], torch.zeros(width // 2, 5)]).double()
            rows = [((layer.weight * padded[t : t + width].T).sum((1, 2)) + layer.bias).relu() for t in range(n)]
            maps.append((torch.stack(rows), module.pooling, 1, None))
    else:
        states = getattr(module, module.arch)(vectors)[0]
        maps.append((states[0], module.pooling, 1, None))
    if hasattr(module, "ngrams"):
        for size, table in module.ngrams.items():
            keys = [hash(tuple(words[i : i + int(size)])) for i in range(n - int(size) + 1)]
            maps.append((table(ids)[0], module.ngrams.pooling, int(size), keys if module.ngrams.once else None))
    row, at = weights @ module.head[-1].weight, 0
    relevance = [0.0] * n
    for features, ways, size, keys in maps:
        listed = features.tolist()
        for how in ways:
            for unit in range(features.shape[1]):
                for place in range(len(listed)):
                    part = float(row[at]) * brought(how, listed, place, unit, keys)
                    for word in range(place, place + size):
                        relevance[word] += part / size
                at += 1
    assert at == len(row)
    return relevance


@pytest.mark.parametrize("name", MAPPED)
def test_it_is_its_definition(name: str) -> None:
    module = network(name)
    found = class_activation(module, IDS, LENGTHS, WEIGHTS)
    for b, n in enumerate(LENGTHS.tolist()[:3]):
        with torch.no_grad():
            expected = literal(module, name, IDS[b, :n].tolist(), WEIGHTS[b])
        torch.testing.assert_close(found[b, :n], torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("name", MAPPED)
def test_it_sums_to_the_score_without_its_bias(name: str) -> None:
    case = Case(network(name), IDS, LENGTHS, WEIGHTS)
    bias = (WEIGHTS @ case.module.head[-1].bias).detach()  # type: ignore[index,union-attr,operator]
    torch.testing.assert_close(class_activation(*case).sum(-1), case.score() - bias)


@pytest.mark.parametrize(("name", "reason"), [("lstm last", "takes the last state"), ("dense hidden", "1 hidden layer")])
def test_a_network_without_what_it_needs_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(RelevanceError, match=f"global pooling.*{reason}"):
        class_activation(network(name), IDS, LENGTHS, WEIGHTS)


def test_a_strange_module_is_refused_by_its_name(linear: Case) -> None:
    with pytest.raises(RelevanceError, match="this is a Linear"):
        class_activation(*linear)
    with pytest.raises(RelevanceError, match="this is a Identity"):
        class_activation(nn.Identity(), IDS, LENGTHS, WEIGHTS)
