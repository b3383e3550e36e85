"""The ledger closes for every model of the zoo, every rule and every gate rule; each layer's own ledger as well."""

from __future__ import annotations

import pytest
import torch

from tests.lrp import zoo
from textlrp import lrp

RULES = {
    "zero": lrp.Zero(),
    "epsilon": lrp.Epsilon(1e-3),
    "gamma": lrp.Gamma(0.25),
    "alpha-beta": lrp.AlphaBeta(2.0, 1.0),
    "z-plus": lrp.ZPlus(),
    "w-square": lrp.WSquare(),
    "flat": lrp.Flat(),
    "epsilon, bias spread": lrp.Epsilon(1e-3, bias="spread"),
    "gamma, bias shared": lrp.Gamma(0.25, bias="share"),
}
GATED = ("LSTM", "GRU", "highway", "attention")


def total(a: lrp.Attribution) -> torch.Tensor:
    return torch.stack([entry.abs() for entry in a.ledger.values()]).sum(0).clamp(min=a.score.abs())


def check(name: str, rule: lrp.Rule, gates: str, dtype: torch.dtype, tolerance: float) -> lrp.Attribution:
    module = zoo.build(name, dtype)
    ids, lengths = zoo.batch()
    a = lrp.attribute(module, ids, lengths, target=1, composite=lrp.Composite(default=rule), gates=gates)
    assert torch.isfinite(a.tokens).all()
    assert (a.residual.abs() <= tolerance * total(a)).all()
    for layer in a.layers.values():
        gap = (layer.relevance_out - layer.relevance_in - layer.absorbed).abs()
        assert (
            gap <= tolerance * (layer.relevance_out.abs() + layer.relevance_in.abs() + layer.absorbed.abs() + total(a))
        ).all()
    return a


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", zoo.MODELS)
def test_it_closes_for_every_layer_and_rule(name: str, rule: str) -> None:
    check(name, RULES[rule], "all", torch.float64, 1e-10)


@pytest.mark.parametrize("gates", lrp.GATES)
@pytest.mark.parametrize("name", [name for name in zoo.MODELS if name.startswith(GATED)])
def test_it_closes_for_every_gate_rule(name: str, gates: str) -> None:
    for rule in ("epsilon", "gamma"):
        check(name, RULES[rule], gates, torch.float64, 1e-10)


@pytest.mark.parametrize("name", zoo.MODELS)
def test_it_closes_in_single_precision(name: str) -> None:
    check(name, RULES["epsilon"], "all", torch.float32, 1e-5)


@pytest.mark.parametrize("name", ["dense mean", "conv", "LSTM packed mean", "GRU bi packed last", "RNN deep", "LSTM by hand"])
def test_without_biases_and_stabilisers_words_carry_the_whole_score(name: str) -> None:
    module = zoo.build(name)
    for key, parameter in module.named_parameters():
        if "bias" in key:
            parameter.data.zero_()
    ids, lengths = zoo.batch()
    for rule in (lrp.Zero(), lrp.Epsilon(1e-13)):
        a = lrp.attribute(module, ids, lengths, composite=lrp.Composite(default=rule))
        torch.testing.assert_close(a.ledger["words"] + a.ledger["padding"], a.score, rtol=1e-9, atol=1e-11)


def test_the_five_entries_are_always_there_and_no_other_unless_something_is_lost() -> None:
    a = check("dense mean", lrp.Epsilon(1e-3), "all", torch.float64, 1e-10)
    assert list(a.ledger) == ["words", "bias", "stabiliser", "initial_state", "padding"]


def test_what_alpha_beta_cannot_place_is_an_entry_of_its_own() -> None:
    module = zoo.build("dense mean")
    module.head[2].weight.data.abs_()  # after a ReLU, all contributions are positive: −β R finds no taker
    module.head[2].bias.data.zero_()
    module.out.weight.data.abs_()
    module.out.bias.data.zero_()
    ids, lengths = zoo.batch()
    a = lrp.attribute(module, ids, lengths, composite=lrp.Composite(default=lrp.AlphaBeta(2.0, 1.0)))
    assert (a.ledger["rule"] != 0).all()
    assert (a.residual.abs() < 1e-10).all()


def test_what_the_zero_gate_rule_drops_is_an_entry_of_its_own() -> None:
    a = check("LSTM packed last", lrp.Epsilon(1e-3), "zero", torch.float64, 1e-10)
    assert (a.ledger["gates"] != 0).all()


def test_initial_states_take_their_part() -> None:
    a = check("LSTM packed time first, with state", lrp.Epsilon(1e-3), "all", torch.float64, 1e-10)
    assert (a.ledger["initial_state"] != 0).all()


def test_what_reaches_padding_is_booked_and_taken_from_the_tokens() -> None:
    a = check("LSTM bi padded mean", lrp.Epsilon(1e-3), "all", torch.float64, 1e-10)
    _, lengths = zoo.batch()
    padding = torch.arange(a.tokens.shape[1]) >= lengths[:, None]
    assert (a.tokens[padding] == 0).all()
    assert (a.ledger["padding"][lengths < a.tokens.shape[1]] != 0).all()
    torch.testing.assert_close(a.tokens.sum(1), a.ledger["words"])


def test_an_embedding_hands_all_it_gets_to_the_words() -> None:
    a = check("dense mean", lrp.Epsilon(1e-3), "all", torch.float64, 1e-10)
    torch.testing.assert_close(a.layers["embedding"].relevance_in, a.ledger["words"])
    torch.testing.assert_close(a.layers["out"].relevance_out, a.score)
    torch.testing.assert_close(a.layers["head.2"].relevance_out, a.layers["out"].relevance_in)
