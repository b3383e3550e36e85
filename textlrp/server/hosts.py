"""Who may call the server by which name: against DNS rebinding, and against pages of other sites."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable

__all__ = ["Hosts", "is_loopback"]

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]/@\s]+)(?::([0-9]{1,5}))?", re.ASCII)


class Hosts:
    """The names that a Host header may have: this machine's loopback names, the bound address and what else was allowed.

    A server that listens on every address (0.0.0.0 or ::) may also be called by its host name and by any address, since
    only names can be rebound.

    >>> hosts = Hosts("127.0.0.1")
    >>> hosts.knows("localhost:8000"), hosts.knows("[::1]"), hosts.knows("evil.example")
    (True, True, False)
    """

    def __init__(self, bound: str, further: Iterable[str] = ()) -> None:
        self._names = {"localhost", "127.0.0.1", "::1", _plain(bound), *map(_plain, further)}
        self._any_address = _plain(bound) in ("0.0.0.0", "::")  # noqa: S104
        if self._any_address:
            self._names |= {socket.gethostname().lower()}

    def knows(self, header: str) -> bool:
        """Whether a Host header names this server, whatever its port."""
        found = _HOST.fullmatch(header)
        if not found or len(header) > 300:
            return False
        name = _plain(found[1])
        return name in self._names or (self._any_address and _address(name) is not None)

    @property
    def names(self) -> list[str]:
        """The names, sorted."""
        return sorted(self._names)


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach a server bound to `host`.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    address = _address(_plain(host))
    return _plain(host) == "localhost" or (address is not None and address.is_loopback)


def _plain(name: str) -> str:
    return name.strip().strip("[]").rstrip(".").lower()


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
