"""What attribute() returns: the score of the model, the relevance of ids, of layers, of time steps."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.lrp import zoo
from textlrp import lrp

PIECEWISE_LINEAR = [
    name
    for name in zoo.MODELS
    if name.startswith(
        (
            "dense",
            "conv",
            "bag",
            "gathered",
            "max over",
            "residual",
            "functional",
            "concat",
            "weight norm",
            "activation ReLU",
            "batch",
        )
    )
]


def gradient_times_input(module: nn.Module, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Of the ids, by perturbing the embedding: only for models that embed with nn.Embedding."""
    seen: list[torch.Tensor] = []

    def keep(_: nn.Module, __: object, output: torch.Tensor) -> torch.Tensor:
        seen.append(output.detach().requires_grad_())
        return seen[0]

    handle = module.embedding.register_forward_hook(keep)
    score = module(ids, lengths)[:, 1].sum()
    handle.remove()
    return (torch.autograd.grad(score, seen[0])[0] * seen[0]).sum(-1).detach()


@pytest.mark.parametrize("name", [name for name in PIECEWISE_LINEAR if not name.startswith(("bag", "functional"))])
def test_lrp_zero_is_gradient_times_input_where_the_model_is_piecewise_linear(name: str) -> None:
    module = zoo.build(name)
    ids, lengths = zoo.batch()
    a = lrp.attribute(module, ids, lengths, target=1, composite=lrp.Composite(default=lrp.Zero()))
    expected = gradient_times_input(module, ids, lengths)
    padding = ~zoo.mask_of(ids, lengths)
    torch.testing.assert_close(a.tokens, expected.masked_fill(padding, 0.0), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(a.ledger["padding"], expected.masked_fill(~padding, 0.0).sum(1), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in zoo.MODELS if name != "dropout"])
def test_the_score_is_the_models_own(name: str) -> None:
    module = zoo.build(name)
    ids, lengths = zoo.batch()
    a = lrp.attribute(module, ids, lengths, target=2)
    with torch.no_grad():
        torch.testing.assert_close(a.score, module(ids, lengths)[:, 2])
        torch.testing.assert_close(a.output, module(ids, lengths))


ALONE = [
    name
    for name in zoo.MODELS
    if " padded " not in name
    and not name.startswith(("conv", "batch norm over", "bag", "dropout", "n-grams", "LSTM time", "GRU time"))
]
ALONE = [name for name in ALONE if "loop" not in name and "hand" not in name and "RNN time" not in name]


@pytest.mark.parametrize("gates", ["all", "half"])
@pytest.mark.parametrize("name", ALONE)
def test_a_text_alone_gets_the_relevance_it_gets_among_longer_ones(name: str, gates: str) -> None:
    module = zoo.build(name, torch.float32 if gates == "all" else torch.float64)
    ids, lengths = zoo.batch()
    together = lrp.attribute(module, ids, lengths, target=0, gates=gates)
    for i, length in enumerate(lengths.tolist()):
        alone = lrp.attribute(module, ids[i : i + 1, :length], lengths[i : i + 1], target=0, gates=gates)
        torch.testing.assert_close(alone.tokens[0], together.tokens[i, :length], rtol=0, atol=1e-6)
        assert (together.tokens[i, length:] == 0).all()


def test_writing_states_into_a_buffer_is_like_stacking_them() -> None:
    ids, lengths = zoo.batch()
    stacked, assigned = zoo.build("LSTMCell loop"), zoo.build("LSTMCell loop, assigned")
    assigned.load_state_dict(stacked.state_dict())
    for rule in (lrp.Epsilon(1e-3), lrp.Gamma(0.25), lrp.Flat()):
        one, two = (lrp.attribute(m, ids, lengths, composite=lrp.Composite(default=rule)) for m in (stacked, assigned))
        torch.testing.assert_close(one.tokens, two.tokens)


@pytest.mark.parametrize(
    "write",
    [
        lambda x: x.clone().mul_(2.0),
        lambda x: torch.zeros_like(x).copy_(x) * 2,
        lambda x: x.clone().add_(x),
        lambda x: _assigned(x),
        lambda x: _through_a_view(x),
        lambda x: _through_the_base(x),
        lambda x: torch.cat([x[:, :2], x[:, 2:]], 1).masked_fill_(torch.zeros(1, dtype=torch.bool), 3.0) + x,
    ],
)
def test_operations_in_place_give_what_their_twins_give(write: object) -> None:
    ids, lengths = zoo.batch()
    plain = zoo.build("dense mean")
    body = plain.body
    expected = _explain(plain, lambda m, x, k, n: body(m, x * 2, k, n), ids, lengths)
    found = _explain(plain, lambda m, x, k, n: body(m, write(x), k, n), ids, lengths)  # type: ignore[operator]
    torch.testing.assert_close(found.tokens, expected.tokens, rtol=1e-9, atol=1e-12)
    assert (found.residual.abs() < 1e-10).all()


def _explain(module: nn.Module, body: object, ids: torch.Tensor, lengths: torch.Tensor) -> lrp.Attribution:
    module.body = body  # type: ignore[assignment]
    return lrp.attribute(module, ids, lengths, target=1)


def _assigned(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for t in range(x.shape[1]):
        out[:, t] = 2 * x[:, t]
    return out


def _through_a_view(x: torch.Tensor) -> torch.Tensor:
    out = x.clone()
    first, rest = out[:, :3], out[:, 3:]
    first += x[:, :3]
    rest.mul_(2.0)
    return out


def _through_the_base(x: torch.Tensor) -> torch.Tensor:
    out = x.clone()
    first, rest = out[:, :3], out[:, 3:]
    out *= 2.0
    return torch.cat([first, rest], 1)


def test_floating_point_inputs_take_the_relevance_themselves() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    x = torch.randn(3, 5, dtype=torch.float64)
    a = lrp.attribute(module, x, target=0, composite=lrp.Composite(default=lrp.Zero()))
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(module(x)[:, 0].sum(), x)
    torch.testing.assert_close(a.tokens, (x * gradient).detach())


def test_layers_are_known_by_their_names() -> None:
    ids, lengths = zoo.batch()
    a = lrp.attribute(zoo.build("dense mean"), ids, lengths)
    assert set(a.layers) == {"embedding", "head.0", "head.2", "out"}
    assert set(lrp.attribute(zoo.build("LSTM bi packed mean"), ids, lengths).layers) == {"embedding", "rnn", "out"}
    assert {"w", "v", "table"} <= set(lrp.attribute(zoo.build("functional"), ids, lengths).layers)
    assert "inner" in lrp.attribute(zoo.build("weight norm"), ids, lengths).layers
    assert lrp.attribute(zoo.build("dense mean"), ids, lengths, layers=False).layers == {}


def test_a_module_with_tied_weights_keeps_its_own_name() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(10, 4)
            self.decoder = nn.Linear(4, 10, bias=False)
            self.decoder.weight = self.embedding.weight

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.decoder(self.embedding(ids).mean(1))

    a = lrp.attribute(Tied(), torch.tensor([[1, 2], [3, 4]]))
    assert set(a.layers) == {"embedding", "decoder"}


@pytest.mark.parametrize("name", ["LSTM bi packed max", "GRU bi packed mean", "RNN deep", "LSTM bi padded last"])
@pytest.mark.parametrize("gates", ["all", "abs"])
def test_relevance_of_states_over_time(name: str, gates: str) -> None:
    ids, lengths = zoo.batch()
    module = zoo.build(name)
    a = lrp.attribute(module, ids, lengths, steps=True, gates=gates)
    states = a.layers["rnn"]
    assert states.hidden is not None
    levels = module.rnn.num_layers * 2
    assert states.hidden.shape == (levels, 4, 9)
    assert (states.cell is None) == (not name.startswith("LSTM"))
    if "packed" in name or "deep" in name:
        assert (states.hidden[:, ~zoo.mask_of(ids, lengths)] == 0).all()
    if states.cell is not None and gates == "all":  # all that c hands on comes from h: R_c,T = R_h,T at the first step walked
        ends = states.hidden[0, torch.arange(4), lengths - 1]
        if "padded" not in name:
            torch.testing.assert_close(states.cell[0, torch.arange(4), lengths - 1], ends)


@pytest.mark.parametrize("way", ["trimmed", "time first", "flipped", "clamped", "weight[ids]", "index_select", "masked"])
def test_ids_are_followed_to_the_embedding(way: str) -> None:
    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.e, self.out = nn.Embedding(zoo.WORDS, 4), nn.Linear(4, 2)

        def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            mask = zoo.mask_of(ids, lengths)
            if way == "trimmed":
                longest = int(lengths.max())
                return self.out((self.e(ids[:, :longest]) * mask[:, :longest, None]).sum(1))
            if way == "time first":
                return self.out((self.e(ids.t()) * mask.t()[..., None]).sum(0))
            if way == "flipped":
                return self.out((self.e(ids.flip(1)) * mask.flip(1)[..., None]).sum(1))
            if way == "clamped":
                return self.out(
                    (self.e(ids.clamp(max=zoo.WORDS - 1).where(mask, torch.zeros_like(ids))) * mask[..., None]).sum(1)
                )
            if way == "weight[ids]":
                return self.out((self.e.weight[ids] * mask[..., None]).sum(1))
            if way == "index_select":
                return self.out((self.e.weight.index_select(0, ids.reshape(-1)).view(*ids.shape, 4) * mask[..., None]).sum(1))
            return self.out(torch.zeros(len(ids), 4, dtype=torch.float64).index_add(0, mask.nonzero()[:, 0], self.e(ids[mask])))

    torch.manual_seed(0)
    module = Reads().double()
    ids, lengths = zoo.batch()
    a = lrp.attribute(module, ids, lengths, target=0, composite=lrp.Composite(default=lrp.Zero()))
    expected = (module.e(ids) @ module.out.weight[0]).detach() * zoo.mask_of(ids, lengths)
    torch.testing.assert_close(a.tokens, expected)
    torch.testing.assert_close(a.ledger["bias"], module.out.bias.detach()[0].expand(4))


def test_a_composite_reaches_the_layers_it_names() -> None:
    ids, lengths = zoo.batch()
    module = zoo.build("dense mean")
    seen: list[lrp.Layer] = []
    composite = lrp.Composite(
        [(lambda layer: bool(seen.append(layer)), lrp.Zero()), ("head.0", lrp.Flat()), ((nn.Linear, "out"), lrp.Gamma())],  # type: ignore[func-returns-value]
        default=lrp.Epsilon(1e-3),
    )
    lrp.attribute(module, ids, lengths, composite=composite)
    assert [(layer.name, layer.depth, layer.count) for layer in seen] == [("out", 2, 3), ("head.2", 1, 3), ("head.0", 0, 3)]
    assert [composite.rule_for(layer).name for layer in tuple(seen)] == ["gamma", "epsilon", "flat"]
    assert seen[0].kind is nn.Linear
    assert seen[0].module is module.out


def test_parallel_layers_lie_at_one_depth() -> None:
    class Parallel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.e, self.a, self.b, self.out = nn.Embedding(9, 4), nn.Conv1d(4, 2, 2), nn.Conv1d(4, 2, 3), nn.Linear(4, 2)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            x = self.e(ids).transpose(1, 2)
            return self.out(torch.cat([functional.relu(conv(x)).amax(2) for conv in (self.a, self.b)], 1))

    depths: dict[str, int] = {}
    composite = lrp.Composite([(lambda layer: bool(depths.update({layer.name: layer.depth})), lrp.Zero())], default=lrp.Zero())  # type: ignore[func-returns-value]
    lrp.attribute(Parallel(), torch.arange(8).view(2, 4), composite=composite)
    assert depths == {"out": 1, "a": 0, "b": 0}


@pytest.mark.parametrize("name", lrp.PRESETS)
def test_every_preset_explains(name: str) -> None:
    ids, lengths = zoo.batch()
    found = lrp.preset(name)
    assert found.name == name
    assert found.description
    for model in ("dense mean", "conv", "LSTM bi packed max"):
        a = lrp.attribute(zoo.build(model), ids, lengths, composite=found.composite)
        assert (a.residual.abs() < 1e-9).all()


class Hashed(nn.Module):
    """Bigrams looked up by searching a table of hashes; unknown ones share the first row."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 4))
        self.register_buffer("keys", torch.tensor([11, 35, 77, 250, 801]))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        hashes = (ids[:, :-1] * 31 + ids[:, 1:]) % 997
        found = torch.searchsorted(self.keys, hashes).clamp(max=4)
        return functional.embedding(torch.where(self.keys[found] == hashes, found + 1, 0), self.weight)


class Sharing(Hashed):
    def share_relevance(self, relevance: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        return (functional.pad(relevance, (0, 1)) + functional.pad(relevance, (1, 0))) / 2


class ReadsBigrams(nn.Module):
    def __init__(self, grams: nn.Module) -> None:
        super().__init__()
        self.grams, self.out = grams, nn.Linear(4, 2)

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        mask = zoo.mask_of(ids, lengths)
        return self.out((self.grams(ids) * mask[:, 1:, None]).sum(1))


@pytest.mark.parametrize("width", [1, 2, 9])
def test_n_grams_bring_their_relevance_back_however_they_were_looked_up(width: int) -> None:
    torch.manual_seed(0)
    ids = torch.randint(0, 30, (3, width))
    module = ReadsBigrams(Sharing())
    a = lrp.attribute(module, ids, torch.full((3,), width), composite=lrp.Composite(default=lrp.Zero()))
    torch.testing.assert_close(a.tokens.sum(1) + a.ledger["bias"], a.score)
    assert (a.residual.abs() < 1e-5).all()
    torch.testing.assert_close(a.ledger["bias"], module.out.bias.detach()[module(ids, torch.full((3,), width)).argmax(1)])


def test_indices_computed_from_ids_need_a_way_back() -> None:
    with pytest.raises(lrp.RelevanceError, match=r"'grams'.*share_relevance"):
        lrp.attribute(ReadsBigrams(Hashed()), torch.randint(0, 30, (3, 5)), torch.full((3,), 5))


def test_an_embedding_of_positions_is_a_constant() -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.places, self.out = nn.Embedding(30, 4), nn.Embedding(9, 4), nn.Linear(4, 2)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            x = self.words(ids) + self.places(torch.arange(ids.shape[1]))
            return self.out(x.mean(1))

    torch.manual_seed(0)
    module, ids = Positions().double(), torch.randint(0, 30, (3, 5))
    a = lrp.attribute(module, ids, target=0, composite=lrp.Composite(default=lrp.Zero()))
    weight, bias = module.out.weight[0].detach(), module.out.bias[0].detach()
    torch.testing.assert_close(a.tokens, (module.words(ids) @ weight / 5).detach())
    torch.testing.assert_close(a.ledger["bias"], (module.places.weight[:5].mean(0) @ weight + bias).detach().expand(3))
