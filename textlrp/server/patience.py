"""How long a connection may say nothing: uvicorn waits for the head of a request, and for a reader of its answer, for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["Patient"]


class Patient(H11Protocol):
    """uvicorn's protocol, which closes a connection that has no request for `idle` seconds, or one for more than `most`."""

    idle = 10.0
    most = 60.0
    tick = 1.0  # seconds between two looks

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to look at the connection now and then."""
        super().connection_made(transport)
        self._since = self.loop.time()  # when it last had no request, or none any more
        self._look = self.loop.call_later(self.tick, self._watch)

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        self._look.cancel()
        super().connection_lost(exc)

    def on_response_complete(self, *given: Any, **named: Any) -> None:
        """Begin to wait for the next request."""
        self._since = self.loop.time()
        super().on_response_complete(*given, **named)

    def _watch(self) -> None:
        answering = self.cycle is not None and not self.cycle.response_complete
        if self.loop.time() - self._since > (self.most if answering else self.idle):
            self.transport.abort()
        else:
            self._look = self.loop.call_later(self.tick, self._watch)
