"""Folders: a sub-folder per class, with splits or without, and folders of tables."""

from __future__ import annotations

import os

import pytest

from textlrp.errors import DataError, InputError, UnknownNameError
from textlrp.text.sources import load_reviews

CLASSES = {"good/1.txt": "fine", "good/10.txt": "great", "good/2.txt": "nice", "bad/1.txt": "poor", "so so/x.txt": "well"}
SPLITS = {f"{split}/{label}/{n}.txt": f"{split} {label} {n}" for split in ("train", "test") for label in "ab" for n in range(4)}


def test_the_sub_folders_are_the_classes(tree):
    assert load_reviews(tree(CLASSES)).features["label"].names == ["bad", "good", "so so"]


def test_texts_are_sorted_by_class_and_number(tree):
    assert load_reviews(tree(CLASSES))["text"][:] == ["poor", "fine", "nice", "great", "well"]


def test_the_id_is_the_path(tree):
    assert load_reviews(tree(CLASSES))["id"][0] == "bad/1.txt"


def test_a_readme_beside_the_classes_is_no_text(tree):
    assert len(load_reviews(tree({**CLASSES, "README.txt": "about", ".git/x.txt": "x", "good/picture.png": "x"}))) == 5


def test_without_a_split_it_is_train(tree):
    assert load_reviews(tree(SPLITS))["text"][0] == "train a 0"


def test_a_split_can_be_named(tree):
    assert load_reviews(f"{tree(SPLITS)}:test")["text"][0] == "test a 0"


def test_the_folder_of_a_split_can_be_given(tree):
    assert load_reviews(tree(SPLITS) / "test")["text"][0] == "test a 0"


def test_an_archive_has_splits_too(tar):
    assert load_reviews(f"{tar({f'mine/{name}': text for name, text in SPLITS.items()})}:test")["text"][0] == "test a 0"


def test_validation_is_cut_from_train_where_there_is_none(tree):
    data = load_reviews(f"{tree(SPLITS)}:validation", validation=0.25)
    assert data["label"][:] == [0, 1]


def test_a_validation_folder_is_used_where_there_is_one(tree):
    data = load_reviews(f"{tree({**SPLITS, 'dev/a/0.txt': 'dev a', 'dev/b/0.txt': 'dev b'})}:validation")
    assert data["text"][:] == ["dev a", "dev b"]


def test_splits_share_their_class_names(tree):
    path = tree({**SPLITS, "train/0/0.txt": "only here"})
    assert load_reviews(f"{path}:test").features["label"].names == ["0", "a", "b"]


def test_an_unknown_split_lists_those_there_are(tree):
    with pytest.raises(UnknownNameError, match=r"unknown split .* 'tset'; did you mean 'test'\?"):
        load_reviews(f"{tree(SPLITS)}:tset")


def test_a_folder_of_tables_has_a_split_each(tree):
    path = tree({"train.csv": "text,label\na,x\nb,y\n", "test.csv": "text,label\nc,x\nd,y\n"})
    assert (load_reviews(path)["text"][:], load_reviews(f"{path}:test")["text"][:]) == (["a", "b"], ["c", "d"])


def test_the_parts_of_a_split_are_joined(tree):
    path = tree({f"train-{n}-of-11.csv": f"text,label\nt{n},{n % 2}\n" for n in range(11)})
    with pytest.raises(UnknownNameError, match="Known: train"):
        load_reviews(f"{path}:test")
    assert load_reviews(path)["text"][:] == [f"t{n}" for n in range(11)]


def test_a_single_table_in_a_folder_is_found(tree):
    assert len(load_reviews(tree({"mine.csv": "text,label\na,x\nb,y\n"}))) == 2


@pytest.mark.parametrize("files", [{}, {"a.png": "x"}])
def test_a_folder_without_texts_is_an_error(tree, files):
    with pytest.raises(DataError, match="holds no texts"):
        load_reviews(tree(files))


def test_texts_without_classes_are_an_error(tree):
    with pytest.raises(DataError, match="no sub-folder for each class"):
        load_reviews(tree({"1.txt": "a", "2.txt": "b"}))


def test_texts_without_classes_are_read_where_that_is_allowed(tree):
    assert load_reviews(tree({"1.txt": "a", "2.txt": "b"}), labelled=False)["text"][:] == ["a", "b"]


def test_one_class_only_is_an_error(tree):
    with pytest.raises(DataError, match="the one label 'good'"):
        load_reviews(tree({"good/1.txt": "a", "good/2.txt": "b"}))


def test_a_text_that_is_not_utf8_is_named(tree):
    with pytest.raises(DataError, match=r"'bad/1.txt' in .* is not UTF-8: wrong byte at offset 3, line 1"):
        load_reviews(tree({**CLASSES, "bad/1.txt": b"caf\xe9"}))


def test_an_empty_text_is_kept(tree):
    assert "" in load_reviews(tree({**CLASSES, "bad/2.txt": ""}))["text"][:]


def test_a_pipe_in_a_folder_is_not_waited_for(tree):
    path = tree(CLASSES)
    os.mkfifo(path / "bad" / "2.txt")
    with pytest.raises(DataError, match="not an ordinary file"):
        load_reviews(path)


def test_a_folder_has_no_columns(tree):
    with pytest.raises(InputError, match="has no columns"):
        load_reviews(tree(CLASSES), label_column="label")
