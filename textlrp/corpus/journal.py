"""What of a run is finished: a journal that grows by a line a shard, and the manifest that takes its place at the end."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from textlrp.corpus.failures import CorpusError, no_room
from textlrp.corpus.manifest import FORMAT, MANIFEST, REJECTS, VERSION, differences, read_json
from textlrp.corpus.shard import remove_leftovers
from textlrp.files import atomic_path, write_json
from textlrp.locks import LOCK, take

__all__ = ["JOURNAL", "Journal", "finished", "locked"]

JOURNAL = "journal.jsonl"
_RECORD = {"rows": list, "rejects": list, "texts": int, "tokens": int, "predicted": dict, "input": str}


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the lock of a folder, so that two runs cannot write to it; CorpusError where another run holds it.

    The lock goes with its process, however that ends.
    """
    try:
        handle = take(out)
    except OSError as error:
        raise no_room(out, error) from error
    if handle is None:
        raise CorpusError(f"another run is writing to {str(out)!r}; wait for it, end it, or choose another folder with --out")
    with handle:
        yield


class Journal:
    """The finished shards of a run, by number; a line is added when a shard lies on the disk, whole.

    On opening, a line that was not written to its end is dropped, and every shard is compared with its sha256: what is missing
    or damaged is done again. Raises CorpusError where the folder holds another run, or other files.
    """

    def __init__(self, out: Path, identity: Mapping[str, Any]) -> None:
        self.out, self.identity = out, identity
        self.shards: dict[int, dict[str, Any]] = {}
        self._offsets: dict[int, int] = {}
        self._path = out / JOURNAL
        remove_leftovers(out)
        if self._path.exists():
            self._resume()
        else:
            self._begin()
        self._handle = open(self._path, "ab")  # noqa: SIM115 - closed by `finish`, or with the process

    def _begin(self) -> None:
        foreign = sorted(each.name for each in self.out.iterdir() if each.name != LOCK)
        if foreign:
            raise CorpusError(
                f"the folder {str(self.out)!r} holds other files ({foreign[0]!r}); choose a new or empty folder with --out"
            )
        header = {"format": f"{FORMAT} journal", "version": VERSION, "identity": self.identity}
        with _writing(self.out), atomic_path(self._path) as temporary:
            temporary.write_bytes(_line(header))

    def _resume(self) -> None:
        whole = 0
        with open(self._path, "rb") as handle:
            for number, line in enumerate(handle):
                value = _parsed(line)
                if number == 0:
                    self._check(value)
                elif value is not None and isinstance(value.get("shard"), int) and self._sound(value):
                    value["rejects"] = len(value["rejects"])
                    self.shards[value["shard"]] = value
                    self._offsets[value["shard"]] = whole
                if line.endswith(b"\n"):
                    whole += len(line)
        if whole < self._path.stat().st_size:
            with _writing(self.out):
                os.truncate(self._path, whole)

    def _check(self, header: dict[str, Any] | None) -> None:
        if header is None or header.get("format") != f"{FORMAT} journal" or header.get("version") != VERSION:
            raise CorpusError(f"{str(self._path)!r} is no journal of this version of textlrp; choose another folder with --out")
        if found := differences(header.get("identity"), self.identity):
            raise CorpusError(
                f"the folder {str(self.out)!r} holds an unfinished run with {found}; repeat that command to finish it, "
                "or choose another folder with --out"
            )

    def _sound(self, record: dict[str, Any]) -> bool:
        """Whether the shard of a record is there as it was written."""
        try:
            data = (self.out / Path(record["file"]).name).read_bytes()
            whole = all(isinstance(record[name], kind) for name, kind in _RECORD.items())
            return whole and len(data) == record["bytes"] and hashlib.sha256(data).hexdigest() == record["sha256"]
        except (OSError, KeyError, TypeError):
            return False

    def add(self, record: dict[str, Any]) -> None:
        """Note that a shard is finished; the line is on the disk when this returns."""
        with _writing(self.out):
            offset = self._handle.seek(0, os.SEEK_END)
            self._handle.write(_line(record))
            self._handle.flush()
            os.fsync(self._handle.fileno())
        self._offsets[record["shard"]] = offset
        self.shards[record["shard"]] = {**record, "rejects": len(record["rejects"])}

    def rejects(self) -> Iterator[dict[str, Any]]:
        """Yield the rows that were left out, in the order of the stream, each with its number, id and reason."""
        with open(self._path, "rb") as handle:
            for number in sorted(self._offsets):
                handle.seek(self._offsets[number])
                yield from json.loads(handle.readline())["rejects"]

    def finish(self) -> dict[str, Any]:
        """Write the rejects and the manifest, each whole, and remove the journal; return the manifest."""
        shards = [self.shards[number] for number in sorted(self.shards)]
        source = hashlib.sha256("".join(each["input"] for each in shards).encode()).hexdigest()
        counts: dict[str, Any] = {name: sum(each[name] for each in shards) for name in ("texts", "rejects", "tokens")}
        classes: list[str] = self.identity["shape"]["classes"]
        counts["rows"] = shards[-1]["rows"][1] if shards else 0
        counts["predicted"] = {name: sum(each["predicted"][name] for each in shards) for name in classes}
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            **self.identity,
            "source": {**self.identity["source"], "sha256": source},
            "counts": counts,
            "shards": [{key: value for key, value in each.items() if key != "shard"} for each in shards],
        }
        with _writing(self.out):
            with atomic_path(self.out / REJECTS) as temporary, open(temporary, "wb") as handle:
                handle.writelines(map(_line, self.rejects()))
            write_json(self.out / MANIFEST, manifest)
            self._handle.close()
            self._path.unlink()
            remove_leftovers(self.out)
        return manifest

    def close(self) -> None:
        """Close the journal, to be gone on with later; where no shard is finished, nothing is, and the folder is free again."""
        if not self._handle.closed:
            self._handle.close()
            if not self.shards:
                with _writing(self.out):
                    self._path.unlink(missing_ok=True)


def finished(out: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the manifest of a run that is finished, None where there is none; CorpusError where it was another run's."""
    if not (out / MANIFEST).exists():
        return None
    manifest = read_json(out / MANIFEST)
    theirs: dict[str, Any] = {key: manifest.get(key) for key in identity}
    if isinstance(theirs.get("source"), dict):
        theirs["source"] = {key: value for key, value in theirs["source"].items() if key != "sha256"}
    if found := differences(theirs, identity):
        raise CorpusError(f"the folder {str(out)!r} holds a finished run with {found}; choose another folder with --out")
    (out / JOURNAL).unlink(missing_ok=True)
    return manifest


@contextlib.contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise no_room(out, error) from error


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def _parsed(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
