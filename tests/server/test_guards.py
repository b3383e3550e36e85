"""What is refused before it is read, and what a browser is told with every answer."""

from __future__ import annotations

import http.client
import json
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient

from textlrp.server.guards import POLICY

Make = Callable[..., TestClient]
ASKED = {"text": "A dull film."}


@pytest.mark.parametrize("path", ["/", "/docs", "/static/live.css", "/openapi.json", "/api/health", "/nothing"])
def test_every_answer_has_the_strict_policy(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert "*" not in POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1", "[::1]:99", "LOCALHOST", "localhost."])
def test_names_of_this_machine_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/api/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "192.0.2.1", "127.0.0.1@evil.example", "", "localhost:x", "::1", "a b"]
)
def test_a_rebound_name_is_refused(client: TestClient, host: str) -> None:
    answer = client.get("/", headers={"host": host})
    assert (answer.status_code, answer.headers["content-type"]) == (421, "application/problem+json")


def test_a_name_can_be_allowed(client_for: Make) -> None:
    named = client_for(allow_hosts=("demo.example",))
    assert named.get("/api/health", headers={"host": "demo.example:443"}).status_code == 200


def test_who_listens_everywhere_is_called_by_addresses_but_not_by_foreign_names(client_for: Make) -> None:
    everywhere = client_for(host="0.0.0.0")
    assert everywhere.get("/api/health", headers={"host": "192.0.2.1:8000"}).status_code == 200
    assert everywhere.get("/api/health", headers={"host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:81"},
        {"origin": "http://127.0.0.1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_pages_of_other_sites_are_refused(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/api/explain", json=ASKED, headers=headers).status_code == 403


@pytest.mark.parametrize("headers", [{}, {"origin": "http://localhost", "sec-fetch-site": "same-origin"}])
def test_the_own_page_and_programs_are_answered(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/api/explain", json=ASKED, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "application/json; charset=latin-1"]
)
def test_only_json_is_read(client: TestClient, kind: str) -> None:
    answer = client.post("/api/explain", content=json.dumps(ASKED), headers={"content-type": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (415, "application/problem+json")


def test_compressed_bodies_are_refused(client: TestClient) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert client.post("/api/explain", content=b"x", headers=headers).status_code == 415


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD"])
def test_other_methods_are_refused(client: TestClient, method: str) -> None:
    assert client.request(method, "/api/explain").status_code == 405


def test_a_long_body_is_refused_by_its_declared_length(client_for: Make) -> None:
    answer = client_for(max_body=1_000).post("/api/explain", json={"text": "x" * 2_000})
    assert (answer.status_code, "at most 1,000 bytes" in answer.json()["detail"]) == (413, True)


def test_a_long_body_without_a_length_is_refused_before_it_ends(client_for: Make) -> None:
    sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1_000):
            sent += 1
            yield b" " * 100

    headers = {"content-type": "application/json"}
    assert client_for(max_body=1_000).post("/api/explain", content=pieces(), headers=headers).status_code == 413


def test_clients_have_a_rate_and_are_told_when_to_come_back(client_for: Make) -> None:
    slow = client_for(rate=0.5, burst=3)
    answers = [slow.get("/api/models") for _ in range(4)]
    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    assert answers[3].headers["retry-after"] == "2"
    assert slow.get("/api/health").status_code == 200


def test_an_unforeseen_error_is_told_without_the_text_and_logged_without_it(
    client_for: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from textlrp.server import answers

    def broken(*_: Any) -> bytes:
        raise RuntimeError("SECRET text")

    monkeypatch.setattr(answers, "_check", broken)
    with caplog.at_level(logging.DEBUG):
        answer = client_for().post("/api/explain?q=SECRET", json={"text": "SECRET"})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "RuntimeError" in answer.json()["detail"]
    told = [each.getMessage() for each in caplog.records if each.name == "textlrp.server"]
    assert any("RuntimeError at" in each for each in told)
    assert not any("SECRET" in each or each.count("\n") for each in (*told, answer.text))


def connect(address: str) -> http.client.HTTPConnection:
    found = urlsplit(address)
    return http.client.HTTPConnection(found.hostname or "", found.port, timeout=30)


def test_over_a_socket_a_chunked_flood_is_cut_off(server: tuple[str, Path]) -> None:
    connection = connect(server[0])
    connection.putrequest("POST", "/api/explain")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    piece = b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n"
    sent = 0
    try:
        for _ in range(10_000):  # 655 MB, if it were read
            connection.send(piece)
            sent += 1
    except OSError:
        pass
    assert sent < 1_000
    connection.close()


def test_over_a_socket_a_long_body_gets_its_problem(server: tuple[str, Path]) -> None:
    body = json.dumps({"text": "x" * 1_000_000})
    with closing(connect(server[0])) as connection:
        connection.request("POST", "/api/explain", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 413
        assert json.loads(answer.read())["status"] == 413


def test_over_a_socket_there_is_no_web_socket_and_no_nonsense(server: tuple[str, Path]) -> None:
    found = urlsplit(server[0])
    for request in (
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        b"\x16\x03\x01 nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    ):
        with socket.create_connection((found.hostname, found.port), timeout=30) as connection:
            connection.sendall(request)
            status = connection.recv(64).split(b" ")[1]
        assert status in (b"200", b"400", b"403", b"426")
    assert client_is_answered(server[0])


def client_is_answered(address: str) -> bool:
    with closing(connect(address)) as connection:
        connection.request("GET", "/api/health")
        return connection.getresponse().status == 200
