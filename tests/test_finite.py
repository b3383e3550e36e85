"""Numbers that overflow or become NaN: an error that names the text, never a probability or a colour."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

import textlrp
from textlrp.errors import NumericalError
from textlrp.finite import check_finite
from textlrp.highlight.flow import Flow, FlowLayer


@pytest.fixture
def overflowing() -> textlrp.TextClassifier:
    """A classifier whose logits overflow on texts with "huge", and nowhere else."""
    classifier = textlrp.load("imdb-dense")
    with torch.no_grad():
        weights = dict(classifier.module.named_parameters())
        weights["embedding.weight"][classifier.vocabulary["huge"]] = 3e38
        weights["head.output.weight"] *= 1e3
    return classifier


def test_finite_rows_pass() -> None:
    check_finite("logits", np.zeros((3, 2)))
    check_finite("logits", np.zeros((0, 2)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_error_names_the_texts_by_their_ids(bad: float) -> None:
    values = np.zeros((4, 3, 2))
    values[1, 2, 0] = values[3, 0, 1] = bad
    with pytest.raises(NumericalError, match=r"relevance of texts 'b', 'd' are not finite") as found:
        check_finite("relevance", values, texts=["a", "b", "c", "d"])
    assert found.value.texts == (1, 3)


def test_rows_of_a_batch_are_named_by_their_places_in_the_whole() -> None:
    with pytest.raises(NumericalError, match="text 70 ") as found:
        check_finite("scores", np.array([0.0, np.inf]), places=np.array([12, 70]))
    assert found.value.texts == (70,)


def test_a_thousand_bad_texts_make_a_short_message() -> None:
    with pytest.raises(NumericalError, match="4 and 995 more") as found:
        check_finite("scores", np.full(1000, np.nan))
    assert len(str(found.value)) < 300
    assert len(found.value.texts) == 1000


def test_the_error_passes_from_one_process_to_another() -> None:
    error = pickle.loads(pickle.dumps(NumericalError("no", [3])))
    assert (str(error), error.texts) == ("no", (3,))


def test_a_prediction_that_overflows_names_its_text(overflowing: textlrp.TextClassifier) -> None:
    with pytest.raises(NumericalError, match="logits of text 1 ") as found:
        overflowing.predict_proba(["a fine film", "a huge film", "dull"])
    assert found.value.texts == (1,)
    assert np.isfinite(overflowing.predict_proba(["a fine film", "dull"])).all()


def test_an_explanation_that_overflows_names_its_text(overflowing: textlrp.TextClassifier) -> None:
    texts = ["a fine film", "a long and dull film", "a huge film", "dull"]
    with pytest.raises(NumericalError, match=" of text 2 are not finite") as found:
        overflowing.explain_many(texts)
    assert found.value.texts == (2,)
    assert len(overflowing.explain_many(texts[:2])) == 2


def test_a_text_is_named_by_its_place_in_the_whole_stream(
    overflowing: textlrp.TextClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("textlrp.classifier.WINDOW", 4)
    stream = overflowing.explain_stream(["fine"] * 10 + ["huge"], batch_size=2)
    with pytest.raises(NumericalError, match="text 10 "):
        list(stream)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_no_flow_is_drawn_of_numbers_that_are_not_finite(bad: float) -> None:
    for flow in (
        lambda: Flow("p", bad, ()),
        lambda: Flow("p", 1.0, (FlowLayer("lstm", 1.0, bad, 0.0),)),
        lambda: Flow("p", 1.0, (FlowLayer("lstm", 1.0, 1.0, 0.0, ((0.5, bad),)),)),
        lambda: Flow("p", 1.0, (), ledger={"words": bad}),
    ):
        with pytest.raises(NumericalError, match="no picture"):
            flow()


def test_a_flow_that_overflows_is_an_error(overflowing: textlrp.TextClassifier) -> None:
    from textlrp.tracing import trace

    with pytest.raises(NumericalError):
        trace(overflowing, "a huge film")


def test_a_server_says_which_text_overflows(overflowing: textlrp.TextClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fastapi")
    from textlrp.server import answers
    from textlrp.server.problems import Problem
    from textlrp.server.schemas import ExplainRequest, PredictRequest
    from textlrp.server.settings import Settings
    from textlrp.server.shelf import Shelf

    shelf = Shelf(["imdb-dense"])
    monkeypatch.setattr(shelf, "get", lambda name: overflowing)
    for ask, request in (
        (answers.predict, PredictRequest(texts=["fine", "a huge film"])),
        (answers.explain, ExplainRequest(text="a huge film")),
    ):
        with pytest.raises(Problem) as found:
            ask(shelf, Settings(), request)
        assert found.value.status == 422
        assert "not finite numbers" in found.value.detail


def test_relevance_that_grows_beyond_all_bounds_is_laid_to_the_rules_not_to_the_model() -> None:
    lstm, review = textlrp.load("imdb-lstm"), max(textlrp.load_reviews("bundled")["text"], key=len)
    with pytest.raises(
        NumericalError, match=r"gate rule 'prop' divides by sums that may all but vanish.*use gates='all' or 'abs'"
    ):
        lstm.explain(review, gates="prop")
    assert np.isfinite(lstm.explain(review, gates="abs").relevance).all()
