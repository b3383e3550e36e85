"""How many requests a client may make: one token bucket for each, and a bounded number of buckets."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["Buckets", "client_of"]

MOST_CLIENTS = 10_000


class Buckets:
    """A token bucket for each client: `burst` requests at once, then `rate` a second; `rate` 0 is no limit.

    Buckets that have filled up again are forgotten first; beyond `most` clients, the one seen longest ago.

    >>> now = [0.0]
    >>> buckets = Buckets(rate=2.0, burst=1, clock=lambda: now[0])
    >>> buckets.take("a"), buckets.take("a"), buckets.take("b")
    (0.0, 0.5, 0.0)
    >>> now[0] = 0.5
    >>> buckets.take("a")
    0.0
    """

    def __init__(
        self, *, rate: float, burst: int, most: int = MOST_CLIENTS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._most = most
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client -> tokens left, at which time

    def take(self, client: str) -> float:
        """Take one token of a client: 0 if there was one, else the seconds until there is."""
        if not self._rate:
            return 0.0
        now = self._clock()
        left, before = self._left.pop(client, (self._burst, now))
        left = min(self._burst, left + self._rate * (now - before))
        wait = 0.0 if left >= 1 else (1 - left) / self._rate
        self._left[client] = (left if wait else left - 1, now)
        while len(self._left) > self._most:
            self._left.popitem(last=False)
        return wait

    def __len__(self) -> int:
        return len(self._left)


def client_of(host: str) -> str:
    """Give the name under which a client is counted: its address; of IPv6 the network, which one person has as a whole.

    >>> client_of("192.0.2.1"), client_of("2001:db8:1:2:3::4")
    ('192.0.2.1', '2001:db8:1:2::')
    """
    try:
        address = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return host
    if address.version == 6 and not address.is_loopback:
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address)
