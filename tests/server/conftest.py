"""Servers for tests: the application called directly, and a real uvicorn on a free port in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("httpx2")

from fastapi.testclient import TestClient

from textlrp.server.app import create_app
from textlrp.server.settings import Settings

MODELS = ("imdb-dense", "imdb-lstm")


def _client_for(**settings: Any) -> TestClient:
    app = create_app(Settings(**{"models": ("imdb-dense",), "rate": 0.0, **settings}))
    return TestClient(app, base_url="http://localhost", raise_server_exceptions=False)


@pytest.fixture(scope="session")
def client_for() -> Callable[..., TestClient]:
    """Makes a client of an application that is called without a network; errors are answers, as they are for real clients."""
    return _client_for


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient]:
    with _client_for(models=MODELS, max_characters=20_000, seconds=60.0) as made:
        yield made


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of `textlrp serve` on a free port, and the file that holds all it says."""
    log = tmp_path_factory.mktemp("server") / "log"
    command = [sys.executable, "-m", "textlrp", "serve", "--port", "0", "--log", "--rate", "0", "--seconds", "60"]
    for model in MODELS:
        command += ["--model", model]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
    try:
        yield wait_for(process, log), log
    finally:
        process.terminate()
        process.wait(20)


def wait_for(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until a server says where it is, and return that."""
    for _ in range(600):
        found = re.search(r"textlrp is at (http://\S+)", log.read_text("utf-8"))
        if found:
            with urllib.request.urlopen(found[1] + "/api/health", timeout=10) as answer:
                assert answer.status == 200
            return found[1]
        assert process.poll() is None, log.read_text("utf-8")
        time.sleep(0.1)
    raise AssertionError("the server did not start: " + log.read_text("utf-8"))
