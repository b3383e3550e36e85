"""A hostile text under hand-written methods, and a Chromium to look at pages with."""

from __future__ import annotations

import re

import numpy as np

from textlrp.comparison import Compared, Comparison, Skipped
from textlrp.explanation import Explanation
from textlrp.text.tokens import tokenise

PIECES = [
    "<script>window.pwned = 1</script>",
    "<img src=x onerror='window.pwned = 1'>",
    "</div></section></body>",
    "{{ 7*7 }}",
    "{% for x in y %}",
    "javascript:alert(1)",
    "</script>",
    "</style>",
    "<!--",
    "]]>",
    "&amp;",
    "&lt;",
    '" onmouseover="window.pwned = 1',
    "' tabindex='1",
    "`${1}`",
    "\\",
    "\u202e",
    "\u2066",
    "\u2069",
    "\u200f",
    "e\u0301\u0302",
    "\U0001f600",
    "\x00",
    "\ud800",
    "\r\n",
    "\n\n",
    "\t",
    "  ",
    "good",
    "bad",
    "\x1b[31m",
    "\ufeff",
    "\u2028",
    "x" * 300,
    "<svg onload=alert(1)>",
    "<a href='http://example.com/x'>y</a>",
    "<style>*{display:none}</style>",
]
HOSTILE_NAME = "<img src=x onerror='window.pwned = 1'> {{ 7*7 }} </title>"


def visible(text: str) -> str:
    """What a page can show of a text: NUL and lone surrogates become U+FFFD."""
    return re.sub("[\x00\ud800-\udfff]", "\ufffd", text)


def compared(text: str, *, name: str = "positive", methods: int = 4) -> Comparison:
    """A comparison of made-up methods: relevances of several sizes, one of them all 0."""
    tokens = tuple(tokenise(text))
    rows = []
    for i in range(methods):
        values = np.sin((i + 1) * np.arange(len(tokens)) + 1.0) * 10.0**-i * (i != 3)
        total = float(values.sum())
        known = tuple(j % 3 != 2 for j in range(len(tokens)))
        probabilities = {"negative": 0.25, name: 0.75}
        e = Explanation(
            text, tokens, values, name, total + 0.5, {"words": total, "bias": 0.5}, name, probabilities, known, model=name
        )
        rows.append(Compared(f"method {i} {name[:9]}", e, 0.001 * 10**i))
    return Comparison(tuple(rows), (Skipped("LIME", f"no such package {name}"),))
