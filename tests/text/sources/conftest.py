"""Small review data of every kind, and the real IMDB read once."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from textlrp.text.sources import load_reviews

Files = Mapping[str, str | bytes]


def _bytes(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode()


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., Path]:
    """Make a folder of files."""

    def make(files: Files, name: str = "reviews") -> Path:
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        for path, content in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(_bytes(content))
        return root

    return make


@pytest.fixture
def tar(tmp_path: Path) -> Callable[..., Path]:
    """Make a .tar.gz of files; `extra` members are added as they are."""

    def make(files: Files, name: str = "reviews.tar.gz", extra: tuple[tarfile.TarInfo, ...] = ()) -> Path:
        path = tmp_path / name
        with tarfile.open(path, "w:gz" if name.endswith("gz") else "w") as archive:
            for member, content in files.items():
                info = tarfile.TarInfo(member)
                info.size = len(_bytes(content))
                archive.addfile(info, io.BytesIO(_bytes(content)))
            for info in extra:
                archive.addfile(info)
        return path

    return make


@pytest.fixture
def zipped(tmp_path: Path) -> Callable[..., Path]:
    """Make a .zip of files."""

    def make(files: Files, name: str = "reviews.zip") -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in files.items():
                archive.writestr(member, _bytes(content))
        return path

    return make


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Write one file."""

    def make(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        data = _bytes(content)
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return make


MINI = {
    "aclImdb/README": "a data set",
    "aclImdb/train/neg/0_3.txt": "dull",
    "aclImdb/train/neg/10_1.txt": "awful",
    "aclImdb/train/neg/2_2.txt": "bad",
    "aclImdb/train/pos/0_9.txt": "fine",
    "aclImdb/train/pos/1_10.txt": "great",
    "aclImdb/train/pos/2_8.txt": "good",
    "aclImdb/train/unsup/0_0.txt": "a film",
    "aclImdb/test/neg/0_4.txt": "weak",
    "aclImdb/test/pos/0_7.txt": "strong",
}


@pytest.fixture
def no_imdb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without IMDB: no TEXTLRP_DATA, an empty cache."""
    monkeypatch.delenv("TEXTLRP_DATA", raising=False)
    monkeypatch.setenv("TEXTLRP_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def imdb(shared_data: Path):
    """The real data set, read once and cached for the session."""
    return {split: load_reviews(f"imdb:{split}", data_dir=shared_data) for split in ("train", "test", "unsup", "validation")}
