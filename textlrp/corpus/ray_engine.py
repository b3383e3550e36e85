"""The same job on Ray Data: pieces are staged beside the shards, and a pool of actors turns them into shards.

The folder of the shards must lie where all workers of the cluster see it. A worker that dies is replaced by Ray and its piece
done again; every worker writes a shard whole or not at all, and the caller keeps the journal, as on one machine.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from textlrp.corpus.failures import CorpusError, as_error, no_room
from textlrp.corpus.pool import TRIES
from textlrp.corpus.rows import Piece
from textlrp.errors import MissingPackageError
from textlrp.files import atomic_path, write_json

__all__ = ["run_ray"]

STAGED = ".staged"


def run_ray(pieces: Iterator[Piece], task: dict[str, Any], *, workers: int, address: str | None) -> Iterator[dict[str, Any]]:
    """Give pieces to a pool of Ray actors and yield the records of their shards as they are finished, in any order.

    `address` is that of a cluster ("auto": the one this machine belongs to); without, a Ray of this machine is started, and
    ended with the run. `workers` actors take a core each, or a graphics card where the settings' device is one.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingPackageError("the engine 'ray' needs the package ray: pip install 'textlrp[ray]'") from error
    out = Path(task["out"])
    staged = out / STAGED
    shutil.rmtree(staged, ignore_errors=True)
    started = not ray.is_initialized()
    try:
        items = _stage(pieces, task, staged)
        if not items:
            return
        if started:
            _start(ray, address, workers, task)
        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        gpu = task["settings"]["device"] != "cpu"
        answers = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            _Actor,
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=min(workers, len(items))),
            num_cpus=1,
            num_gpus=1 if gpu else None,
        )
        for row in answers.iter_rows():
            answer = json.loads(row["answer"])
            if "error" in answer:
                raise as_error(answer, out, answer["what"])
            (staged / answer["staged"]).unlink(missing_ok=True)
            yield answer["record"]
    except OSError as error:
        raise no_room(out, error) from error
    finally:
        if started and ray.is_initialized():
            ray.shutdown()
        shutil.rmtree(staged, ignore_errors=True)


def _start(ray: Any, address: str | None, workers: int, task: dict[str, Any]) -> None:
    own = {} if address else {"num_cpus": workers, "include_dashboard": False}
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise CorpusError(
            f"cannot reach Ray at {address!r} ({str(error)[:200]}); start it (`ray start --head`), or leave out --ray-address"
        ) from error


def _stage(pieces: Iterator[Piece], task: dict[str, Any], staged: Path) -> list[dict[str, Any]]:
    """Write the pieces to the disk that all workers see; the source is read here, once, by its order."""
    items: list[dict[str, Any]] = []
    for piece in pieces:
        if not items:
            staged.mkdir(exist_ok=True)
            write_json(staged / "task.json", task)
        name = f"{piece.number:07d}.arrow"
        with atomic_path(staged / name) as temporary:
            temporary.write_bytes(piece.payload)
        items.append(
            {"out": task["out"], "name": name, "digest": piece.digest, "what": f"rows {piece.first:,} to {piece.last - 1:,}"}
        )
    return items


class _Actor:
    """A worker: the model is loaded once, with the first piece."""

    def __init__(self) -> None:
        os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
        self.explainer: Any = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        out, name, digest, what = (str(batch[key][0]) for key in ("out", "name", "digest", "what"))
        try:
            answer = {"record": self._explain(Path(out) / STAGED, name, digest)}
        except Exception as error:
            from textlrp.corpus.worker import told

            answer = told(error)
        return {"answer": [json.dumps({"staged": name, "what": what, **answer})]}

    def _explain(self, staged: Path, name: str, digest: str) -> dict[str, Any]:
        from textlrp.corpus.worker import load

        path = staged / name
        if not path.exists():
            raise CorpusError(f"{str(staged.parent)!r} is not the same folder for all workers; use storage that they share")
        marks = sorted(staged.glob(f"{name}.try-*"))
        if len(marks) >= TRIES:
            raise CorpusError(f"the worker died {TRIES} times; use fewer workers or a smaller --shard-size, or look at them")
        path.with_name(f"{name}.try-{uuid.uuid4().hex[:8]}").touch()
        if self.explainer is None:
            self.explainer = load(json.loads((staged / "task.json").read_bytes()))
        payload = path.read_bytes()
        if hashlib.sha256(payload).hexdigest() != digest:
            raise CorpusError("what was staged for the workers is damaged; run the same command again")
        return dict(self.explainer(payload, digest))
