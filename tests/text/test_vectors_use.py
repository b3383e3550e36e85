"""What is done with word vectors: coverage, the table of a model, training of one's own, and the real files."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textlrp.errors import EmbeddingError, InputError, UnknownNameError
from textlrp.text.vectors import coverage, covered_words, embedding_matrix, load_vectors, train_vectors, vector_of
from textlrp.text.vocabulary import Vocabulary


def vectors_of(**words: list[float]) -> Any:
    from gensim.models import KeyedVectors

    vectors = KeyedVectors(len(next(iter(words.values()))))
    vectors.add_vectors(list(words), np.array(list(words.values()), dtype=np.float32))
    return vectors


def test_coverage_counts_words_and_running_text() -> None:
    found = coverage(vectors_of(good=[1.0], film=[2.0]), {"good": 5, "film": 1, "flim": 3, "x": 1})
    assert (found.vocabulary_share, found.text_share) == (0.5, 0.6)
    assert found.missing == (("flim", 3), ("x", 1))


def test_coverage_of_nothing_is_nothing() -> None:
    found = coverage(vectors_of(good=[1.0]), {})
    assert (found.vocabulary_share, found.text_share, found.missing) == (0.0, 0.0, ())


def test_no_more_missing_words_than_asked_for() -> None:
    assert coverage(vectors_of(good=[1.0]), {"a": 1, "b": 1, "c": 2}, most_missing=2).missing == (("c", 2), ("a", 1))


@pytest.mark.parametrize("word", ["cliché", "london", "nasa"])
def test_a_word_is_found_without_accents_and_with_capitals(word: str) -> None:
    assert vector_of(vectors_of(cliche=[1.0], London=[1.0], NASA=[1.0]), word) is not None


def test_the_exact_spelling_comes_first() -> None:
    vector = vector_of(vectors_of(resume=[1.0], résumé=[2.0]), "résumé")
    assert vector is not None
    assert vector.tolist() == [2.0]


VOCABULARY = Vocabulary(["good", "film", "unheard"])


def test_covered_words_keep_their_vectors() -> None:
    matrix = embedding_matrix(VOCABULARY, vectors_of(film=[1.0, 2.0], good=[3.0, 4.0]), seed=0)
    assert matrix.dtype == np.float32
    assert matrix[2:4].tolist() == [[3.0, 4.0], [1.0, 2.0]]


def test_the_row_of_padding_is_zero() -> None:
    matrix = embedding_matrix(VOCABULARY, vectors_of(**{"<pad>": [1.0], "good": [2.0], "film": [3.0]}), seed=0)
    assert matrix[Vocabulary.PAD].tolist() == [0.0]


def test_the_unknown_entry_takes_the_vector_of_unk() -> None:
    matrix = embedding_matrix(VOCABULARY, vectors_of(**{"good": [1.0, 2.0], "<unk>": [7.0, 8.0]}), seed=0)
    assert matrix[Vocabulary.UNK].tolist() == [7.0, 8.0]


def test_covered_words_says_which_rows_are_not_random() -> None:
    covered = covered_words(VOCABULARY, vectors_of(good=[1.0], film=[2.0]))
    assert covered.tolist() == [False, False, True, True, False]


def test_other_words_are_random_with_the_spread_of_the_vectors() -> None:
    vocabulary = Vocabulary(["good", "bad", *(f"w{number}" for number in range(300))])
    matrix = embedding_matrix(vocabulary, vectors_of(good=[2.0] * 50, bad=[-2.0] * 50), seed=0)
    assert matrix[4:].std() == pytest.approx(2.0, rel=0.05)
    assert abs(matrix[4:].mean()) < 0.1


def test_the_seed_decides() -> None:
    vectors = vectors_of(good=[1.0, 2.0])
    one, same, other = (embedding_matrix(VOCABULARY, vectors, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_vectors_that_cover_nothing_give_a_random_table() -> None:
    matrix = embedding_matrix(VOCABULARY, vectors_of(nothing=[1.0, 2.0]), seed=0)
    assert np.isfinite(matrix).all()
    assert matrix[1:].any(axis=1).all()


def test_a_dimension_that_does_not_fit_is_refused() -> None:
    with pytest.raises(EmbeddingError, match="have 2 dimensions, the model 3"):
        embedding_matrix(VOCABULARY, vectors_of(good=[1.0, 2.0]), seed=0, dimension=3)


TEXTS = ["a good film with a good cast", "a bad film with a bad cast", "the cast is good, the film is bad"] * 20


@pytest.mark.parametrize("kind", ["word2vec", "fasttext"])
def test_training_again_gives_the_same_vectors(kind: str) -> None:
    one, two = (train_vectors(TEXTS, kind=kind, dimension=8, epochs=2, seed=3) for _ in range(2))
    assert "film" in one.key_to_index
    assert np.array_equal(one.vectors, two.vectors)


def test_fasttext_has_a_vector_for_a_word_of_known_parts() -> None:
    assert vector_of(train_vectors(TEXTS, kind="fasttext", dimension=8, epochs=1), "filmy") is not None


@pytest.mark.parametrize(
    ("texts", "options", "error", "message"),
    [
        (TEXTS, {"kind": "glove"}, UnknownNameError, "unknown kind of word vectors 'glove'"),
        (TEXTS, {"dimension": 0}, InputError, "dimension is 0"),
        ("a film", {}, InputError, "list of texts"),
        ([], {}, EmbeddingError, "no word is seen 5 times"),
        (["", " "], {}, EmbeddingError, "no word is seen 5 times"),
        (["rare words"], {}, EmbeddingError, "no word is seen 5 times"),
    ],
)
def test_training_on_too_little_is_refused(texts: Any, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        train_vectors(texts, **options)


@pytest.fixture(scope="module")
def glove(shared_data: Path) -> Any:
    return load_vectors(shared_data / "glove.imdb.100d.txt.gz")


def test_the_real_vectors_are_read_whole(glove: Any) -> None:
    assert glove.vectors.shape == (50_562, 100)
    assert (glove.index_to_key[0], glove.index_to_key[-1], glove.duplicates) == ("the", "<unk>", 0)


def test_the_real_vectors_know_what_is_like_awful(glove: Any) -> None:
    assert {"terrible", "horrible"} <= {word for word, _ in glove.most_similar("awful", topn=3)}


def test_stanfords_sample_is_read_though_some_words_are_not_utf8(shared_data: Path) -> None:
    vectors = load_vectors(shared_data / "glove.6B.50d.sample.txt")
    assert vectors.vectors.shape == (2_446, 50)
    assert {"the", "–", "“"} <= set(vectors.index_to_key)


def test_the_real_vectors_cover_the_running_text_of_real_reviews(shared_data: Path, glove: Any) -> None:
    texts = []
    with tarfile.open(shared_data / "aclImdb_v1.tar.gz") as archive:
        for item in archive:
            if item.isfile() and "/train/" in item.name and item.name.endswith(".txt") and item.name.count("/") == 3:
                handle = archive.extractfile(item)
                assert handle is not None
                texts.append(handle.read().decode("utf-8"))
                if len(texts) == 500:
                    break
    counts = Vocabulary.count(texts)
    del counts["<br />"]  # the vectors were trained without line breaks
    assert coverage(glove, counts).text_share > 0.985
