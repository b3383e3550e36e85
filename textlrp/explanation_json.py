"""Explanations as JSON: a version, a schema, limits; whatever `to_json` did not write is refused with a reason."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from textlrp.errors import ExplanationError
from textlrp.explanation import Explanation
from textlrp.strict_json import parse
from textlrp.text.tokens import Token

__all__ = ["from_dict", "from_json", "to_dict", "to_json"]

FORMAT = "textlrp explanation"
VERSION = 1
MOST_CHARACTERS = 200_000_000  # of a text
MOST_TOKENS = 10_000_000
MOST_NAMES = 100_000  # classes, ledger entries

# Two lone surrogates side by side would come back from JSON as one character: such a text is stored in pieces.
_BETWEEN_SURROGATES = re.compile("(?<=[\ud800-\udbff])(?=[\udc00-\udfff])")

_FIELDS: dict[str, type] = {
    "format": str,
    "version": int,
    "text": object,
    "tokens": list,
    "relevance": list,
    "target": str,
    "score": float,
    "ledger": dict,
    "prediction": str,
    "probabilities": dict,
    "known": list,
    "read_to": int,
    "model": str,
    "rule": str,
    "gates": str,
}


def to_dict(e: Explanation) -> dict[str, Any]:
    """Give `e` as lists, numbers and strings; lone surrogates stay, so write it with `json.dumps`' own ASCII escapes.

    >>> e = Explanation("Good!", (Token("Good", 0, 4), Token("!", 4, 5)), [1.0, 0.5], "positive", 1.5, {"words": 1.5})
    >>> to_dict(e)["tokens"][1], to_dict(e)["relevance"]
    ({'text': '!', 'start': 4, 'end': 5}, [1.0, 0.5])
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "text": _pack(e.text),
        "tokens": [{"text": _pack(token.text), "start": token.start, "end": token.end} for token in e.tokens],
        "relevance": e.relevance.tolist(),
        "target": e.target,
        "score": e.score,
        "ledger": dict(e.ledger),
        "prediction": e.prediction,
        "probabilities": dict(e.probabilities),
        "known": list(e.known),
        "read_to": e.read_to,
        "model": e.model,
        "rule": e.rule,
        "gates": e.gates,
    }


def from_dict(data: Mapping[str, Any]) -> Explanation:
    """Make the explanation that `to_dict` wrote; anything else raises ExplanationError, which names what is wrong."""
    if not isinstance(data, Mapping):
        raise ExplanationError(f"a stored explanation is a dict, not {type(data).__name__}")
    if data.get("format") != FORMAT:
        raise ExplanationError(f"this is not a stored explanation: its field 'format' must be {FORMAT!r}")
    if data.get("version") != VERSION or isinstance(data.get("version"), bool):
        version = repr(data.get("version"))[:40]
        raise ExplanationError(f"this explanation has version {version}; this textlrp reads version {VERSION}: update textlrp")
    missing, foreign = sorted(_FIELDS.keys() - data.keys()), sorted(map(repr, data.keys() - _FIELDS.keys()))
    if missing or foreign:
        what = f"lacks {', '.join(missing)}" if missing else f"has the unknown field {foreign[0][:60]}"
        raise ExplanationError(f"a stored explanation {what}; its fields are {', '.join(_FIELDS)}")
    for name, kind in _FIELDS.items():
        if not _is(data[name], kind):
            raise ExplanationError(f"the field {name!r} of a stored explanation has the type {type(data[name]).__name__}")
    for name, most in {"tokens": MOST_TOKENS, "relevance": MOST_TOKENS, "known": MOST_TOKENS, "ledger": MOST_NAMES}.items():
        if len(data[name]) > most:
            raise ExplanationError(f"the field {name!r} of a stored explanation has more than {most:,} entries")
    if len(data["probabilities"]) > MOST_NAMES:
        raise ExplanationError(f"the field 'probabilities' of a stored explanation has more than {MOST_NAMES:,} entries")
    if not all(_is(each, float) for each in data["relevance"]):
        raise ExplanationError("the field 'relevance' of a stored explanation must hold numbers only")
    if len(data["known"]) != len(data["tokens"]):
        raise ExplanationError("the fields 'known' and 'tokens' of a stored explanation must have the same length")
    if data["read_to"] < 0:
        raise ExplanationError("the field 'read_to' of a stored explanation must not be negative")
    given = {name: data[name] for name in _FIELDS if name not in ("format", "version")}
    tokens = tuple(_token(each) for each in data["tokens"])
    try:
        return Explanation(**{**given, "text": _unpack(data["text"]), "tokens": tokens})
    except OverflowError as error:
        raise ExplanationError("a stored explanation holds a number that is too large") from error


def to_json(e: Explanation, *, indent: int | None = None) -> str:
    """Give `e` as JSON in pure ASCII; equal explanations give equal strings."""
    return json.dumps(to_dict(e), ensure_ascii=True, allow_nan=False, indent=indent)


def from_json(data: str | bytes) -> Explanation:
    """Read the explanation that `to_json` wrote; JSON that is broken, too deep, or not ours raises ExplanationError."""
    try:
        parsed = parse(data)
    except (ValueError, TypeError, AttributeError) as error:
        raise ExplanationError(f"this is not the JSON of a stored explanation: {str(error)[:200]}") from error
    return from_dict(parsed)


def _is(value: Any, kind: type) -> bool:
    """Whether a JSON value has the type; a truth value is no number, a whole number is one."""
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float) if kind is float else isinstance(value, kind)


def _token(data: Any) -> Token:
    if not isinstance(data, dict) or data.keys() != {"text", "start", "end"}:
        raise ExplanationError("a token of a stored explanation has the fields text, start and end, no others")
    return Token(_unpack(data["text"]), data["start"], data["end"])


def _pack(text: str) -> str | list[str]:
    pieces = _BETWEEN_SURROGATES.split(text)
    return text if len(pieces) == 1 else pieces


def _unpack(value: Any) -> str:
    pieces = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) for each in pieces):
        raise ExplanationError("a text in a stored explanation must be a string (or a list of strings, to be joined)")
    text = "".join(pieces)
    if len(text) > MOST_CHARACTERS:
        raise ExplanationError(f"a text in a stored explanation has more than {MOST_CHARACTERS:,} characters")
    return text
