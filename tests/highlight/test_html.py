"""The page: the text exactly as written, whatever it is; nothing runs, nothing is fetched. Looked at by a real Chromium."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textlrp.explanation import Explanation
from textlrp.highlight.html import fragment, page
from textlrp.highlight.scale import DARK, LIGHT, contrast, level, shades
from textlrp.text.tokens import tokenise

PIECES = [
    "<script>window.pwned = 1</script>",
    "<img src=x onerror='window.pwned = 1'>",
    "</div></body>",
    "{{ 7*7 }}",
    "{% for x in y %}",
    "javascript:alert(1)",
    "</script>",
    "<!--",
    "]]>",
    "&amp;",
    "&lt;",
    '"',
    "'",
    "`",
    "\\",
    "\u202e",
    "\u2066",
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
    "A",
    "\x1b[31m",
    "\ufeff",
    "\u2028",
    "x" * 300,
    "<svg onload=alert(1)>",
    "<a href='http://example.com/x'>y</a>",
    "<style>*{display:none}</style>",
]
HOSTILE = st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join) | st.text(st.characters(codec=None), max_size=60)


def explained(text: str) -> Explanation:
    tokens = tuple(tokenise(text))
    values = np.sin(np.arange(len(tokens)) + 1.0)
    total = float(values.sum())
    known = tuple(i % 3 != 2 for i in range(len(tokens)))
    probabilities = {"negative": 0.25, "positive": 0.75}
    return Explanation(text, tokens, values, "positive", total, {"words": total, "bias": 0.0}, "positive", probabilities, known)


class Read(HTMLParser):
    """The text inside the element that holds the review, and every tag and attribute of the page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def visible(text: str) -> str:
    """What a page can show of a text: NUL and lone surrogates become U+FFFD."""
    return re.sub("[\x00\ud800-\udfff]", "\ufffd", text)


@given(HOSTILE)
def test_the_tags_of_a_page_do_not_depend_on_the_text(text: str) -> None:
    plain, hostile = Read(), Read()
    plain.feed(page(explained("a plain text, b")))
    hostile.feed(page(explained(text), title=text[:50]))
    assert hostile.tags - plain.tags <= {"em", "p"}
    assert not any(name.startswith("on") or name in ("src", "href") for name in hostile.attributes)


@given(HOSTILE)
def test_a_fragment_has_no_script(text: str) -> None:
    read = Read()
    read.feed(fragment(explained(text)))
    assert "script" not in read.tags


def test_zero_has_no_colour_and_signs_are_symmetric() -> None:
    assert level(0.0, 1.0) == 0
    assert all(level(v, 1.0) == -level(-v, 1.0) for v in np.linspace(0, 2, 50))


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_every_shade_can_be_read(theme: Any) -> None:
    assert min(contrast(theme.ink, shade) for sign in (1, -1) for shade in shades(theme, sign)) >= 4.5


def test_several_texts_share_a_scale_or_have_their_own() -> None:
    weak, strong = explained("a"), explained("a b c d e")
    assert page([weak, strong], scale="shared") != page([weak, strong], scale="each")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "text", [" ".join(PIECES), "\n".join(PIECES), "plain words of a review", "", "y" * 100_000], ids=range(5)
)
def test_in_a_browser_the_text_is_as_written_and_nothing_runs_or_is_fetched(
    browser: Any, tmp_path: Path, text: str, scheme: str
) -> None:
    file = tmp_path / "page.html"
    file.write_text(page(explained(text)), "utf-8")
    tab = browser.new_page(color_scheme=scheme, viewport={"width": 480, "height": 700})
    requests: list[str] = []
    problems: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("dialog", lambda dialog: problems.append("dialog"))
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.goto(file.as_uri())
    assert tab.evaluate("typeof window.pwned") == "undefined"
    shown = tab.locator(".text").first.evaluate("node => node.textContent") if text else ""
    assert shown == visible(text)
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert requests == [file.as_uri()]
    assert problems == []
    tab.close()
