"""What is fuzzed of the server: any request, with any headers and body, to the application behind `textlrp serve`."""

from __future__ import annotations

import asyncio
import json
from functools import lru_cache
from typing import Any

from fuzz_checkpoint import sound_checkpoints
from fuzz_records import PIECES, TEXTS, folder
from hypothesis import strategies as st

from textlrp.explanation import Explanation

__all__ = ["generated_requests", "request_seeds", "server"]

PATHS = ("/api/explain", "/api/compare", "/api/predict", "/api/export")
HEADERS = b"host: localhost\ncontent-type: application/json\n"


class Server:
    """The application, started; requests are answered in this process, without a network."""

    def __init__(self) -> None:
        from textlrp.server.app import create_app
        from textlrp.server.settings import Settings

        files = sound_checkpoints()[0]
        path = folder() / "served"
        path.mkdir()
        for name, content in files.items():
            (path / name).write_bytes(content)
        self.app = create_app(Settings(models=(str(path),), rate=0.0, seconds=60.0, max_tokens=500))
        self.loop = asyncio.new_event_loop()

        self.loop.run_until_complete(self._start())

    async def _start(self) -> None:
        ready = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if not ready.is_set():
                return {"type": "lifespan.startup"}
            await asyncio.sleep(1e9)
            return {"type": "lifespan.shutdown"}

        async def send(message: Any) -> None:
            assert message["type"] == "lifespan.startup.complete", message
            ready.set()

        self._life = asyncio.ensure_future(self.app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send))
        await ready.wait()

    def ask(self, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the answer to a request."""
        sent: list[Any] = []
        parts = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if parts:
                return parts.pop()
            await asyncio.sleep(1e9)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        plain, _, query = path.partition("?")
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http"}
        scope |= {"path": plain, "raw_path": plain.encode("utf-8", "replace"), "query_string": query.encode("utf-8", "replace")}
        scope |= {"root_path": "", "headers": headers, "client": ("127.0.0.1", 1), "server": ("localhost", 80)}
        self.loop.run_until_complete(self.app(scope, receive, send))  # type: ignore[arg-type]
        start = next(message for message in sent if message["type"] == "http.response.start")
        content = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
        return start["status"], {key.decode("latin-1"): value.decode("latin-1") for key, value in start["headers"]}, content


@lru_cache(maxsize=1)
def started() -> Server:
    """The server of this process."""
    return Server()


def server(data: bytes) -> None:
    """The bytes are a line "METHOD PATH", headers, an empty line, the body. The answer is right, or says what was wrong."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method, _, path = first.decode("latin-1").partition(" ")
    headers = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    status, told, content = started().ask(method[:20] or "GET", "/" + path.lstrip("/")[:2_000], headers, body)
    assert status in (200, 304, 307, 400, 403, 404, 405, 408, 413, 415, 421, 422), status
    assert "default-src" in told["content-security-policy"]
    assert told["x-content-type-options"] == "nosniff"
    kind = told.get("content-type", "").partition(";")[0]
    if "json" in kind and method != "HEAD":
        answer = json.loads(content, parse_constant=lambda name: 1 / 0)
        if kind == "application/problem+json":
            assert answer["status"] == status >= 400
            assert 10 <= len(answer["detail"]) <= 2_000
        else:
            assert status == 200
            for each in _explanations(answer):
                found = Explanation.from_dict(each)
                assert abs(sum(found.ledger.values()) - found.score) < 1e-3 * max(1.0, abs(found.score))


def _explanations(value: Any) -> list[dict[str, Any]]:
    """The explanations in an answer."""
    if isinstance(value, list):
        return [found for each in value for found in _explanations(each)]
    if isinstance(value, dict) and value.get("format") == "textlrp explanation":
        return [value]
    return [found for each in value.values() for found in _explanations(each)] if isinstance(value, dict) else []


def _request(path: str, body: Any, *, method: str = "POST") -> bytes:
    return f"{method} {path}\n".encode() + HEADERS + b"\n" + json.dumps(body).encode()


def request_seeds() -> list[bytes]:
    """Sound requests of every kind."""
    text = PIECES[0]
    bodies = [
        (PATHS[0], {"text": text, "target": "margin", "rule": "gamma", "top": 3}),
        (PATHS[0], {"text": "", "target": 1, "gates": "prop"}),
        (PATHS[1], {"text": text, "choices": [{"rule": "epsilon"}, {"rule": "zero", "target": "good"}]}),
        (PATHS[2], {"texts": [text, "", "\ud800"], "model": "served"}),
        (PATHS[3], {"text": text, "choices": [{}], "format": "html"}),
        (PATHS[3], {"text": text, "choices": [{}, {"rule": "gamma"}], "format": "json"}),
    ]
    found = [_request(path, body) for path, body in bodies]
    found += [
        _request(path, "", method="GET") for path in ("/", "/docs", "/api/models", "/api/health", "/openapi.json", "/static/x")
    ]
    return [*found, b"POST /api/explain\nhost: evil.example\norigin: http://evil.example\n\n{}", b"HEAD /\n\n"]


def generated_requests() -> Any:
    """A strategy of requests with any text and names."""
    name = (
        st.sampled_from(["default", "margin", "epsilon", "served", "good", "../x", "", "\x00"]) | st.integers(-2, 3) | st.none()
    )
    choice = st.dictionaries(st.sampled_from(["model", "target", "rule", "gates", "more"]), name, max_size=2)
    one = st.tuples(TEXTS, choice).map(lambda pair: {"text": pair[0], **pair[1]})
    several = st.tuples(TEXTS, st.lists(choice, max_size=3)).map(lambda pair: {"text": pair[0], "choices": pair[1]})
    texts = st.lists(TEXTS, max_size=3).map(lambda found: {"texts": found})
    return st.tuples(st.sampled_from(PATHS), one | several | texts).map(lambda pair: _request(*pair))
