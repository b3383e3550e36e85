"""What all tests share: where the real data lie, and a cache that is nobody's."""

from __future__ import annotations

import os
from pathlib import Path

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
