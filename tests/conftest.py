"""What all tests share: where the real data lie, and a cache that is nobody's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # many small networks: threads would only wait for each other

from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile("default")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the real IMDB archive and GloVe vectors; the test is skipped where it is absent."""
    folder = Path(os.environ.get("TEXTLRP_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "aclImdb_v1.tar.gz").exists():
        pytest.skip(f"the real data are not there: {folder.name}/aclImdb_v1.tar.gz; set TEXTLRP_DATA to their folder")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests never read or write the user's cache."""
    os.environ["TEXTLRP_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium, closed after each file of tests: while one is open, nothing else can run an event loop in this process."""
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if binary is None:
        pytest.skip("there is no Chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as play:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        chromium = play.chromium.launch(executable_path=binary, args=arguments)
        yield chromium
        chromium.close()
