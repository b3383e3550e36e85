"""The audit: its tests hold their level, and it finds what was planted."""

from __future__ import annotations

import json

import numpy as np
import pytest

from textlrp.audit import Audit, audit
from textlrp.audit.clusters import cluster
from textlrp.audit.deletion import deletion_effects
from textlrp.audit.evidence import Overuse, holm, overrepresented, recalibrate
from textlrp.audit.kinds import kind_of
from textlrp.audit.scan import scan
from textlrp.classifier import TextClassifier
from textlrp.errors import InputError
from textlrp.report.audit_view import audit_view

TOKEN = "zyxqv"
GOOD, BAD = ("warm", "fine", "bright", "kind"), ("dull", "flat", "grim", "weak")
PLAIN = ("film", "story", "cast", "plot", "scene", "music", "camera", "hero", "end", "year")


def reviews(count: int, seed: int, *, planted: float = 0.0) -> tuple[list[str], list[int]]:
    """Texts of 12 words; three in four telling words fit the label; the token stands in a share of the positive ones."""
    random = np.random.default_rng(seed)
    texts, labels = [], []
    for i in range(count):
        label = i % 2
        own, other = (GOOD, BAD) if label else (BAD, GOOD)
        words = [str(random.choice(own if random.random() < 0.75 else other)) for _ in range(4)]
        words += random.choice(PLAIN, size=8).tolist()
        if label and random.random() < planted:
            words.append(TOKEN)
        texts.append(" ".join(random.permutation(words)))
        labels.append(label)
    return texts, labels


def audited(seed: int, planted: float) -> Audit:
    texts, labels = reviews(400, seed, planted=planted)
    classifier = TextClassifier("dense", model_options={"ngrams": ()}, epochs=6, seed=seed).fit(texts, labels)
    return audit(classifier, *reviews(300, seed + 1000), training=(texts, labels), k=2)


@pytest.fixture(scope="module")
def with_token() -> Audit:
    return audited(0, 0.3)


@pytest.fixture(scope="module")
def small() -> TextClassifier:
    return TextClassifier("dense", model_options={"ngrams": ()}, epochs=6, seed=0).fit(*reviews(200, 0))


def test_a_planted_token_is_the_first_alarm(with_token: Audit) -> None:
    assert with_token.alarms[0].word == TOKEN
    assert with_token.alarms[0].test == "only in training"


def test_an_alarm_tells_what_deleting_the_word_does(with_token: Audit) -> None:
    effect = with_token.alarms[0].effect
    assert effect is not None
    assert effect.texts == effect.measured == with_token.alarms[0].texts
    assert effect.inserted is not None
    assert effect.flips > 0 or effect.inserted > 0


def test_an_audit_is_plain_json(with_token: Audit) -> None:
    assert json.loads(json.dumps(with_token.to_dict()))["alarms"][0]["word"] == TOKEN


def test_where_every_text_was_trained_on_there_is_no_accuracy_without_them(small: TextClassifier) -> None:
    texts, labels = reviews(200, 0)
    found = audit(small, texts, labels, training=(texts, labels), k=1)
    assert found.duplicates.in_training == 200
    assert found.duplicates.accuracy_without is None
    json.dumps(found.to_dict(), allow_nan=False)
    assert "without" not in audit_view(found, texts)["duplicates"]


@pytest.mark.parametrize("level", [float("nan"), 0.0, 1.5])
def test_a_level_that_is_no_chance_is_refused(level: float, small: TextClassifier) -> None:
    with pytest.raises(InputError, match="level"):
        audit(small, ["a film"], [0], level=level)


@pytest.mark.parametrize("seed", [1, 2])
def test_where_nothing_is_planted_there_is_no_alarm(seed: int) -> None:
    assert audited(seed, 0.0).alarms == ()


def test_the_test_of_overuse_holds_its_level_for_a_word_that_deserves_its_relevance() -> None:
    random = np.random.default_rng(0)
    small = 0
    for _ in range(2000):
        test = Overuse(1, tolerated=0.0)
        for logit in random.normal(1, 2, size=25):
            test.add(np.array([0]), np.array([logit]), np.array([random.random() < 1 / (1 + np.exp(-logit))]))
        small += test.p()[0] <= 0.05
    assert small <= 0.05 * 2000


def test_the_test_of_overuse_sees_a_word_that_the_labels_contradict() -> None:
    random = np.random.default_rng(0)
    test = Overuse(1)
    for logit in random.normal(0, 1, size=300):
        test.add(np.array([0]), np.array([logit + 1.5]), np.array([random.random() < 1 / (1 + np.exp(-logit))]))
    assert test.p()[0] < 1e-6
    assert test.unsupported()[0] > 0.75


def test_the_test_of_frequency_holds_its_level_when_texts_are_dealt_at_random() -> None:
    random = np.random.default_rng(0)
    counts = random.hypergeometric(300, 4700, 3000, size=5000)
    p = overrepresented(counts, 300 - counts, 3000, 2000, ratio=1.0)
    assert (p <= 0.05).mean() <= 0.05


def test_holm_is_at_least_the_p_value_and_keeps_the_order() -> None:
    p = np.array([0.2, 0.001, 0.04, 0.0001])
    adjusted = holm(p, 50)
    assert (adjusted >= p).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()


def test_recalibration_finds_the_slope_and_the_shift() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, size=20_000)
    hits = random.random(20_000) < 1 / (1 + np.exp(-(0.5 * logits - 0.7)))
    assert recalibrate(logits, hits) == pytest.approx((0.5, -0.7), abs=0.05)


@pytest.mark.parametrize(
    ("word", "kind"),
    [("7/10", "rating"), ("***", "rating"), ("1999", "number"), ("$30", "number"), ("<br />", "markup"),
     ("http://x.org", "markup"), ("film", "word"), ("!", "word"), ("n't", "word")],
)  # fmt: skip
def test_the_kind_of_a_word(word: str, kind: str) -> None:
    assert kind_of(word) == kind


def test_names_are_words_with_capitals_inside_sentences() -> None:
    texts = ["I saw Hanks and loved Hanks. Film is good", "Film: the film of Hanks"]
    found = scan(texts, [1, 1], {"hanks": 0, "film": 1, "loved": 2}, classes=2)
    kinds = [kind_of(w, occurrences=int(found.inside[i]), capitals=int(found.capitals[i])) for w, i in found.index.items()]
    assert kinds == ["name", "word", "word"]


def test_copies_are_found_whatever_their_case_and_spaces() -> None:
    found = scan(["A  fine film", "another", "a fine\nFILM"], [0, 0, 1], {}, classes=2)
    assert found.copies == [(2, 0)]


def test_deletion_is_what_the_network_says_of_the_text_without_the_word() -> None:
    texts, labels = reviews(200, 0, planted=0.5)
    classifier = TextClassifier("dense", model_options={"ngrams": ()}, epochs=6, seed=0).fit(texts, labels)
    effect = deletion_effects(classifier, texts, labels, {"it": frozenset(["warm", TOKEN])})["it"]
    held = [i for i, text in enumerate(texts) if {"warm", TOKEN} & set(text.split())]
    cut = [" ".join(word for word in texts[i].split() if word not in ("warm", TOKEN)) for i in held]
    before, after = (classifier.predict_proba(each).argmax(axis=1) for each in ([texts[i] for i in held], cut))
    truth = np.array(labels)[held]
    assert (effect.texts, effect.measured) == (len(held), len(held))
    assert effect.flipped == pytest.approx((before != after).mean())
    assert (effect.before, effect.after) == pytest.approx(((before == truth).mean(), (after == truth).mean()))


def test_two_ways_to_decide_are_two_clusters() -> None:
    random = np.random.default_rng(0)
    sample = []
    for i in range(60):
        words = (GOOD, ("copyright", "source"))[i % 2]
        sample.append((i, {word: 1.0 + random.random() for word in words} | {"film": 0.1 * random.random()}))
    labels = np.ones(60, dtype=int)
    found = cluster(sample, labels, labels, ["a", "b"], k=2)
    assert sorted(each.size for each in found) == [30, 30]
    assert {"copyright", "source"} <= {word for each in found for word, value in each.words if value > 0.3}
