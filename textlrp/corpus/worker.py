"""A worker process: loads the model once, then turns pieces into shards until its standard input ends.

Messages are frames: the length of a JSON header and of a body of bytes, then both. Nothing is pickled, and the caller's
`__main__` is not imported, so that notebooks and scripts without a guard work. A worker whose caller dies, dies with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import struct
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any, BinaryIO

from textlrp.memory import bound_kernels, give_back, keep_freed_memory

__all__ = ["load", "main", "receive", "send", "told"]

GIVE_BACK = 5.0  # seconds between two times that memory is given back, which takes a tenth of a second
_FRAME = struct.Struct("<QQ")


def send(stream: BinaryIO, message: dict[str, Any], body: bytes = b"") -> None:
    """Write one frame."""
    header = json.dumps(message).encode()
    stream.write(_FRAME.pack(len(header), len(body)))
    stream.write(header)
    stream.write(body)
    stream.flush()


def receive(stream: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """Read one frame; None where the stream has ended.

    >>> import io
    >>> stream = io.BytesIO()
    >>> send(stream, {"a": 1}, b"body")
    >>> receive(io.BytesIO(stream.getvalue())), receive(io.BytesIO(b"cut"))
    (({'a': 1}, b'body'), None)
    """
    lengths = stream.read(_FRAME.size)
    if len(lengths) < _FRAME.size:
        return None
    header, body = _FRAME.unpack(lengths)
    data, rest = stream.read(header), stream.read(body)
    return (json.loads(data), rest) if len(data) == header and len(rest) == body else None


def main() -> None:
    """Run a worker: the first frame says what to load, every other one is a piece; each is answered by one frame."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints, prints to standard error
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the caller, who ends the workers
    frames: queue.Queue[tuple[dict[str, Any], bytes]] = queue.Queue()

    def listen() -> None:
        while (frame := receive(sys.stdin.buffer)) is not None:
            frames.put(frame)
        os._exit(0)  # the caller has gone, or wants no more: at once, whatever is being computed

    threading.Thread(target=listen, daemon=True).start()
    keep_freed_memory(256)
    try:
        explainer = load(frames.get()[0])
        send(answers, {"ready": os.getpid()})
        given = time.monotonic()
        while True:
            message, body = frames.get()
            send(answers, explainer(body, message["digest"]))
            if time.monotonic() - given > GIVE_BACK:
                give_back()
                given = time.monotonic()
    except BaseException as error:
        send(answers, told(error))


def load(task: dict[str, Any]) -> Any:
    """Return the `Explainer` that the first frame describes; CheckpointError where the model is another than the caller's."""
    import gc

    bound_kernels()
    import torch

    from textlrp.classifier import load as load_classifier
    from textlrp.corpus.columns import Shape
    from textlrp.corpus.settings import Settings, fingerprint
    from textlrp.corpus.shard import Explainer
    from textlrp.errors import CheckpointError

    torch.set_num_threads(1)
    classifier = load_classifier(task["model"])
    if fingerprint(classifier) != task["sha256"]:
        raise CheckpointError(f"the model {task['model']!r} has changed since the run began; leave it alone while it runs")
    classifier.name_ = task["name"]
    settings = Settings(**task["settings"])
    if settings.device != "cpu":
        classifier.module.to(settings.device)
    shape: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in task["shape"].items()}
    gc.freeze()
    return Explainer.of(classifier, settings, Shape(**shape), Path(task["out"]))


def told(error: BaseException) -> dict[str, Any]:
    """Return an error as a frame: its kind, its message, and where it arose if it is none of ours."""
    from textlrp.errors import TextLRPError

    number = getattr(error, "errno", None)
    return {
        "error": str(error) or type(error).__name__,
        "kind": type(error).__name__,
        "errno": number if isinstance(number, int) else None,
        "ours": isinstance(error, TextLRPError),
        "trace": traceback.format_exc()[-4000:],
    }
