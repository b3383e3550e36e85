"""Ctrl-C during training: the batch at hand is finished and the state written, then the training stops."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["Interrupt", "TrainingInterrupted"]


class TrainingInterrupted(KeyboardInterrupt):
    """Training was stopped by Ctrl-C; the message says how to go on."""

    def __init__(self, state: Path | None) -> None:
        if state is None:
            message = "training stopped; nothing was written"
        else:
            message = f"training stopped; its state is in {str(state)!r}: run the same command again to go on where it was"
        super().__init__(message)
        self.state = state


class Interrupt:
    """Notes the first Ctrl-C in `asked` instead of stopping at once; the second stops at once.

    Only the main thread can take signals, and only Python's own handling is replaced; elsewhere this does nothing.
    """

    def __init__(self) -> None:
        self.asked = False
        self._installed = False

    def __enter__(self) -> Interrupt:
        """Take over Ctrl-C."""
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._note)
            self._installed = True
        return self

    def __exit__(self, *_: Any) -> None:
        """Give Ctrl-C back."""
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            signal.default_int_handler(number, frame)
        self.asked = True
