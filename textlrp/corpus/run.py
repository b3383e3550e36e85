"""`explain_corpus`: the whole way from a source to shards and manifest, which can stop anywhere and go on from there."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from textlrp.corpus.columns import Shape, shape_of
from textlrp.corpus.failures import CorpusError, CorpusInterrupted, no_room
from textlrp.corpus.journal import Journal, finished, locked
from textlrp.corpus.pool import run_local
from textlrp.corpus.rows import Cutter, Piece
from textlrp.corpus.settings import BATCH, SHARD, Settings, fingerprint, versions
from textlrp.corpus.stream import Stream, open_stream
from textlrp.errors import InputError, unknown_name
from textlrp.explaining import composite_of
from textlrp.models.device import device_of
from textlrp.progress import meter

if TYPE_CHECKING:
    from textlrp.classifier import TextClassifier

__all__ = ["ENGINES", "Finished", "explain_corpus"]

ENGINES = ("local", "ray")


class Finished(NamedTuple):
    """A finished run: its folder, and how many rows, texts, rejected rows, tokens and shards there are.

    `kept` of the shards were there before, from a run that had been stopped.
    """

    folder: Path
    rows: int
    texts: int
    rejects: int
    tokens: int
    shards: int
    kept: int


def explain_corpus(
    model: str | os.PathLike[str] | TextClassifier,
    data: Any,
    out: str | os.PathLike[str],
    *,
    target: str | int | None = None,
    rule: str = "default",
    gates: str = "all",
    workers: int | None = None,
    shard_size: int = SHARD,
    batch_size: int = BATCH,
    with_text: bool = True,
    labelled: bool = False,
    longest: int = 1_000_000,
    limit: int | None = None,
    strict: bool = False,
    engine: str = "local",
    ray_address: str | None = None,
    device: str = "cpu",
    **source: Any,
) -> Finished:
    """Explain every text of a source as a stream, into Parquet shards in the folder `out`; memory does not grow with it.

    `data` is `-` (standard input), what `load_reviews` takes, or an iterable of texts or rows; `source` says how to read it
    (`data_dir`, `text_column`, `label_column`, `encoding`, `errors`). `target` is a class, "predicted" or "margin"; left out it
    is the margin of two classes, else what is predicted. `workers` processes (all cores, if None) share the shards of
    `shard_size` rows; the bytes they write do not depend on how many there are. With `engine` "ray" they are Ray's: then
    `out`, and `model` if it is a folder, must lie where all workers of the cluster see them.

    Run again after it was stopped, by whatever means, it goes on where it was, and ends with the bytes of an undisturbed run.
    Rows that cannot be explained (no text, longer than `longest` characters, wrongly encoded, without a label of the model if
    `labelled`, NaN) are written to rejects.jsonl with number and reason; with `strict` the first of them ends the run.

    Raises CorpusError where `out` belongs to another run, the source has changed, the disk is full, or workers keep dying.

    >>> folder = tempfile.mkdtemp()
    >>> explain_corpus("imdb-dense", ["A warm, funny film.", None], Path(folder, "out"), workers=1)[1:]
    (2, 1, 1, 6, 1, 0)
    """
    if engine not in ENGINES:
        raise unknown_name("engine", engine, ENGINES)
    count = _cores() if workers is None else workers
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= 10_000:
        raise InputError(f"workers must be a whole number from 1, not {workers!r}")
    device_of(device, here=engine == "local")
    classifier = _opened(model)
    settings = Settings(
        target=_target(target, classifier),
        rule=_named(rule, classifier),
        gates=gates,
        batch_size=batch_size,
        shard_size=shard_size,
        with_text=with_text,
        labelled=labelled,
        longest=longest,
        limit=limit,
        device=device,
    )
    shape = shape_of(classifier, settings)
    stream = open_stream(data, longest=longest, **source)
    identity = {
        "model": {"name": classifier.name_, "sha256": fingerprint(classifier), "arch": classifier.config_.arch},
        "settings": settings.to_dict(),
        "source": {"data": stream.name, **{key: str(value) for key, value in source.items() if key != "data_dir" and value}},
        "shape": {key: list(value) if isinstance(value, tuple) else value for key, value in dataclasses.asdict(shape).items()},
        "versions": versions(),
    }
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise no_room(folder, error) from error
    with locked(folder), tempfile.TemporaryDirectory(prefix="textlrp-") as temporary:
        done = finished(folder, identity)
        if done is not None:
            return _summary(folder, done, kept=len(done["shards"]))
        journal = Journal(folder, identity)
        try:
            task = {
                "model": _checkpoint(model, classifier, Path(temporary)),
                "name": classifier.name_,
                "sha256": identity["model"]["sha256"],
                "settings": identity["settings"],
                "shape": identity["shape"],
                "out": str(folder.resolve()),
            }
            how = _engine(engine, task, count, ray_address)
            return _run(journal, stream, settings, shape, strict=strict, engine=how)
        finally:
            journal.close()
            stream.close()


def _run(
    journal: Journal, stream: Stream, settings: Settings, shape: Shape, *, strict: bool, engine: Callable[..., Any]
) -> Finished:
    kept = len(journal.shards)
    source = _Source(journal, stream, settings, shape, strict=strict)
    before = sum(each["rows"][1] - each["rows"][0] for each in journal.shards.values())
    total = stream.total if settings.limit is None or stream.total is None else min(stream.total, settings.limit)
    try:
        with meter("explaining", total=total or settings.limit, done=before) as advance:
            with contextlib.closing(engine(source.missing())) as records:
                for record in records:
                    journal.add(record)
                    if strict and record["rejects"]:
                        raise _refused(record["rejects"][0])
                    advance(record["rows"][1] - record["rows"][0], None if total else source.estimate())
            advance(0, source.rows)
    except KeyboardInterrupt as stop:
        raise CorpusInterrupted(
            f"stopped; {len(journal.shards):,} finished shards are kept in {str(journal.out)!r}: "
            "run the same command again to go on from there"
        ) from stop
    if source.pieces == 0:
        raise CorpusError(f"{stream.name!r} holds no rows; there is nothing to explain")
    if len(journal.shards) != source.pieces:
        raise CorpusError(
            f"the source {stream.name!r} has become shorter since the run began; choose another folder with --out"
        )
    return _summary(journal.out, journal.finish(), kept=kept)


class _Source:
    """The pieces of the stream that are not finished; those that are must not have changed."""

    def __init__(self, journal: Journal, stream: Stream, settings: Settings, shape: Shape, *, strict: bool) -> None:
        self.journal, self.stream, self.settings, self.strict = journal, stream, settings, strict
        self.cut = Cutter(
            size=settings.shard_size, classes=list(shape.classes), labelled=settings.labelled, longest=settings.longest
        )
        self.pieces = self.rows = 0

    def missing(self) -> Iterator[Piece]:
        """Read the stream, and yield what is still to be explained."""
        rows = islice(self.stream.rows, self.settings.limit)
        for piece in self.cut(rows, on_reject=self._reject if self.strict else None):
            self.pieces, self.rows = self.pieces + 1, piece.last
            known = self.journal.shards.get(piece.number)
            if known is None:
                yield piece
            elif known["input"] != piece.digest:
                raise CorpusError(
                    f"the source {self.stream.name!r} has changed since the run began (rows {piece.first:,} to "
                    f"{piece.last - 1:,} are others); bring it back, or choose another folder with --out"
                )

    def estimate(self) -> float | None:
        """About how many rows there are, by the share of the bytes that is read."""
        share = self.stream.share()
        found = self.rows / share if share else None
        return found if found is None or self.settings.limit is None else min(found, self.settings.limit)

    @staticmethod
    def _reject(reject: dict[str, Any]) -> None:
        raise _refused(reject)


def _refused(reject: dict[str, Any]) -> CorpusError:
    return CorpusError(
        f"row {reject['row']:,} (id {reject['id'][:100]!r}): {reject['reason']}; "
        "mend it, or leave out --strict to go on without it"
    )


def _summary(folder: Path, manifest: dict[str, Any], *, kept: int) -> Finished:
    counts = manifest["counts"]
    return Finished(folder, counts["rows"], counts["texts"], counts["rejects"], counts["tokens"], len(manifest["shards"]), kept)


def _engine(name: str, task: dict[str, Any], workers: int, address: str | None) -> Callable[[Iterator[Piece]], Any]:
    if name == "local":
        return lambda pieces: run_local(pieces, task, workers=workers)
    from textlrp.corpus.ray_engine import run_ray

    return lambda pieces: run_ray(pieces, task, workers=workers, address=address)


def _opened(model: Any) -> TextClassifier:
    from textlrp.classifier import TextClassifier, load

    if isinstance(model, TextClassifier):
        model._check_fitted()
        return model
    return load(model)


def _checkpoint(model: Any, classifier: TextClassifier, temporary: Path) -> str:
    """Where workers find the model: by its name or folder, or saved for them if it is in memory only."""
    if isinstance(model, str | os.PathLike):
        path = Path(model)
        return str(path.resolve()) if path.is_dir() else str(model)
    classifier.save(temporary / "model")
    return str(temporary / "model")


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _target(target: str | int | None, classifier: TextClassifier) -> str:
    names = [str(name) for name in classifier.classes_]
    if target is None:
        return "margin" if len(names) == 2 else "predicted"
    if isinstance(target, int) and not isinstance(target, bool) and 0 <= target < len(names):
        return names[target]
    if isinstance(target, str) and target in (*names, "predicted", "margin", "winner"):
        return target
    raise unknown_name("target", target, ["predicted", "margin", *names])


def _named(rule: Any, classifier: TextClassifier) -> str:
    """Return the rule's own name, also of the default one, so that a run goes on with the rule that it began with."""
    if not isinstance(rule, str):
        raise InputError(
            "explain_corpus takes a rule by its name, which the manifest keeps; `textlrp models --rules` lists them"
        )
    return composite_of(rule, classifier.config_.arch)[1]
