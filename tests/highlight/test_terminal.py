"""The terminal's picture of an explanation, with colours and without, and of hostile text."""

from __future__ import annotations

import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from textlrp.explanation import Explanation
from textlrp.highlight.terminal import ranking_table, render
from textlrp.ranking import rank
from textlrp.text.tokens import tokenise


def explained(text: str, strongest: int = 0) -> Explanation:
    tokens = tuple(tokenise(text))
    values = np.full(len(tokens), -0.1)
    if len(tokens):
        values[strongest] = 2.0
    total = float(values.sum())
    return Explanation(text, tokens, values, "positive", total, {"words": total, "bias": 0.0})


def printed(thing: object, *, colours: bool = False) -> str:
    out = io.StringIO()
    Console(file=out, markup=False, emoji=False, highlight=False, width=200, force_terminal=colours).print(thing)
    return out.getvalue()


def test_the_sign_is_seen_without_colours() -> None:
    assert "wonderful⁺" in printed(render(explained("a wonderful film", 1)))


def test_the_ledger_is_told() -> None:
    assert "ledger" in printed(render(explained("a film")))


@given(st.text(st.characters(codec=None), max_size=80))
def test_a_text_cannot_talk_to_the_terminal(text: str) -> None:
    shown = printed(render(explained(text)))
    assert not set(shown) & {chr(i) for i in [*range(0x20), *range(0x7F, 0xA0)] if chr(i) != "\n"}


def test_markup_of_the_printer_is_text() -> None:
    assert "[bold]" in printed(render(explained("[bold]film[/bold] :smile:"))).replace("⁺", "").replace("⁻", "")


def test_a_ranking_has_a_row_a_word() -> None:
    table = printed(ranking_table(rank([explained("good bad film")]), 5))
    assert all(word in table for word in ("good", "bad", "film"))


def hostile(name: str) -> Explanation:
    """An explanation from a foreign file, with `name` wherever a name stands."""
    scores = {name: 0.5, "negative": 0.5}
    return Explanation(
        "a film", tuple(tokenise("a film")), [1.0, -1.0], name, 1.0, {name: 1.0}, name, scores, model=name, rule=name
    )


def test_names_cannot_talk_to_the_terminal() -> None:
    shown = printed(render(hostile("\x1b[31mred\x07\x9b")))
    assert not set(shown) & {"\x1b", "\x07", "\x9b"}


def test_names_are_no_markup_of_the_printer() -> None:
    out = io.StringIO()
    console = Console(file=out, width=200)  # as a person's own console: markup on
    console.print(render(hostile("[/bold]")), ranking_table(rank([hostile("[/bold]")])))
    assert "for [/bold]" in out.getvalue()
