"""Names and paths, the cut of a validation part, and the cache."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from textlrp.errors import DataError, InputError, UnknownNameError
from textlrp.text.sources import load_reviews, train_validation

CSV = "text,label\na,x\nb,y\n"
MANY = "text,label\n" + "".join(f"text {n},{'abc'[n % 10 // 4]}\n" for n in range(200))  # 80 a, 80 b, 40 c


def test_a_path_with_a_colon_that_exists_is_a_path(file):
    assert len(load_reviews(file("a:test.csv", CSV))) == 2


def test_a_name_goes_before_a_path_of_that_name(tmp_path, monkeypatch):
    (tmp_path / "bundled").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_reviews("bundled").features["label"].names == ["negative", "positive"]


def test_the_home_folder_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "a.csv").write_text(CSV)
    assert len(load_reviews("~/a.csv")) == 2


@pytest.mark.parametrize("spec", ["imbd", "imbd:test"])
def test_an_unknown_name_has_a_suggestion(spec):
    with pytest.raises(UnknownNameError, match=r"did you mean 'imdb'\? Known: bundled, imdb; or give the path"):
        load_reviews(spec)


@pytest.mark.parametrize("spec", ["none/a.csv", "a.csv", "a.csv:test", "", ":test"])
def test_a_path_that_does_not_exist_is_an_error(spec):
    with pytest.raises((DataError, UnknownNameError), match="there is no"):
        load_reviews(spec)


def test_a_device_is_an_error():
    with pytest.raises(DataError, match="neither a file nor a folder"):
        load_reviews(os.devnull)


def test_a_table_has_the_splits_train_and_validation(file):
    with pytest.raises(UnknownNameError, match=r"unknown split .* 'test'.* Known: train, validation"):
        load_reviews(f"{file('a.csv', CSV)}:test")


def test_the_two_parts_are_the_whole(file):
    data = load_reviews(file("a.csv", MANY))
    train, validation = train_validation(data, share=0.2, seed=3)
    assert sorted([*train["id"][:], *validation["id"][:]], key=int) == data["id"][:]


def test_every_class_gives_its_share(file):
    _, validation = train_validation(load_reviews(file("a.csv", MANY)), share=0.1, seed=0)
    assert np.bincount(validation["label"][:]).tolist() == [8, 8, 4]


def test_the_cut_keeps_the_order(file):
    train, _ = train_validation(load_reviews(file("a.csv", MANY)), share=0.3, seed=0)
    assert train["id"][:] == sorted(train["id"][:], key=int)


def test_the_seed_decides_the_cut(file):
    data = load_reviews(file("a.csv", MANY))
    first, again, other = (train_validation(data, share=0.1, seed=seed)[1]["id"][:] for seed in (0, 0, 1))
    assert first == again != other


def test_the_validation_split_is_the_second_part(file):
    path = file("a.csv", MANY)
    cut = train_validation(load_reviews(path), share=0.25, seed=5)[1]
    assert load_reviews(f"{path}:validation", validation=0.25, seed=5)["id"][:] == cut["id"][:]


def test_a_small_class_is_in_both_parts(file):
    data = load_reviews(file("a.csv", "text,label\n" + "t,a\n" * 50 + "u,b\nv,b\n"))
    assert [set(part["label"][:]) for part in train_validation(data, share=0.01, seed=0)] == [{0, 1}, {0, 1}]


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_a_share_outside_zero_and_one_is_an_error(file, share):
    with pytest.raises(InputError, match="between 0 and 1"):
        train_validation(load_reviews(file("a.csv", CSV)), share=share, seed=0)


def test_rows_of_which_no_class_has_two_cannot_be_cut(file):
    with pytest.raises(DataError, match="no class has two rows"):
        load_reviews(f"{file('a.csv', CSV)}:validation")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTLRP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "reviews"


def test_a_file_is_read_once(file, cache, monkeypatch):
    path = file("a.csv", CSV)
    load_reviews(path)
    monkeypatch.setattr("textlrp.text.sources.find.read_table", lambda *args: pytest.fail("read again"))
    assert len(load_reviews(path)) == 2


def test_a_changed_file_is_read_again_and_its_old_cache_is_gone(file, cache):
    load_reviews(file("a.csv", CSV))
    assert len(load_reviews(file("a.csv", CSV + "c,x\n"))) == 3
    assert len(list(cache.iterdir())) == 1


def test_a_text_changed_in_a_folder_is_seen(tree, cache):
    load_reviews(tree({"a/1.txt": "one", "b/1.txt": "two"}))
    assert load_reviews(tree({"a/1.txt": "three"}))["text"][0] == "three"


def test_other_options_have_a_cache_of_their_own(file, cache):
    path = file("a.csv", "text,body,label\na,c,x\nb,d,y\n")
    texts = [load_reviews(path, text_column=column)["text"][0] for column in ("text", "body", "text")]
    assert texts == ["a", "c", "a"]


@pytest.mark.parametrize("damage", [b"", b"rubbish"])
def test_a_damaged_cache_is_made_anew(file, cache, damage):
    path = file("a.csv", CSV)
    load_reviews(path)
    next(cache.glob("*/train.arrow")).write_bytes(damage)
    assert load_reviews(path)["text"][:] == ["a", "b"]


def test_a_cache_cut_off_at_a_batch_is_made_anew(file, cache):
    path = file("a.csv", "text,label\n" + "".join(f"t{n},{n % 2}\n" for n in range(5000)))
    load_reviews(path)
    arrow = next(cache.glob("*/train.arrow"))
    arrow.write_bytes(arrow.read_bytes()[: arrow.stat().st_size // 2])
    assert len(load_reviews(path)) == 5000


@pytest.mark.parametrize("record", ["", "{}", "[]", '{"version": 1, "rows": {"train": "x"}}'])
def test_a_damaged_record_is_made_anew(file, cache, record):
    path = file("a.csv", CSV)
    load_reviews(path)
    next(cache.glob("*/source.json")).write_text(record)
    assert len(load_reviews(path)) == 2


def test_a_full_disk_leaves_nothing_and_says_so(file, cache, monkeypatch):
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("textlrp.text.sources.store._write", full)
    with pytest.raises(DataError, match="No space left on device; free some space, or name another folder with TEXTLRP_CACHE"):
        load_reviews(file("a.csv", CSV))
    assert not list(cache.iterdir())


def test_ctrl_c_leaves_nothing(file, cache, monkeypatch):
    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("textlrp.text.sources.store._write", stop)
    with pytest.raises(KeyboardInterrupt):
        load_reviews(file("a.csv", CSV))
    assert not list(cache.iterdir())


def test_a_file_without_permission_is_named(file):
    path = file("a.csv", CSV)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(DataError, match="Permission denied"):
        load_reviews(path)


def test_the_import_is_light():
    code = "import sys, textlrp.text.sources; print(*{'torch', 'datasets', 'pandas', 'pyarrow', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""


def test_nothing_is_printed_and_nothing_written_outside_the_cache(file, tmp_path):
    path = file("a.csv", CSV)
    home = tmp_path / "home"
    home.mkdir()
    code = f"from textlrp.text.sources import load_reviews; load_reviews({str(path)!r})"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TEXTLRP_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert (done.stdout, done.stderr, list(home.iterdir())) == ("", "", [])
