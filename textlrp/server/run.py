"""Listening: a socket that is bound before anything else, and uvicorn on it until it is told to stop."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from textlrp.errors import InputError, MissingPackageError
from textlrp.server.settings import Settings

__all__ = ["address_of", "bind", "serve"]

MOST_CONNECTIONS = 200


def bind(settings: Settings) -> socket.socket:
    """Bind and listen; a port that is taken, or an address that is not this machine's, raises InputError.

    >>> listening = bind(Settings(port=0))
    >>> address_of(listening).startswith("http://127.0.0.1:")
    True
    >>> listening.close()
    """
    where = f"{settings.host}:{settings.port}"
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InputError(f"{settings.host!r} is no address of this machine ({error.strerror}); try 127.0.0.1") from error
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot listen at {where} ({reason}); choose another port, or 0 for any free one") from error
    listening.setblocking(False)
    return listening


def address_of(listening: socket.socket) -> str:
    """Give the address to type into a browser on this machine."""
    host, port = listening.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(settings: Settings, listening: socket.socket, *, ready: Callable[[], Any] = lambda: None, app: Any = None) -> None:
    """Answer requests on a socket until Ctrl-C or SIGTERM; `ready` is called when the first can be answered."""
    try:
        import uvicorn
    except ImportError as error:
        raise MissingPackageError("the live page needs FastAPI and uvicorn: pip install 'textlrp[serve]'") from error
    from textlrp.server.app import create_app
    from textlrp.server.patience import Patient

    class Waiting(Patient):
        most = 30.0 + settings.seconds

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            ready()

    config = uvicorn.Config(
        app if app is not None else create_app(settings, alone=True),
        log_config=None,
        access_log=False,  # it would log what people put into queries; `Guards` logs the path alone
        server_header=False,
        proxy_headers=False,  # else a client could name itself, and escape its limit
        ws="none",
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=3,
        h11_max_incomplete_event_size=32_768,
        http=Waiting,
        loop="asyncio",
    )
    Server(config).run(sockets=[listening])
