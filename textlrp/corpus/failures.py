"""What goes wrong in a run, said so that a person knows what is kept and what to do."""

from __future__ import annotations

import errno
from typing import Any

from textlrp.errors import DataError, TextLRPError

__all__ = ["CorpusError", "CorpusInterrupted", "as_error", "no_room"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class CorpusError(DataError):
    """A run over a corpus stopped; what is finished is kept, and the same command goes on from there."""


class CorpusInterrupted(KeyboardInterrupt):
    """Ctrl-C during a run; the message says what is kept and how to go on."""


def no_room(out: object, error: OSError | None = None, *, number: int | None = None, said: str = "") -> CorpusError:
    """Make the error for a shard or journal that cannot be written.

    >>> print(no_room("out", OSError(28, "No space left on device")))
    cannot write to 'out': No space left on device; make room there and run the same command again: it goes on where it stopped
    """
    number = error.errno if error is not None else number
    said = (error.strerror or str(error)) if error is not None else said
    advice = "make room there" if number in _FULL else "put that right"
    return CorpusError(
        f"cannot write to {str(out)!r}: {said}; {advice} and run the same command again: it goes on where it stopped"
    )


def as_error(told: dict[str, Any], out: object, what: str) -> TextLRPError:
    """Make the error that a worker told of."""
    if told.get("errno") is not None:
        said = str(told["error"]).removeprefix(f"[Errno {told['errno']}] ").partition(": '")[0]
        return no_room(out, number=told["errno"], said=said)
    if told.get("ours"):
        return CorpusError(f"{what}: {told['error']}")
    return CorpusError(f"{what}: {told['kind']}: {told['error']}; this is a bug of textlrp:\n{told.get('trace', '')}")
