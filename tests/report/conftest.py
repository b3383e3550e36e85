"""A small classifier of three classes and a bundled one of two, with texts full of hostile pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import textlrp
from textlrp.classifier import TextClassifier
from textlrp.report.write import Report, report

HOSTILE = (
    "<script>document.title='run'</script>",
    '<img src=x onerror="document.title=1">',
    "{{ 7*7 }} {% raw %}",
    "</style></script><b>bold",
    "\x00 nul \ud800 half \u202e turned",
    "javascript:alert(1) <a href='javascript:alert(1)'>x</a>",
    '" onmouseover="alert(1)',
    "]]> <!-- --> &lt;script&gt;",
)


@pytest.fixture(scope="session")
def hostile() -> tuple[TextClassifier, list[str], list[int]]:
    """Three classes with hostile names, trained on hostile texts."""
    names = ["<b>good</b>", 'bad & "worse"', "so-so {{ 7*7 }}"]
    words = [["fine", "warm"], ["dull", "flat"], ["plain", "middling"]]
    random = np.random.default_rng(0)
    texts, labels = [], []
    for i in range(120):
        label = i % 3
        chosen = [*random.choice(words[label], size=6).tolist(), HOSTILE[i % len(HOSTILE)]]
        texts.append(" ".join([*chosen, "a film, of 7/10 and 1999, says Hanks to Hanks"]))
        labels.append(label)
    classifier = TextClassifier("dense", epochs=8, seed=0).fit(texts, [names[label] for label in labels])
    order = [classifier.classes_.index(name) for name in names]
    truth = [order[label] for label in labels]
    wrong = [(label + (i % 10 == 0)) % 3 for i, label in enumerate(truth)]  # a tenth has another label
    return classifier, texts, wrong


@pytest.fixture(scope="session")
def hostile_report(hostile: tuple[TextClassifier, list[str], list[int]], tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The report on it, with training texts, so that every section is there."""
    classifier, texts, labels = hostile
    out = tmp_path_factory.mktemp("report") / "report.html"
    return report(classifier, texts, labels, out, data="<i>mine</i>.csv", training=(texts, labels), command="<u>command</u>")


@pytest.fixture(scope="session")
def bundled_report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The report on the bundled reviews."""
    reviews = textlrp.load_reviews("bundled")
    out = tmp_path_factory.mktemp("bundled") / "report.html"
    path: Path = out
    return report(textlrp.load("imdb-dense"), reviews["text"], reviews["label"][:], path, data="bundled")
