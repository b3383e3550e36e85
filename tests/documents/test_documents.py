"""Document vectors, their neighbours, and the words of classes, against literal versions of their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import textlrp
from textlrp import lrp
from textlrp.documents import class_words, document_vectors, neighbours
from textlrp.errors import InputError, UnknownNameError

from .conftest import SUBJECTS, Documents


def weights(documents: Documents) -> np.ndarray:  # [V,E]
    return documents.classifier.module.embedding.weight.detach().double().numpy()  # type: ignore[union-attr, operator]


def ids(documents: Documents, text: str) -> list[int]:
    return documents.classifier.vocabulary.encode(text.split()).tolist()


def test_a_relevance_vector_is_the_sum_of_word_vectors_times_relevances(documents: Documents) -> None:
    texts = documents.texts[:5]
    table = weights(documents)
    for text, found in zip(texts, document_vectors(documents.classifier, texts), strict=True):
        relevance = documents.classifier.explain(text).relevance
        literal = sum(r * table[i] for r, i in zip(relevance, ids(documents, text), strict=True))
        np.testing.assert_allclose(found, literal, atol=1e-6)


def test_an_element_vector_of_a_linear_model_is_its_literal_formula(documents: Documents) -> None:
    texts = documents.texts[:5]
    table = weights(documents)
    found = document_vectors(documents.classifier, texts, weighting="elements", rule=lrp.Zero())
    (head,) = [each for each in documents.classifier.module.modules() if type(each).__name__ == "Linear"]
    w = head.weight.detach().double().numpy()  # type: ignore[union-attr, operator]
    winners = documents.classifier.logits(texts).argmax(axis=1)
    for text, winner, vector in zip(texts, winners, found, strict=True):
        x = table[ids(documents, text)]  # [T,E]
        np.testing.assert_allclose(vector, (w[winner] * x / len(x) * x).sum(axis=0), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("model", ["imdb-gru", "imdb-cnn"])
def test_element_relevances_of_any_model_sum_to_those_of_words(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = textlrp.load(model)
    text = "Not a good film, but a warm one."
    table = classifier.module.embedding.weight
    with monkeypatch.context():
        saved = table.data.clone()
        plain = document_vectors(classifier, [text], weighting="elements")
        e = classifier.explain(text)
        assert np.isfinite(plain).all()
        assert (table.data == saved).all()  # type: ignore[union-attr]
    constant = table.data.clone()
    try:
        table.data.fill_(0.25)  # every word alike: then the vector's elements are 0.25 times the relevance of theirs
        vector = document_vectors(classifier, [text], weighting="elements")[0]
        relevance = classifier.explain(text).relevance
        assert vector.sum() == pytest.approx(0.25 * relevance.sum(), rel=1e-3, abs=1e-5)
    finally:
        table.data.copy_(constant)
    assert np.allclose(classifier.explain(text).relevance, e.relevance)


@pytest.mark.parametrize("model", ["imdb-dense", "imdb-lstm"])
def test_elements_of_a_model_that_reads_ngrams_beside_words_are_refused(model: str) -> None:
    with pytest.raises(InputError, match=r"n-grams beside words.*use 'relevance'"):
        document_vectors(textlrp.load(model), ["A warm film."], weighting="elements")


def test_uniform_and_tf_idf_vectors_are_their_literal_sums(documents: Documents) -> None:
    texts = documents.texts[:6]
    table, read = weights(documents), [ids(documents, text) for text in texts]
    uniform = document_vectors(documents.classifier, texts, weighting="uniform")
    weighed = document_vectors(documents.classifier, texts, weighting="tf-idf")
    for words, plain, idf in zip(read, uniform, weighed, strict=True):
        np.testing.assert_allclose(plain, sum(table[i] for i in words), atol=1e-9)
        share = {i: math.log((1 + len(texts)) / (1 + sum(i in other for other in read))) + 1 for i in words}
        np.testing.assert_allclose(idf, sum(share[i] * table[i] for i in words), atol=1e-9)


def test_a_text_without_words_has_the_vector_0(documents: Documents) -> None:
    for weighting in ("relevance", "elements", "tf-idf", "uniform"):
        assert not document_vectors(documents.classifier, ["", "oven"], weighting=weighting)[0].any()


def test_relevance_tells_documents_apart_and_noise_does_not(documents: Documents) -> None:
    power = {
        weighting: neighbours(
            document_vectors(documents.classifier, documents.texts, weighting=weighting), documents.labels
        ).power
        for weighting in ("relevance", "uniform")
    }
    random = neighbours(np.random.default_rng(0).normal(size=(160, 16)), documents.labels).power
    assert power["relevance"] > 0.95
    assert power["relevance"] >= power["uniform"] > random


def test_shuffled_relevance_makes_worse_vectors(documents: Documents) -> None:
    table, random = weights(documents), np.random.default_rng(0)
    shuffled = [
        random.permutation(e.relevance) @ table[ids(documents, e.text)]
        for e in documents.classifier.explain_many(documents.texts)
    ]
    true = neighbours(document_vectors(documents.classifier, documents.texts), documents.labels).power
    assert neighbours(np.array(shuffled), documents.labels).power < true - 0.2


def test_the_words_of_each_class_are_those_it_was_written_with(documents: Documents) -> None:
    found = class_words(documents.classifier.explain_many(documents.texts), min_texts=5)
    assert list(found) == list(SUBJECTS)
    for name, ranking in found.items():
        assert {each.word for each in ranking.top(3).positive} == set(SUBJECTS[name])


def test_neighbours_are_those_that_brute_force_finds() -> None:
    random = np.random.default_rng(3)
    x = random.normal(size=(40, 5))
    y = np.repeat([0, 1], 20)
    found = neighbours(x, y, k=(1, 3), splits=1, seed=5)
    from sklearn.model_selection import StratifiedShuffleSplit

    known, asked = next(StratifiedShuffleSplit(1, train_size=0.5, random_state=5).split(x, y))
    unit = [row / math.sqrt(sum(v * v for v in row)) for row in x]
    for place, k in enumerate((1, 3)):
        right = 0
        for i in asked:
            nearest = sorted(known, key=lambda j: math.dist(unit[i], unit[j]))[:k]
            right += (sum(y[j] for j in nearest) * 2 > k) == y[i]
        assert found.accuracy[place] == pytest.approx(right / len(asked))


@settings(max_examples=10, deadline=None)
@given(scale=st.floats(1e-3, 1e3))
def test_neighbours_look_at_directions_alone(scale: float) -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(30, 4)), np.repeat([0, 1, 2], 10)
    assert neighbours(x * scale, y, k=(3,), splits=2) == neighbours(x, y, k=(3,), splits=2)


def test_bad_input_is_refused_with_advice(documents: Documents) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'relevance'"):
        document_vectors(documents.classifier, ["a"], weighting="relevanc")
    with pytest.raises(InputError, match="n-grams"):
        document_vectors(textlrp.load("imdb-dense"), ["a"], weighting="elements")
    with pytest.raises(InputError, match="document 1 is not finite"):
        neighbours(np.array([[1.0], [np.nan]]), [0, 0])
    with pytest.raises(InputError, match="at least two documents"):
        neighbours(np.ones((3, 1)), [0, 0, 1])
    with pytest.raises(InputError, match=r"\[3, 1\] and \[2\]"):
        neighbours(np.ones((3, 1)), [0, 0])
