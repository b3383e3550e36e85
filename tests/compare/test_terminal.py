"""A comparison in a terminal: narrow enough, and nothing that talks to the terminal."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tests.compare.conftest import PIECES, compared
from textlrp.comparison import Comparison
from textlrp.highlight.compare_terminal import strip


def printed(found: Comparison, width: int = 80) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, markup=False, emoji=False, highlight=False, no_color=True)
    console.print(found.to_terminal(width=width))
    return out.getvalue()


def test_every_line_fits_and_every_number_stands_there() -> None:
    lines = printed(compared("a good film, but dull " * 40)).splitlines()
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "rank correlation" in text
    assert "LIME: no such package" in text


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join))
def test_no_control_character_of_a_text_reaches_the_terminal(text: str) -> None:
    assert not set(printed(compared(text))) & {"\x1b", "\x00", "\u202e", "\u2066", "\r", "\ud800"}


@pytest.mark.parametrize("width", [5, 10, 40])
def test_a_strip_shows_the_strongest_word_wherever_it_is(width: int) -> None:
    for place in (0, 17, 39):
        relevance = np.zeros(40)
        relevance[place] = -1.0
        drawn = strip(relevance, 1.0, width).plain
        assert len(drawn) == width
        assert drawn.index("▼") == place * width // 40
        assert drawn.strip() == "▼"
