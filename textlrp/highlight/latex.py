"""Explanations as LaTeX: words on the colour of their relevance, with marks for the sign."""

from __future__ import annotations

import re
from collections.abc import Iterable

from textlrp.explanation import Explanation
from textlrp.highlight import plain, spans
from textlrp.highlight.scale import LEVELS, LIGHT, Scale, level, limits, shades

__all__ = ["escaped", "latex"]

MARKED = LEVELS // 4  # tokens from this step of the scale on carry a mark
LONGEST = 60  # characters that stand in one box
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "-": "{-}",  # no dashes out of two or three
    ",": "{,}",  # nor quotes out of two
    "?": "{?}",
    "!": "{!}",
    "\u00a0": "~",
}
_TABLE = str.maketrans(_SPECIAL)
_BREAK = re.compile("\r\n|[\n\r]")
_PREAMBLE = r"""% in the preamble (compile with LuaLaTeX or XeLaTeX where a text has letters beyond Latin):
%   \usepackage[T1]{fontenc} \usepackage{textcomp} \usepackage{xcolor}
\providecommand{\relevancefor}[3]{{\fboxsep=1.5pt\colorbox[HTML]{#1}{\strut #2}}\textsuperscript{#3}}
\providecommand{\relevanceagainst}[3]{{\fboxsep=1.5pt\colorbox[HTML]{#1}{\strut #2}}\textsuperscript{#3}}
"""
_DOCUMENT = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{textcomp}
\usepackage[margin=25mm]{geometry}
\usepackage{xcolor}
"""


def latex(
    explanations: Explanation | Iterable[Explanation], *, scale: Scale = "shared", document: bool = False, k: int = 5
) -> str:
    """Give explanations as a fragment to `\\input`, or with `document` as a file to compile; nothing of a text is obeyed.

    Words stand on the colour of their relevance (see `textlrp.highlight.html.page` for `scale`); strong ones carry + or − as
    well, unknown ones are in italics, and what the model did not read is grey. Then come the `k` strongest words on each side.

    >>> from textlrp.text.tokens import Token
    >>> e = Explanation("50% off", (Token("50%", 0, 3), Token("off", 4, 7)), [1.0, 0.0], "positive", 1.0, {"words": 1.0})
    >>> r"\\relevancefor{6DB1EA}{50\\%}{+} off" in latex(e)
    True
    """
    found = [explanations] if isinstance(explanations, Explanation) else list(explanations)
    parts = [_one(e, limit, k) for e, limit in zip(found, limits(found, scale), strict=True)]
    body = "\n\\bigskip\n\n".join(parts)
    if not document:
        return _PREAMBLE + body
    return f"{_DOCUMENT}{_PREAMBLE}\\begin{{document}}\n{body}\\end{{document}}\n"


def escaped(text: str) -> str:
    """Escape one line: every character that TeX obeys, and the pairs that it joins.

    >>> escaped("a_b--c")
    'a\\\\_b{-}{-}c'
    """
    return plain.visible(text.replace("\t", "    ")).translate(_TABLE)


def _one(e: Explanation, limit: float, k: int) -> str:
    ground = {sign: [each[1:].upper() for each in shades(LIGHT, sign)] for sign in (1, -1)}
    lines = [""]
    for text, i, read in spans.pieces(e):
        for number, line in enumerate(_BREAK.split(text)):
            if number:
                lines.append("")
            if i < 0:
                shown = _spaced(line)
                lines[-1] += shown if read or not line else f"{{\\color{{gray}}{shown}}}"
                continue
            step = level(e.relevance[i], limit)
            for start in range(0, len(line), LONGEST):
                lines[-1] += _token(line[start : start + LONGEST], step, ground, known=e.known[i])
    body = "\n\\par\\noindent\\leavevmode\n".join(re.sub("^ ", r"\\ ", line) + "%" for line in lines)
    return f"\\noindent {_head(e)}\\par\\medskip\n\\noindent\\leavevmode\n{body}\n\\par\\medskip\n{_words(e, k)}"


def _token(text: str, step: int, ground: dict[int, list[str]], *, known: bool) -> str:
    shown = _spaced(text)
    if not known:
        shown = f"\\textit{{{shown}}}"
    if not step:
        return shown
    sign = 1 if step > 0 else -1
    name = "relevancefor" if sign > 0 else "relevanceagainst"
    mark = "" if abs(step) < MARKED else "+" if sign > 0 else r"\ensuremath{-}"
    return f"\\{name}{{{ground[sign][abs(step) - 1]}}}{{{shown}}}{{{mark}}}"


def _spaced(text: str) -> str:
    """Keep every space: TeX would make one of many."""
    return re.sub(r" (?= )", r"\\ ", escaped(text))


def _head(e: Explanation) -> str:
    parts = []
    if e.prediction:
        share = f" ({_number(plain.percent(e.probabilities[e.prediction]))})" if e.probabilities else ""
        parts.append(f"\\textbf{{prediction}} {escaped(plain.short(e.prediction))}{share}")
    parts.append(f"\\textbf{{explained}} {escaped(plain.short(e.target))}, score {_number(plain.number(e.score))}")
    return r" \textperiodcentered{} ".join(parts)


def _words(e: Explanation, k: int) -> str:
    lines = []
    for sign, side, words in zip(("+", r"\ensuremath{-}"), e.sides, e.top(k), strict=True):
        listed = "; ".join(f"{escaped(plain.short(word))} {_number(plain.number(value))}" for word, value in words)
        lines.append(f"\\noindent {sign} \\textbf{{{escaped(plain.short(side))}:}} {listed or 'none'}\\par")
    entries = [(name, value) for name, value in e.ledger.items() if value or name in ("words", "bias")]
    ledger = "; ".join(f"{escaped(name.replace('_', ' '))} {_number(plain.number(value))}" for name, value in entries)
    total = _number(plain.number(sum(e.ledger.values())))
    return "\n".join([*lines, f"\\noindent \\textbf{{ledger:}} {ledger}; together {total}\\par", ""])


def _number(shown: str) -> str:
    return shown.replace("%", r"\%").replace("−", r"\ensuremath{-}")
