"""From texts to a checkpoint: what is written, what it says, and real reviews."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from textlrp.models import checkpoint
from textlrp.models.batches import encode, predict_logits, probabilities
from textlrp.training import train
from textlrp.training.metrics import measure
from textlrp.training.texts import number_words, split

TEXTS = ["a good film .", "a bad film .", "really good", "really bad <br /><br /> film"] * 20
LABELS = [1, 0, 1, 0] * 20
CLASSES = ["bad", "good"]


@pytest.mark.parametrize("storage", ["float32", "float16", "int8"])
def test_the_file_gives_exactly_the_figures_that_it_tells(storage: str, tmp_path: Path) -> None:
    others = (["good", "bad", "bad film"] * 30, [1, 0, 0] * 30)
    trained = train(TEXTS, LABELS, classes=CLASSES, validation=others, storage=storage, state=tmp_path / "state")
    trained.save(tmp_path / "m", metrics={"imdb:test": {**trained.metrics["validation"]}})
    found = checkpoint.load(tmp_path / "m")
    logits = predict_logits(found.module, encode(others[0], found.vocabulary, max_tokens=found.config.max_tokens))
    again = measure(probabilities(logits, temperature=found.config.temperature), others[1], classes=CLASSES)
    assert again == found.metrics["validation"] == found.metrics["imdb:test"]
    assert "| imdb:test | 90 |" in found.card


def test_a_checkpoint_tells_its_data_command_seed_and_versions(tmp_path: Path) -> None:
    trained = train(
        TEXTS, LABELS, classes=CLASSES, seed=7, data="my reviews", embeddings="glove", command="textlrp train --data x"
    )
    trained.save(tmp_path / "m")
    card = (tmp_path / "m" / "README.md").read_text()
    for words in ("my reviews", "glove", "textlrp train --data x", "seed: 7", f"torch {torch.__version__}", "| validation |"):
        assert words in card
    assert len(json.loads((tmp_path / "m" / "curve.json").read_text())) == len(trained.history)
    assert (tmp_path / "m" / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_state_is_gone_when_the_checkpoint_is_there(tmp_path: Path) -> None:
    trained = train(TEXTS, LABELS, classes=CLASSES, state=tmp_path / "state", recipe={"epochs": 1})
    assert (tmp_path / "state").exists()
    trained.save(tmp_path / "m")
    assert not (tmp_path / "state").exists()


def test_what_was_chosen_is_told_and_kept_on_the_card() -> None:
    heard: list[str] = []
    trained = train(TEXTS, LABELS, classes=CLASSES, notice=heard.append, recipe={"epochs": 1})
    assert any("learning rate" in line for line in heard)
    assert all(" ".join(line.split()) in trained.card() for line in heard)


def test_ready_vectors_are_what_training_begins_with() -> None:
    from gensim.models import KeyedVectors

    vectors = KeyedVectors(5)
    vectors.add_vectors(["good", "bad"], np.array([[9.0] * 5, [-9.0] * 5], dtype=np.float32))
    trained = train(TEXTS, LABELS, classes=CLASSES, vectors=vectors, recipe={"epochs": 1, "learning_rate": 1e-6})
    weight = trained.module.state_dict()["embedding.weight"]
    assert weight.shape[1] == 5
    assert torch.allclose(weight[trained.vocabulary["good"]], torch.full((5,), 9.0), atol=0.01)


def test_how_much_of_the_texts_the_vectors_cover_is_told() -> None:
    from gensim.models import KeyedVectors

    vectors = KeyedVectors(2)
    vectors.add_vectors(["good", "bad"], np.ones((2, 2), dtype=np.float32))
    trained = train(TEXTS, LABELS, classes=CLASSES, vectors=vectors, recipe={"epochs": 1})
    assert any(re.match(r"vectors for 2 of 7 words \(28\.6%\), .* of the running text", line) for line in trained.chosen)


def test_texts_are_numbered_as_tokenising_and_looking_up_would() -> None:
    numbered = number_words(TEXTS)
    every = np.arange(len(TEXTS))
    vocabulary = numbered.vocabulary(every[:2], min_count=1, max_words=100)
    assert vocabulary.words[2:] == (".", "a", "film", "bad", "good")
    expected = encode(TEXTS, vocabulary, max_tokens=3)
    found = numbered.encode(every, vocabulary, max_tokens=3)
    assert found.flat.tolist() == expected.flat.tolist()
    assert found.offsets.tolist() == expected.offsets.tolist()


def test_a_split_is_stratified_and_loses_nothing() -> None:
    labels = np.array([0] * 90 + [1] * 10)
    training, validation = split(labels, share=0.2, classes=["a", "b"], seed=3)
    assert sorted([*training, *validation]) == list(range(100))
    assert np.bincount(labels[validation]).tolist() == [18, 2]


def real_reviews(archive: Path, *, each: int) -> tuple[list[str], list[int]]:
    texts, labels = [], []
    wanted = re.compile(r"aclImdb/train/(pos|neg)/(\d+)_\d+\.txt")
    with tarfile.open(archive) as members:
        for member in members:
            match = wanted.fullmatch(member.name)
            if match and int(match[2]) < each:
                file = members.extractfile(member)
                assert file is not None
                texts.append(file.read().decode())
                labels.append(int(match[1] == "pos"))
            if len(texts) == 2 * each:
                break
    return texts, labels


def test_the_default_recipe_learns_from_1500_real_reviews(shared_data: Path) -> None:
    texts, labels = real_reviews(shared_data / "aclImdb_v1.tar.gz", each=1_000)
    order = np.random.default_rng(0).permutation(len(texts))
    kept, held = order[:1_500], order[1_500:]
    trained = train(
        [texts[at] for at in kept],
        [labels[at] for at in kept],
        classes=["negative", "positive"],
        validation=0.15,
    )
    logits = predict_logits(
        trained.module, encode([texts[at] for at in held], trained.vocabulary, max_tokens=trained.config.max_tokens)
    )
    accuracy = float((logits.argmax(1) == np.array([labels[at] for at in held])).mean())
    assert accuracy > 0.75
