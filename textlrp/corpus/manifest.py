"""The manifest of a finished run: what was explained, how, and the shards with their sums."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textlrp.corpus.failures import CorpusError

__all__ = ["FORMAT", "MANIFEST", "REJECTS", "VERSION", "differences", "open_manifest", "read_json"]

FORMAT, VERSION = "textlrp corpus", 1
MANIFEST, REJECTS = "manifest.json", "rejects.jsonl"
_MOST_BYTES = 1 << 30
_FIELDS = {"model": dict, "settings": dict, "source": dict, "shape": dict, "versions": dict, "counts": dict, "shards": list}


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file that anybody may have made; CorpusError where it is none."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise CorpusError(
                f"{str(path)!r} is over {_MOST_BYTES >> 20} MiB, too large for a manifest; is it the right folder?"
            )
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise CorpusError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{str(path)!r} is damaged, it is not JSON ({str(error)[:100]}); explain the corpus again") from error
    if not isinstance(value, dict):
        raise CorpusError(f"{str(path)!r} is no manifest of textlrp; explain the corpus again")
    return value


def open_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a finished run; CorpusError where there is none, it is unfinished, or of another version."""
    path = folder / MANIFEST
    if not path.is_file():
        if (folder / "journal.jsonl").is_file():
            raise CorpusError(
                f"the run in {str(folder)!r} is not finished; repeat its command, and it goes on where it stopped"
            )
        raise CorpusError(
            f"{str(folder)!r} holds no explained corpus; give the folder that `textlrp explain-corpus --out` wrote"
        )
    manifest = read_json(path)
    if manifest.get("format") != FORMAT or any(not isinstance(manifest.get(k), kind) for k, kind in _FIELDS.items()):
        raise CorpusError(f"{str(path)!r} is no manifest of an explained corpus; give the folder of `textlrp explain-corpus`")
    if manifest.get("version") != VERSION:
        version = str(manifest.get("version"))[:20]
        raise CorpusError(f"{str(path)!r} has version {version}; this textlrp reads version {VERSION}: update textlrp")
    return manifest


def differences(theirs: Any, ours: Mapping[str, Any]) -> str:
    """Say in which settings two runs differ; an empty string where in none.

    >>> differences({"settings": {"rule": "gamma", "gates": "all"}}, {"settings": {"rule": "zero", "gates": "all"}})
    "rule 'gamma' (this one has 'zero')"
    """
    found = []
    for part, values in ours.items():
        other = theirs.get(part) if isinstance(theirs, Mapping) else None
        if not isinstance(values, Mapping) or not isinstance(other, Mapping):
            if other != values:
                found.append(f"another {part}")
            continue
        for name in sorted({*values, *other}):
            if values.get(name) != other.get(name):
                called = f"{part} {name}" if part in ("model", "versions", "source") else name
                found.append(f"{called} {_shown(other.get(name))} (this one has {_shown(values.get(name))})")
    return ", ".join(list(dict.fromkeys(found))[:4])  # a rule is among the settings and in the shape


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:59] + "…"
