"""Connections that say nothing, or never end to say it, are closed; those in use are not."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
import uvicorn

from textlrp.server.app import create_app
from textlrp.server.patience import Patient
from textlrp.server.run import bind
from textlrp.server.settings import Settings


class Hasty(Patient):
    idle, most, tick = 1.5, 30.0, 0.05


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    listening = bind(Settings(port=0))
    app = create_app(Settings(models=("imdb-dense",), rate=0.0))
    server = uvicorn.Server(uvicorn.Config(app, http=Hasty, log_config=None, access_log=False, loop="asyncio", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(20)
    listening.close()


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET /api/health HTTP/1.1\r\nHost: localhost\r\nX: "])
def test_who_never_ends_the_head_of_a_request_is_let_go(port: int, said: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(said)
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""


def test_who_says_a_little_now_and_then_is_let_go_too(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        assert any(_fails(connection, b"X%d: y\r\n" % i) for i in range(400))


def _fails(connection: socket.socket, said: bytes) -> bool:
    time.sleep(0.05)
    try:
        connection.sendall(said)
    except OSError:
        return True
    return False


def test_who_asks_again_and_again_keeps_the_connection(port: int) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.connect()
        first = connection.sock
        for _ in range(20):
            connection.request("GET", "/api/health")
            assert connection.getresponse().read()
            time.sleep(0.1)
        assert connection.sock is first
