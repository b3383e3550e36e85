"""JSON that somebody else may have written: every key once, finite numbers, bounded depth and number of parts."""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["parse"]


def parse(data: str | bytes, *, most_depth: int | None = None, most_parts: int | None = None) -> Any:
    """Parse JSON (UTF-8 where it comes as bytes); whatever is wrong with it is a ValueError that says so.

    `most_depth` is how deep lists and objects may lie in each other, `most_parts` how many of both there may be: each takes
    sixty bytes of memory and two to write.

    >>> parse('{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    >>> parse('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ...
    ValueError: the key 'a' stands twice in one object
    """
    text = data.decode("utf-8") if isinstance(data, bytes) else data
    if most_parts is not None and text.count("[") + text.count("{") > most_parts:
        raise ValueError(f"it holds more than {most_parts:,} lists and objects")
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if most_depth is not None:
        _check_depth(value, most_depth)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = set()
        for name, _ in pairs:
            if name in names:
                raise ValueError(f"the key {name[:40]!a} stands twice in one object")
            names.add(name)
    return found


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _finite(figures: str) -> float:
    value = float(figures)
    if math.isinf(value):
        raise ValueError(f"the number {figures[:40]} is too large")
    return value


def _check_depth(value: Any, most: int) -> None:
    level = [value]
    for _ in range(most + 1):
        level = [each for each in level if isinstance(each, (dict, list))]
        if not level:
            return
        level = [each for outer in level for each in (outer.values() if isinstance(outer, dict) else outer)]
    raise ValueError(f"it is nested more than {most} levels deep")
