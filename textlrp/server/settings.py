"""What a server is told at its start: models, address and limits; requests change none of it."""

from __future__ import annotations

from dataclasses import dataclass, fields

from textlrp.errors import InputError

__all__ = ["Settings"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The models, the address and the limits of a server.

    - `models`: bundled names or checkpoint folders; none: all bundled models. Nothing else can ever be loaded.
    - `host`, `port`, `allow_hosts`: where it listens, and further names it may be called by (the Host header).
    - `max_characters`, `max_tokens`: of all texts in one request; `max_body`: bytes of a request.
    - `rate`, `burst`: requests a second and at once, for each client (0: no limit).
    - `workers`, `queue`, `seconds`: explanations made at once, requests that may wait, and the time for one request.
    - `threads`: of each explanation. A second thread gains little for one text, and where other work holds a core, the many
      short steps of a recurrent network wait for it again and again.

    A value that is not allowed raises InputError.

    >>> Settings(port=0).max_characters
    20000
    """

    models: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8000
    allow_hosts: tuple[str, ...] = ()
    max_characters: int = 20_000
    max_tokens: int = 4_000
    max_body: int = 262_144
    rate: float = 20.0
    burst: int = 40
    workers: int = 1
    queue: int = 16
    seconds: float = 10.0
    threads: int = 1

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name in ("max_characters", "max_tokens", "max_body", "workers", "burst", "threads") and value < 1:
                raise InputError(f"{each.name} must be at least 1, not {value!r}")
            if each.name in ("rate", "queue") and not 0 <= value < float("inf"):
                raise InputError(f"{each.name} must be 0 or more, not {value!r}")
        if not 0 < self.seconds < float("inf"):
            raise InputError(f"seconds must be a time above 0, not {self.seconds!r}")
        if not 0 <= self.port <= 65_535:
            raise InputError(f"port must lie between 0 (any free one) and 65535, not {self.port!r}")

    def limits(self) -> dict[str, float]:
        """Give the limits that a client should know, as JSON."""
        names = ("max_characters", "max_tokens", "max_body", "rate", "burst", "seconds")
        return {name: getattr(self, name) for name in names}
