"""Explanations as Markdown that every reader shows alike: strength and sign are marks beside the words, not colours."""

from __future__ import annotations

import re
from collections.abc import Iterable

from textlrp.explanation import Explanation
from textlrp.highlight import plain, spans
from textlrp.highlight.scale import LEVELS, Scale, level, limits

__all__ = ["escaped", "markdown", "marks"]

MARKED = LEVELS // 4  # tokens from this step of the scale on carry a mark
_PUNCTUATION = re.compile(r"([!#$&)*+\-.:<=>@\[\\\]^_`{|}~])")  # what begins or ends any markup; the rest stays readable
_BREAK = re.compile("\r\n|[\n\r]")


def markdown(explanations: Explanation | Iterable[Explanation], *, scale: Scale = "shared", k: int = 5) -> str:
    """Give explanations as CommonMark (with GitHub's tables): each text as written, then its `k` strongest words on each side.

    Words for the target carry ⁺, ⁺⁺ or ⁺⁺⁺ by their strength on the scale (see `textlrp.highlight.html.page`), words against it
    ⁻ to ⁻⁻⁻; weak ones none. All of a text's own markup and HTML is escaped; control characters are shown as pictures.

    >>> from textlrp.text.tokens import Token
    >>> e = Explanation("*ok*", (Token("*ok*", 0, 4),), [1.0], "positive", 1.0, {"words": 1.0})
    >>> markdown(e).splitlines()[2]
    '> \\\\*ok\\\\*⁺⁺⁺'
    """
    found = [explanations] if isinstance(explanations, Explanation) else list(explanations)
    parts = [_one(e, limit, k) for e, limit in zip(found, limits(found, scale), strict=True)]
    return "\n---\n\n".join(parts)


def marks(step: int) -> str:
    """Give the marks of a step of the scale: none up to a quarter, then one to three of its sign.

    >>> [marks(step) for step in (12, 6, 3, 2, -12)]
    ['⁺⁺⁺', '⁺⁺', '⁺', '', '⁻⁻⁻']
    """
    if abs(step) < MARKED:
        return ""
    return ("⁺" if step > 0 else "⁻") * min(abs(step) * 4 // LEVELS, 3)


def escaped(text: str) -> str:
    """Escape one line: Markdown sees no markup in it, and spaces stay where they are.

    >>> escaped("<b>1. *x*</b>")
    '\\\\<b\\\\>1\\\\. \\\\*x\\\\*\\\\</b\\\\>'
    """
    shown = _PUNCTUATION.sub(r"\\\1", plain.visible(text.replace("\t", "    ")))
    return re.sub(r"^ | (?= )| $", "&nbsp;", shown)


def _one(e: Explanation, limit: float, k: int) -> str:
    lines = [""]
    for text, i, read in spans.pieces(e):
        for number, line in enumerate(_BREAK.split(text)):
            if number:
                lines.append("")
            mark = marks(level(e.relevance[i], limit)) if i >= 0 else ""
            lines[-1] += _inside(line) + mark
        if not read and not lines[-1].endswith("…"):
            lines.append(f"_(read up to character {e.read_to:,} of {len(e.text):,}; the rest had no part)_")
    body = "\\\n> ".join(re.sub("^[ \u00a0]|[ \u00a0]$", "&nbsp;", line) or "&nbsp;" for line in lines)
    return "\n".join([_head(e), "", f"> {body}", "", *_table(e, k), "", _ledger(e), ""])


def _inside(line: str) -> str:
    return _PUNCTUATION.sub(r"\\\1", plain.visible(line.replace("\t", "    "))).replace("  ", "&nbsp; ")


def _head(e: Explanation) -> str:
    parts = []
    if e.prediction:
        share = f" ({plain.percent(e.probabilities[e.prediction])})" if e.probabilities else ""
        parts.append(f"**prediction** {escaped(plain.short(e.prediction))}{share}")
    parts.append(f"**explained** {escaped(plain.short(e.target))}, score {plain.number(e.score)}")
    return " · ".join(parts)


def _table(e: Explanation, k: int) -> list[str]:
    top = e.top(k)
    rows = max(len(top.positive), len(top.negative))
    if not rows:
        return []
    cells = [[f"{escaped(plain.short(word))} {plain.number(value)}" for word, value in side] for side in top]
    head = " | ".join(f"{sign} {escaped(plain.short(side))}" for sign, side in zip("+−", e.sides, strict=True))
    lines = [f"| {head} |", "| --- | --- |"]
    lines += [f"| {' | '.join(side[i] if i < len(side) else '' for side in cells)} |" for i in range(rows)]
    return lines


def _ledger(e: Explanation) -> str:
    entries = [(name, value) for name, value in e.ledger.items() if value or name in ("words", "bias")]
    words = ", ".join(f"{escaped(plain.short(name.replace('_', ' ')))} {plain.number(value)}" for name, value in entries)
    return f"**ledger** {words}, together {plain.number(sum(e.ledger.values()))}"
