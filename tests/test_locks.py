"""The lock of a folder: one run has it, and nobody has one that was removed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from textlrp import locks


def test_a_lock_that_is_given_back_leaves_no_empty_folder(tmp_path: Path) -> None:
    lock = locks.take(tmp_path / "state")
    assert lock is not None
    locks.give_back(lock, tmp_path / "state")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_stays_when_its_lock_is_given_back(tmp_path: Path) -> None:
    lock = locks.take(tmp_path)
    assert lock is not None
    (tmp_path / "state").touch()
    locks.give_back(lock, tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "state"]


def test_a_lock_whose_file_was_removed_is_taken_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = locks._lock

    def late(handle: Any) -> bool:
        monkeypatch.setattr(locks, "_lock", lock)
        (tmp_path / locks.LOCK).unlink()  # by the run that had it until now
        return lock(handle)

    monkeypatch.setattr(locks, "_lock", late)
    with locks.take(tmp_path) as handle:  # type: ignore[union-attr]
        assert locks._is_there(handle, tmp_path)


def test_who_removed_its_folder_does_not_remove_the_lock_of_the_next(tmp_path: Path) -> None:
    first = locks.take(tmp_path)
    assert first is not None
    (tmp_path / locks.LOCK).unlink()
    with locks.take(tmp_path):  # type: ignore[union-attr]
        locks.give_back(first, tmp_path)
        assert locks.take(tmp_path) is None
