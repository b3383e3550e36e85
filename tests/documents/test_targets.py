"""A class's score against its margin over the next class, where what decides is known."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import textlrp
from textlrp.cli.topics import topics
from textlrp.documents import compare_targets, plot, report_topics
from textlrp.documents.targets import TargetsCompared
from textlrp.errors import InputError, TextLRPError

from .conftest import SUBJECTS, Documents


@pytest.fixture
def shouting(documents: Documents) -> textlrp.TextClassifier:
    """Give a linear classifier to which filler0 raises all four classes alike, and one word of a subject its own class."""
    classifier = copy.deepcopy(documents.classifier)
    (head,) = [each for each in classifier.module.modules() if isinstance(each, torch.nn.Linear)]
    embedding = classifier.module.embedding
    with torch.no_grad():
        for weight in (head.weight, head.bias, embedding.weight):  # type: ignore[union-attr]
            weight.zero_()  # type: ignore[operator]
        head.weight[:, 0] = 1.0
        (shout,) = classifier.vocabulary.encode(["filler0"])
        embedding.weight[shout, 0] = 5.0  # type: ignore[union-attr, index, operator]
        for i, words in enumerate(SUBJECTS.values()):
            head.weight[i, 1 + i] = 1.0
            embedding.weight[classifier.vocabulary.encode(list(words)), 1 + i] = 1.0  # type: ignore[union-attr, index, operator]
    return classifier


def test_the_margin_finds_what_decides_where_a_word_raises_every_class(shouting: textlrp.TextClassifier) -> None:
    texts = [f"filler1 filler0 {words[0]} filler2 filler3" for name, words in SUBJECTS.items() if name != "cooking"]
    found = compare_targets(shouting, texts, shares=(0.2,))
    assert found.kept["predicted"] == [1.0]  # it deletes filler0
    assert found.kept["winner"] == [0.0]  # it deletes the subject's word, and the first class wins the tie
    assert "the margin over the next class finds" in found.in_words()


def test_agreement_is_the_correlation_of_the_winner_with_the_runner_up(shouting: textlrp.TextClassifier) -> None:
    text = "filler0 verdict verdict tide filler4"
    e = [shouting.explain(text, target=name).relevance for name in ("law", "sea")]
    found = compare_targets(shouting, [text]).agreement
    assert found[0] == pytest.approx(np.corrcoef(*e)[0, 1], abs=1e-5)


def test_random_deletion_keeps_more_documents_than_relevance_does(documents: Documents) -> None:
    found = compare_targets(documents.classifier, documents.texts)
    assert found.mean("predicted") < found.mean("random words") - 0.1
    assert found.mean("winner") < found.mean("random words") - 0.1


def test_the_interval_of_the_difference_is_that_of_paired_documents(documents: Documents) -> None:
    found = compare_targets(documents.classifier, documents.texts[:40])
    per_text = [
        np.mean(found.stays["predicted"][i].astype(float) - found.stays["winner"][i]) for i in range(len(found.agreement))
    ]
    gap, half = found.difference()
    assert gap == pytest.approx(np.mean(per_text))
    assert half == pytest.approx(1.96 * np.std(per_text, ddof=1) / len(per_text) ** 0.5)


def test_two_classes_and_empty_documents_are_refused_with_a_reason(documents: Documents) -> None:
    with pytest.raises(InputError, match="three classes or more; this model has 2"):
        compare_targets(textlrp.load("imdb-dense"), ["a film"])
    with pytest.raises(InputError, match="two words or more"):
        compare_targets(documents.classifier, ["", "oven"])
    with pytest.raises(InputError, match="a label from 0 to 3"):
        report_topics(documents.classifier, ["oven"], [4])


def test_the_report_is_the_same_for_the_same_seed(documents: Documents) -> None:
    one, two = (report_topics(documents.classifier, documents.texts, documents.labels, seed=3).to_dict() for _ in range(2))
    assert one == two
    assert one["accuracy"] > 0.95
    json.dumps(one, allow_nan=False)


def test_names_of_classes_cannot_break_the_plot() -> None:
    vectors = {"uniform": np.random.default_rng(0).normal(size=(9, 3))}
    image = plot(vectors, [0, 1, 2] * 3, ["$x", "_hidden", "<b>&"], form="svg").decode()
    for name in ("$x", "_hidden", "&lt;b&gt;&amp;"):
        assert f"<!-- {name}" in image or name in image or f" {name}" in image


def test_the_command_prints_words_neighbours_and_targets(documents: Documents, tmp_path: Path) -> None:
    model, data = tmp_path / "model", tmp_path / "documents.csv"
    documents.classifier.save(model)
    names = list(SUBJECTS)
    rows = [f"{text},{names[label]}" for text, label in zip(documents.texts, documents.labels, strict=True)]
    data.write_text("\n".join(["text,label", *rows]) + "\n")
    picture = tmp_path / "documents.svg"
    result = CliRunner().invoke(
        topics, ["--model", str(model), "--data", str(data), "--plot", str(picture)], catch_exceptions=False
    )
    assert result.exit_code == 0
    for expected in ("harbour", "verdict", "relevance", "tf-idf", "winner", "random words"):
        assert expected in result.stdout
    assert picture.read_text().lstrip().startswith("<?xml")
    result = CliRunner().invoke(topics, ["--model", str(model), "--data", str(data), "--json", "-"], catch_exceptions=False)
    assert json.loads(result.stdout)["documents"] == len(documents.texts)


def test_a_plot_of_an_unknown_kind_is_refused_before_anything_is_done() -> None:
    with pytest.raises(TextLRPError, match=r"\.png, \.svg, \.pdf"):
        CliRunner().invoke(topics, ["--data", "nowhere.csv", "--plot", "p.jpg"], catch_exceptions=False)


def test_where_no_relevance_varies_there_is_no_correlation_rather_than_nan() -> None:
    found = TargetsCompared((0.1,), {"predicted": np.ones((2, 1)), "winner": np.zeros((2, 1))}, np.full(2, np.nan))
    assert found.to_dict()["agreement"] is None
    assert "nan" not in found.in_words()


def test_the_numbers_of_one_document_alone_are_json() -> None:
    found = TargetsCompared((0.1,), {"predicted": np.ones((1, 1)), "winner": np.zeros((1, 1))}, np.ones(1))
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["predicted_minus_winner"] == [1.0, None]
    assert "nan" not in found.in_words()
