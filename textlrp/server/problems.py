"""Answers that are no results: problem details (RFC 9457) with one sentence that says what was wrong and what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from textlrp.highlight.plain import encodable

__all__ = ["MEDIA_TYPE", "Gone", "Problem", "body_of"]

MEDIA_TYPE = "application/problem+json"


class Gone(Exception):  # noqa: N818
    """The client went away before its answer was made: there is nobody to answer."""


@dataclass(eq=False)
class Problem(Exception):  # noqa: N818
    """An answer with an HTTP `status`, a sentence, and perhaps headers."""

    status: int
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(self.status)  # not the sentence: it may quote the request, and exceptions end in logs

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send the problem, as an ASGI application."""
        body = body_of(self.status, self.detail)
        headers = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), **self.headers}
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": raw})
        await send({"type": "http.response.body", "body": b"" if scope.get("method") == "HEAD" else body})


def body_of(status: int, detail: str) -> bytes:
    """Give the JSON of a problem, in ASCII.

    >>> body_of(404, "There is no such page.")
    b'{"type": "about:blank", "title": "Not Found", "status": 404, "detail": "There is no such page."}'
    """
    problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": encodable(detail)}
    return json.dumps(problem).encode("ascii")
