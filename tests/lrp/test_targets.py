"""Targets: classes by index and name, predicted, margins, weights, given relevance; one for all texts or one each."""

from __future__ import annotations

import pytest
import torch

from tests.lrp import zoo
from textlrp import lrp
from textlrp.errors import InputError, TextLRPError, UnknownNameError

CLASSES = ["bad", "so-so", "good"]


def explain(target: object, **options: object) -> lrp.Attribution:
    ids, lengths = zoo.batch()
    return lrp.attribute(zoo.build("LSTM bi packed mean"), ids, lengths, target=target, **options)  # type: ignore[arg-type]


def logits() -> torch.Tensor:
    ids, lengths = zoo.batch()
    with torch.no_grad():
        return zoo.build("LSTM bi packed mean")(ids, lengths)


def test_a_class_by_index_by_name_and_from_the_end() -> None:
    for target in (2, "good", -1, torch.tensor(2)):
        torch.testing.assert_close(explain(target, classes=CLASSES).score, logits()[:, 2])


def test_the_predicted_class_is_the_default() -> None:
    torch.testing.assert_close(explain("predicted").score, logits().max(1).values)
    ids, lengths = zoo.batch()
    torch.testing.assert_close(
        lrp.attribute(zoo.build("dense mean"), ids, lengths).score, zoo.build("dense mean")(ids, lengths).max(1).values.detach()
    )


@pytest.mark.parametrize("targets", [[0, 2, 1, 0], torch.tensor([0, 2, 1, 0]), ["bad", "good", "so-so", "bad"]])
def test_each_text_may_have_its_own(targets: object) -> None:
    one = explain(targets, classes=CLASSES)
    torch.testing.assert_close(one.score, logits()[torch.arange(4), torch.tensor([0, 2, 1, 0])])
    torch.testing.assert_close(one.tokens[1], explain(2).tokens[1])


def test_margins_are_differences_of_relevance() -> None:
    found = explain(lrp.Margin("good", "bad"), classes=CLASSES)
    torch.testing.assert_close(found.score, logits()[:, 2] - logits()[:, 0])
    torch.testing.assert_close(explain(lrp.Margin(2, 0)).tokens, found.tokens)


def test_the_winner_against_the_best_other() -> None:
    best = logits().topk(2, 1).values
    torch.testing.assert_close(explain("winner").score, best[:, 0] - best[:, 1])
    torch.testing.assert_close(explain("margin").score, best[:, 0] - best[:, 1])


def test_the_margin_of_two_classes_is_the_second_minus_the_first() -> None:
    module = torch.nn.Sequential(torch.nn.Embedding(9, 4), torch.nn.Flatten(), torch.nn.Linear(8, 2))
    ids = torch.tensor([[1, 2], [3, 4]])
    a = lrp.attribute(module, ids, target="margin")
    torch.testing.assert_close(a.score, (module(ids)[:, 1] - module(ids)[:, 0]).detach())


def test_any_weights_of_logits() -> None:
    weights = torch.tensor([0.5, -1.0, 2.0])
    for target in (
        lrp.Weights(weights),
        lrp.Weights([0.5, -1.0, 2.0]),
        weights.expand(4, 3),
        lambda z: weights.expand(z.shape),
    ):
        torch.testing.assert_close(explain(target).score, logits() @ weights.double())


def test_relevance_given_at_the_output() -> None:
    given = torch.zeros(4, 3, dtype=torch.float64)
    given[:, 1] = 1.0
    a = explain(lrp.Relevance(given), composite=lrp.Composite(default=lrp.Zero()))
    torch.testing.assert_close(a.score, torch.ones(4, dtype=torch.float64))
    torch.testing.assert_close(a.tokens, explain(1, composite=lrp.Composite(default=lrp.Zero())).tokens / logits()[:, 1:2])


def test_a_single_logit_may_have_no_axis_of_its_own() -> None:
    class One(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.out = torch.nn.Embedding(9, 4), torch.nn.Linear(4, 1)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.out(self.embedding(ids).mean(1)).squeeze(-1)

    module, ids = One(), torch.tensor([[1, 2], [3, 4]])
    a = lrp.attribute(module, ids, target=0)
    torch.testing.assert_close(a.score, module(ids).detach())
    assert (a.residual.abs() < 1e-6).all()


@pytest.mark.parametrize(
    ("target", "error", "says"),
    [
        (3, InputError, "class 3 is not among the 3"),
        ("god", UnknownNameError, "did you mean 'good'"),
        ("predictd", UnknownNameError, "predicted"),
        ([0, 1], InputError, "2 targets for 4 texts"),
        (1.5, InputError, "index or a name"),
        (True, InputError, "index or a name"),
        (torch.zeros(4, 5), InputError, "weights must be"),
        (lrp.Relevance(torch.zeros(2, 3)), InputError, "shape of the output"),
    ],
)
def test_wrong_targets_are_named(target: object, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says) as raised:
        explain(target, classes=CLASSES)
    assert isinstance(raised.value, TextLRPError)


def test_a_name_needs_the_classes() -> None:
    with pytest.raises(UnknownNameError, match="classes="):
        explain("good")
