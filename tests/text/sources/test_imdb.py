"""IMDB: the real archive, and small ones in its layout."""

from __future__ import annotations

import socket
from collections import Counter
from pathlib import Path

import pytest

from textlrp.errors import DataError, InputError, UnknownNameError
from textlrp.text.sources import imdb as imdb_module
from textlrp.text.sources import list_sources, load_reviews

from .conftest import MINI


@pytest.mark.parametrize(("split", "rows"), [("train", 25_000), ("test", 25_000), ("unsup", 50_000), ("validation", 2_500)])
def test_the_real_splits_have_their_published_sizes(imdb, split, rows):
    assert len(imdb[split]) == rows


@pytest.mark.parametrize("split", ["train", "test", "validation"])
def test_the_real_splits_are_balanced(imdb, split):
    counts = Counter(imdb[split]["label"][:])
    assert counts[0] == counts[1] == len(imdb[split]) // 2


def test_unlabelled_reviews_have_the_label_minus_one(imdb):
    assert set(imdb["unsup"]["label"][:]) == {-1}


def test_labels_are_those_of_the_folders(imdb):
    folders = {0: "neg", 1: "pos"}
    train = imdb["train"]
    assert all(id_.split("/")[1] == folders[label] for id_, label in zip(train["id"][:], train["label"][:], strict=True))


def test_no_real_review_is_empty(imdb):
    assert all(text.strip() for split in imdb.values() for text in split["text"][:])


def test_real_train_and_test_ids_do_not_meet(imdb):
    assert not set(imdb["train"]["id"][:]) & set(imdb["test"]["id"][:])


def test_the_validation_part_is_a_part_of_train(imdb):
    assert set(imdb["validation"]["id"][:]) < set(imdb["train"]["id"][:])


def test_opening_again_reads_no_review_anew(imdb, shared_data, monkeypatch):
    monkeypatch.setattr(imdb_module, "read_imdb", lambda *_: pytest.fail("read again"))
    assert load_reviews("imdb:test", data_dir=shared_data)["id"][:] == imdb["test"]["id"][:]


def test_without_a_folder_the_cache_is_used(imdb, monkeypatch):
    monkeypatch.delenv("TEXTLRP_DATA", raising=False)
    assert len(load_reviews("imdb:test")) == 25_000


@pytest.mark.usefixtures("no_imdb")
class TestSmall:
    def test_rows_are_sorted_by_class_and_number(self, tar):
        data = load_reviews("imdb", data_dir=tar(MINI))
        assert data["text"][:] == ["dull", "bad", "awful", "fine", "great", "good"]

    def test_imdb_is_its_train_split(self, tar):
        path = tar(MINI)
        assert load_reviews("imdb", data_dir=path)["id"][:] == load_reviews("imdb:train", data_dir=path)["id"][:]

    def test_the_id_holds_split_class_number_and_rating(self, tar):
        assert load_reviews("imdb:test", data_dir=tar(MINI))["id"][:] == ["test/neg/0_4", "test/pos/0_7"]

    @pytest.mark.parametrize("place", [".", "aclImdb"])
    def test_a_folder_or_the_folder_above_is_found(self, tree, place):
        assert len(load_reviews("imdb", data_dir=tree(MINI) / place)) == 6

    def test_the_folder_above_the_archive_is_found(self, tar):
        assert len(load_reviews("imdb", data_dir=tar(MINI, "aclImdb_v1.tar.gz").parent)) == 6

    def test_folder_and_archive_give_the_same(self, tree, tar):
        one, two = (load_reviews("imdb", data_dir=path) for path in (tree(MINI), tar(MINI)))
        assert one.to_dict() == two.to_dict()

    def test_the_environment_names_the_folder(self, tree, monkeypatch):
        monkeypatch.setenv("TEXTLRP_DATA", str(tree(MINI)))
        assert len(load_reviews("imdb")) == 6

    def test_the_argument_goes_before_the_environment(self, tree, tar, monkeypatch):
        monkeypatch.setenv("TEXTLRP_DATA", str(tree({"a.txt": "nothing"})))
        assert len(load_reviews("imdb", data_dir=tar(MINI))) == 6

    def test_its_path_is_as_good_as_its_name(self, tree):
        assert load_reviews(f"{tree(MINI) / 'aclImdb'}:test")["text"][:] == ["weak", "strong"]

    def test_unlabelled_reading_shares_the_cache(self, tar, tmp_path):
        path = tar(MINI)
        load_reviews("imdb", data_dir=path)
        load_reviews("imdb:unsup", data_dir=path, labelled=False)
        assert len(list((tmp_path / "cache" / "reviews").iterdir())) == 1

    def test_a_folder_without_imdb_is_an_error_that_says_where_to_get_it(self, tree):
        with pytest.raises(DataError, match=r"holds neither aclImdb/ nor aclImdb_v1.tar.gz; get it from https"):
            load_reviews("imdb", data_dir=tree({"a.txt": "x"}))

    def test_a_folder_that_does_not_exist_is_an_error(self, tmp_path):
        with pytest.raises(DataError, match="does not exist"):
            load_reviews("imdb", data_dir=tmp_path / "none")

    def test_a_wrong_environment_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setenv("TEXTLRP_DATA", str(tmp_path / "none"))
        with pytest.raises(DataError, match="TEXTLRP_DATA"):
            load_reviews("imdb")

    def test_an_archive_without_reviews_is_an_error(self, tar):
        with pytest.raises(DataError, match="holds no reviews"):
            load_reviews("imdb", data_dir=tar({"aclImdb/README": "x"}))

    def test_an_unknown_split_lists_those_there_are(self, tar):
        with pytest.raises(UnknownNameError, match=r"did you mean 'test'\? Known: train, test, unsup, validation"):
            load_reviews("imdb:tset", data_dir=tar(MINI))

    def test_it_has_no_columns_to_name(self, tar):
        with pytest.raises(InputError, match="has no columns"):
            load_reviews("imdb", data_dir=tar(MINI), text_column="text")

    def test_classes_may_be_given_in_another_order(self, tar):
        data = load_reviews("imdb:test", data_dir=tar(MINI), classes=["positive", "negative"])
        assert data["label"][:] == [1, 0]

    def test_offline_it_says_what_to_do(self, monkeypatch):
        def refuse(*args: object, **keywords: object) -> None:
            raise OSError("no network")

        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        with pytest.raises(DataError, match=r"cannot be downloaded .*TEXTLRP_DATA"):
            load_reviews("imdb")

    def test_it_comes_through_the_datasets_package(self, monkeypatch, tmp_path):
        import datasets

        from textlrp.text.sources import imdb as module

        def hub(labels):
            return datasets.Dataset.from_dict({"text": [f"text {n}" for n in range(len(labels))], "label": labels})

        found = {"train": hub([0, 1]), "test": hub([1, 0]), "unsupervised": hub([-1])}
        monkeypatch.setattr(module, "_reach", lambda address: None)
        monkeypatch.setattr(datasets, "load_dataset", lambda *args, **keywords: found)
        assert load_reviews("imdb:test")["label"][:] == [1, 0]

    def test_the_list_says_where_it_lies(self, tar):
        path = tar(MINI)
        assert list_sources(data_dir=path)[0].where == str(path)

    def test_the_list_knows_when_it_is_not_there(self):
        assert list_sources()[0].where is None


def test_a_review_that_is_not_utf8_is_named(tar, no_imdb: None):
    bad = {**MINI, "aclImdb/train/neg/7_1.txt": b"good line\ncaf\xe9"}
    with pytest.raises(DataError, match=r"neg/7_1.txt' in .* is not UTF-8: wrong byte at offset 13, line 2"):
        load_reviews("imdb", data_dir=tar(bad))


def test_wrong_bytes_can_be_replaced(tar, no_imdb: None):
    bad = {**MINI, "aclImdb/train/neg/7_1.txt": b"caf\xe9"}
    assert "caf\ufffd" in load_reviews("imdb", data_dir=tar(bad), errors="replace")["text"][:]


def test_the_cache_is_made_anew_when_the_archive_changes(tar, no_imdb: None, tmp_path: Path):
    assert len(load_reviews("imdb:test", data_dir=tar(MINI))) == 2
    path = tar({**MINI, "aclImdb/test/neg/1_1.txt": "one more"})
    assert len(load_reviews("imdb:test", data_dir=path)) == 3
