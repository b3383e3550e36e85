"""Checks for the fields of a configuration: each takes a name and a value and returns the value, or says what is allowed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from textlrp.errors import InputError, unknown_name

__all__ = ["Check", "choice", "choices", "class_names", "flag", "number", "optional", "whole", "wholes"]

Check = Callable[[str, Any], Any]


def whole(low: int, high: int) -> Check:
    """Make a check for a whole number from `low` to `high`.

    >>> whole(1, 8)("layers", 2)
    2
    """

    def check(name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise InputError(f"{name} must be a whole number from {low} to {high}, not {_short(value)}")
        return value

    return check


def wholes(low: int, high: int, *, most: int, least: int = 0) -> Check:
    """Make a check for a list of `least` to `most` whole numbers, each from `low` to `high`."""
    one = whole(low, high)

    def check(name: str, value: Any) -> tuple[int, ...]:
        if not isinstance(value, (list, tuple)) or not least <= len(value) <= most:
            raise InputError(f"{name} must be a list of {least} to {most} whole numbers, not {_short(value)}")
        return tuple(one(f"each of {name}", each) for each in value)

    return check


def number(low: float, high: float) -> Check:
    """Make a check for a finite number from `low` to `high`."""

    def check(name: str, value: Any) -> float:
        sound = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if not sound or not low <= value <= high:
            raise InputError(f"{name} must be a number from {low:g} to {high:g}, not {_short(value)}")
        return float(value)

    return check


def flag(name: str, value: Any) -> bool:
    """Check that a value is true or false."""
    if not isinstance(value, bool):
        raise InputError(f"{name} must be true or false, not {_short(value)}")
    return value


def choice(*known: str) -> Check:
    """Make a check for one of the names `known`."""

    def check(name: str, value: Any) -> str:
        if value not in known or not isinstance(value, str):
            raise unknown_name(name, _short(value) if not isinstance(value, str) else value[:80], known)
        return value

    return check


def choices(*known: str) -> Check:
    """Make a check for one or several different names of those `known`; a single name may stand without its list."""
    one = choice(*known)

    def check(name: str, value: Any) -> tuple[str, ...]:
        value = (value,) if isinstance(value, str) else value
        if not isinstance(value, (list, tuple)) or not value or len(value) > len(known):
            raise InputError(f"{name} must be a list of 1 to {len(known)} of {', '.join(known)}, not {_short(value)}")
        names = tuple(one(name, each) for each in value)
        if len(set(names)) < len(names):
            raise InputError(f"{name} names the same twice: {_short(list(names))}; name each once")
        return names

    return check


def optional(check: Check) -> Check:
    """Make a check that also lets None through."""
    return lambda name, value: None if value is None else check(name, value)


def class_names(name: str, value: Any) -> tuple[str, ...]:
    """Check the names of the classes: 2 to 10,000 different strings of at most 1,000 characters."""
    if not isinstance(value, (list, tuple)) or not 2 <= len(value) <= 10_000:
        raise InputError(f"{name} must be a list of 2 to 10,000 class names, not {_short(value)}")
    for each in value:
        if not isinstance(each, str) or len(each) > 1_000 or not _encodes(each):
            raise InputError(f"each of {name} must be a string of at most 1,000 characters, valid Unicode, not {_short(each)}")
    if len(set(value)) < len(value):
        raise InputError(f"{name} holds the same name twice: {_short(list(value))}; give each class its own name")
    return tuple(value)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair: it could not be printed
        return False
    return True


def _short(value: Any) -> str:
    if isinstance(value, (list, tuple)) and len(value) > 8:
        return f"a list of {len(value)}"
    if isinstance(value, int) and abs(value) > 10**30:  # printing a huge number may itself be refused
        return "a number of more than 30 digits"
    if isinstance(value, dict):
        return "an object"
    try:
        shown = repr(value)
    except (ValueError, RecursionError):
        return f"a {type(value).__name__}"
    return shown if len(shown) <= 80 else shown[:77] + "…"
