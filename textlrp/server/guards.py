"""What every request passes before it is read: headers for the browser, host, origin, rate, kind and size. Plain ASGI."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from textlrp.highlight.plain import short
from textlrp.server.buckets import Buckets, client_of
from textlrp.server.hosts import Hosts
from textlrp.server.problems import Gone, Problem
from textlrp.server.settings import Settings

__all__ = ["POLICY", "Guards"]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

logger = logging.getLogger("textlrp.server")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
    "cache-control": "no-store",
}
_RAW = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
_PATIENCE = 10.0  # seconds for the whole body of a request to arrive
_DRAINED = 8  # a body is read and thrown away up to this multiple of what is allowed


class Guards:
    """An ASGI application around another: it refuses what must not be read, and answers with `Problem`s.

    Every answer has the security headers; every error of the application within becomes a 500 whose cause is logged by its
    kind and place only, since its message may quote a text.
    """

    def __init__(self, app: App, settings: Settings) -> None:
        self._app = app
        self._most = settings.max_body
        self._hosts = Hosts(settings.host, settings.allow_hosts)
        self._buckets = Buckets(rate=settings.rate, burst=settings.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request, and hand it on with its body read."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # a web socket: there is none here
            await send({"type": "websocket.close", "code": 1008})
            return
        began, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = [pair for pair in message.get("headers", []) if pair[0].lower() not in HEADERS_RAW]
                message = {**message, "headers": [*own, *_RAW]}
            await send(message)

        try:
            self._check(scope)
            receive = await _body(scope, receive, self._most)
            await self._app(scope, receive, sending)
        except Problem as problem:
            if not status:
                await problem(scope, receive, sending)
        except Gone:
            pass
        except Exception as error:
            where = _place(error)
            logger.error("%s at %s while answering %s", type(error).__name__, where, _line(scope))
            if not status:
                await Problem(500, f"The server failed ({type(error).__name__}); its log says where.")(scope, receive, sending)
        # The path alone: what a person puts into a query or a body is theirs.
        logger.info("%s %s %.0f ms", _line(scope), status or "gone", 1000 * (time.perf_counter() - began))

    def _check(self, scope: Scope) -> None:
        headers = _headers(scope)
        host = headers.get(b"host", [])
        if len(host) != 1 or not self._hosts.knows(host[0]):
            allowed = ", ".join(self._hosts.names)
            raise Problem(421, f"This server is not called that; it answers to {allowed}, and to names of --allow-host.")
        if scope["path"].startswith("/api/") and scope["path"] != "/api/health":
            wait = self._buckets.take(client_of((scope.get("client") or ("unknown",))[0]))
            if wait:
                seconds = str(max(1, math.ceil(wait)))
                raise Problem(429, f"Too many requests; try again in {seconds} s.", {"retry-after": seconds})
        if scope["method"] == "GET":
            return
        if scope["method"] != "POST":
            raise Problem(405, "This server answers GET and POST only.", {"allow": "GET, POST"})
        _check_origin(headers, host[0])
        kind = headers.get(b"content-type", [""])
        if len(kind) != 1 or not _is_json(kind[0]):
            raise Problem(415, "A request must have the content type application/json, in UTF-8.")
        if headers.get(b"content-encoding", ["identity"]) != ["identity"]:
            raise Problem(415, "A request must not be compressed; leave the header Content-Encoding out.")


HEADERS_RAW = {name for name, _ in _RAW} | {b"server"}


def _check_origin(headers: dict[bytes, list[str]], host: str) -> None:
    """Refuse what a page of another site makes a browser send; programs that are no browsers send no Origin."""
    site = headers.get(b"sec-fetch-site", ["same-origin"])
    for origin in headers.get(b"origin", []):
        if origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
            site = ["cross-site"]
    if not set(site) <= {"same-origin", "none"}:
        raise Problem(403, "This server takes requests from its own page and from programs, not from other sites' pages.")


def _is_json(kind: str) -> bool:
    media, *parameters = (part.strip().lower() for part in kind.split(";"))
    return media == "application/json" and set(parameters) <= {"charset=utf-8", 'charset="utf-8"', ""}


async def _body(scope: Scope, receive: Receive, most: int) -> Receive:
    """Read the body, at most `most` bytes however it comes, and return a `receive` that gives it at once."""
    too_long = Problem(413, f"A request may have at most {most:,} bytes; send a shorter text.", {"connection": "close"})
    for length in _headers(scope).get(b"content-length", []):
        if not length.isdigit() or len(length) > 12 or int(length) > _DRAINED * most:
            raise too_long
    body, read = bytearray(), 0
    end = asyncio.get_running_loop().time() + _PATIENCE
    while True:
        try:
            message = await asyncio.wait_for(receive(), end - asyncio.get_running_loop().time())
        except asyncio.TimeoutError:
            raise Problem(408, f"The request did not arrive within {_PATIENCE:g} s.", {"connection": "close"}) from None
        if message["type"] != "http.request":
            raise Gone
        body += message.get("body", b"")
        read += len(message.get("body", b""))
        if read > most:
            body.clear()  # read on for a while, so that a client which sends first and listens then is told why
        if read > _DRAINED * most:
            raise too_long
        if not message.get("more_body", False):
            break
    if read > most:
        raise too_long
    whole: Message | None = {"type": "http.request", "body": bytes(body), "more_body": False}

    async def again() -> Message:
        nonlocal whole
        if whole is not None:
            found, whole = whole, None
            return found
        return await receive()

    return again


def _headers(scope: Scope) -> dict[bytes, list[str]]:
    found: dict[bytes, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.lower(), []).append(value.decode("latin-1").strip())
    return found


def _line(scope: Scope) -> str:
    return f"{short(scope['method'], 10)} {short(scope['path'], 80)}"


def _place(error: BaseException) -> str:
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return "nowhere" if step is None else f"{step.tb_frame.f_code.co_filename}:{step.tb_lineno}"
