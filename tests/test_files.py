"""Files that are written whole or not at all, whatever stands in their place."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from pathlib import Path

import pytest

from textlrp.errors import InputError
from textlrp.files import atomic_folder, atomic_path, write_text

posix = pytest.mark.skipif(os.name != "posix", reason="pipes and links of POSIX")


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A pipe that has a name."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


@posix
def test_who_reads_a_pipe_gets_what_is_written_to_it(pipe: Path) -> None:
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_text("utf-8")), daemon=True)
    reader.start()
    write_text(pipe, "wörds")
    reader.join(timeout=60)
    assert found == ["wörds"]


@posix
def test_a_pipe_stays_a_pipe(pipe: Path) -> None:
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_text(pipe, "words")
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@posix
def test_a_pipe_gets_nothing_of_what_failed(pipe: Path) -> None:
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with contextlib.suppress(ValueError), atomic_path(pipe) as temporary:
        temporary.write_text("half")
        raise ValueError("the rest is not to be had")
    assert os.read(reader, 10) == b""
    os.close(reader)


@posix
def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    target, link = tmp_path / "inner" / "page.html", tmp_path / "link.html"
    target.write_text("old")
    link.symlink_to(Path("inner", "page.html"))
    write_text(link, "new")
    assert (link.is_symlink(), target.read_text()) == (True, "new")


@posix
def test_a_link_to_a_file_that_is_not_there_yet_makes_that_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "target").read_text() == "new"


@posix
def test_a_link_into_a_folder_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("absent/target")
    with pytest.raises(InputError, match="absent' does not exist"):
        write_text(tmp_path / "link", "new")


def test_a_folder_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it is a folder"):
        write_text(tmp_path, "new")


def write_folder(path: Path, word: str) -> None:
    with atomic_folder(path) as temporary:
        (temporary / "word").write_text(word)


def test_a_folder_that_another_process_puts_there_meanwhile_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, replace = tmp_path / "model", os.replace

    def late(source: Path, destination: Path) -> None:
        if destination == target:
            monkeypatch.setattr(os, "replace", replace)
            write_folder(target, "theirs")
        replace(source, destination)

    monkeypatch.setattr(os, "replace", late)
    write_folder(target, "ours")
    assert (target / "word").read_text() == "ours"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_whose_successor_cannot_take_its_place_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, replace = tmp_path / "model", os.replace
    write_folder(target, "old")

    def full(source: Path, destination: Path) -> None:
        if source.name.endswith(".part"):
            raise OSError(28, "No space left on device")
        replace(source, destination)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_folder(target, "new")
    assert (target / "word").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@posix
def test_a_link_to_a_folder_stays_and_the_folder_is_replaced(tmp_path: Path) -> None:
    write_folder(tmp_path / "target", "old")
    (tmp_path / "link").symlink_to("target")
    write_folder(tmp_path / "link", "new")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link", "target"]
    assert (tmp_path / "target" / "word").read_text() == "new"


@posix
def test_a_pipe_is_not_replaced_by_a_folder(pipe: Path) -> None:
    with pytest.raises(InputError, match="it is a file"):
        write_folder(pipe, "new")


def test_the_folder_that_one_is_in_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write_folder(Path("."), "new")
    assert (tmp_path / "here" / "word").read_text() == "new"
