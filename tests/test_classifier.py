"""TextClassifier: scikit-learn's interface, explanations of batches, bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import textlrp
from textlrp.errors import CheckpointError, InputError, TrainingError, UnknownNameError
from textlrp.explanation import Explanation

GOOD, BAD = ["fine", "warm", "sharp", "lovely"], ["dull", "flat", "weak", "tired"]
TEXTS = [f"a {a} and {b} film" for side in (GOOD, BAD) for a in side for b in side] * 3
LABELS = (["good"] * 16 + ["bad"] * 16) * 3


def quick(arch: str = "dense", **changes: object) -> textlrp.TextClassifier:
    return textlrp.TextClassifier(arch, **{"epochs": 25, "learning_rate": 0.02, "device": "cpu", **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def fitted() -> textlrp.TextClassifier:
    return quick().fit(TEXTS, LABELS)


@pytest.fixture(scope="module", params=["imdb-dense", "imdb-lstm"])
def bundled(request: pytest.FixtureRequest) -> textlrp.TextClassifier:
    return textlrp.load(request.param)


def test_clone_keeps_the_parameters_and_forgets_the_weights(fitted: textlrp.TextClassifier) -> None:
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "module_")


def test_scikit_learn_takes_it_for_a_classifier() -> None:
    assert is_classifier(quick())


def test_cross_validation_works() -> None:
    assert cross_val_score(quick(), TEXTS, LABELS, cv=2).mean() > 0.9


def test_cross_validation_by_probabilities_works() -> None:
    assert cross_val_score(quick(), TEXTS, LABELS, cv=2, scoring="roc_auc").mean() > 0.9


def test_it_is_the_last_step_of_a_pipeline() -> None:
    lower = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    assert make_pipeline(lower, quick()).fit(TEXTS, LABELS).score(TEXTS, LABELS) > 0.9


def test_a_grid_over_its_parameters_is_searched() -> None:
    search = GridSearchCV(quick(), {"learning_rate": [1e-6, 0.02]}, cv=2).fit(TEXTS, LABELS)
    assert search.best_params_ == {"learning_rate": 0.02}


def test_labels_that_are_numbers_come_back_as_numbers() -> None:
    classifier = quick().fit(TEXTS, [int(label == "good") for label in LABELS])
    assert classifier.classes_ == [0, 1]
    assert classifier.predict(["a fine film"]).tolist() == [1]


def test_a_saved_classifier_predicts_the_same(fitted: textlrp.TextClassifier, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    again = textlrp.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(TEXTS), fitted.predict_proba(TEXTS))
    assert again.classes_ == ["bad", "good"]


@pytest.mark.parametrize("arch", ["dense", "lstm", "gru", "cnn"])
def test_every_architecture_is_trained_explained_and_its_ledger_closes(arch: str) -> None:
    classifier = quick(arch, epochs=4).fit(TEXTS, LABELS)
    e = classifier.explain("a warm and weak film", target="good")
    assert sum(e.ledger.values()) == pytest.approx(e.score, rel=1e-4, abs=1e-5)
    assert e.relevance.sum() == pytest.approx(e.ledger["words"], rel=1e-4, abs=1e-5)


def test_an_untrained_classifier_says_so() -> None:
    with pytest.raises(NotFittedError, match="call fit"):
        quick().predict(["x"])


def test_one_class_is_no_task() -> None:
    with pytest.raises(TrainingError, match="class"):
        quick().fit(TEXTS, ["good"] * len(TEXTS))


@pytest.mark.parametrize("wrong", ["one text", ["fine", None], [b"fine"]])
def test_what_is_no_list_of_texts_is_refused(fitted: textlrp.TextClassifier, wrong: object) -> None:
    with pytest.raises(InputError):
        fitted.predict(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("device", "told"),
    [
        ("nosuch", "unknown device 'nosuch'; for example 'cpu', 'cuda'"),
        ("", "unknown device ''"),
        ("cuda", "there is no device 'cuda' on this machine"),
        ("cuda:1", "there is no device 'cuda:1'"),
        ("meta", "there is no device 'meta'"),
    ],
)
def test_a_device_that_is_not_here_is_refused(device: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match=told):
        quick(device=device).fit(TEXTS, LABELS)


def test_a_gpu_beyond_the_last_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(InputError, match="there is no device 'cuda:1'"):
        quick(device="cuda:1").fit(TEXTS, LABELS)


def test_labels_and_texts_must_agree_in_number() -> None:
    with pytest.raises(InputError, match="one label a text"):
        quick().fit(TEXTS, LABELS[:-1])


def test_an_unknown_parameter_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="learning_rate"):
        quick().set_params(learning_rat=1)


def test_no_texts_have_no_predictions(fitted: textlrp.TextClassifier) -> None:
    assert fitted.predict_proba([]).shape == (0, 2)
    assert fitted.explain_many([]) == []


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        textlrp.load(tmp_path)


def test_classes_of_the_bundled_models(bundled: textlrp.TextClassifier) -> None:
    assert bundled.classes_ == ["negative", "positive"]


def test_the_module_gives_the_logits_that_are_explained(bundled: textlrp.TextClassifier) -> None:
    text = "a warm and funny film , if a little long ."
    e = bundled.explain(text, target="positive")
    assert e.score == pytest.approx(float(bundled.logits([text])[0, 1]), rel=1e-5, abs=1e-5)


def test_the_ledger_closes_on_the_bundled_reviews(bundled: textlrp.TextClassifier) -> None:
    for e in bundled.explain_many(textlrp.load_reviews("bundled")["text"][:40], target="margin"):
        scale = max(1.0, *(abs(value) for value in e.ledger.values()))
        assert sum(e.ledger.values()) == pytest.approx(e.score, abs=1e-5 * scale * 3)


def test_tokens_are_the_text_as_written(bundled: textlrp.TextClassifier) -> None:
    text = "DON'T!<br /><br />It&amp;s   7/10 😀"
    e = bundled.explain(text)
    assert [text[t.start : t.end] for t in e.tokens] == [t.text for t in e.tokens]


def test_many_are_explained_as_one_by_one_in_their_order(bundled: textlrp.TextClassifier) -> None:
    texts = ["fine", "", "a dull, dull film that I did not like at all", "no word known: qwxz zxqw"] * 2
    many = bundled.explain_many(texts, batch_size=3)
    for text, e in zip(texts, many, strict=True):
        alone = bundled.explain(text)
        assert e.text == text
        np.testing.assert_allclose(e.relevance, alone.relevance, atol=1e-6 * max(1, np.abs(alone.relevance).max(initial=0)))


def test_a_stream_is_explained_lazily(bundled: textlrp.TextClassifier) -> None:
    stream = bundled.explain_stream(iter(["fine"] * 3))
    assert isinstance(next(stream), Explanation)


def test_the_margin_is_positive_minus_negative(bundled: textlrp.TextClassifier) -> None:
    text = "a wonderful film"
    logits = bundled.logits([text])[0]
    e = bundled.explain(text, target="margin")
    assert e.target == "positive - negative"
    assert e.score == pytest.approx(float(logits[1] - logits[0]), rel=1e-4)


def test_an_empty_text_is_explained_by_its_bias_alone(bundled: textlrp.TextClassifier) -> None:
    e = bundled.explain("")
    assert e.tokens == ()
    assert e.ledger["words"] == 0
    assert sum(e.ledger.values()) == pytest.approx(e.score, abs=1e-5)


def test_a_very_long_text_is_read_to_its_limit(bundled: textlrp.TextClassifier) -> None:
    text = "good " * 100_000
    e = bundled.explain(text)
    assert len(e.tokens) == (bundled.config_.max_tokens or 100_000)
    assert e.truncated == (bundled.config_.max_tokens is not None)
