"""Explanations and rankings in a terminal: colours where there are any, and marks + and − that need none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from textlrp.highlight import plain, spans
from textlrp.highlight.scale import DARK, LEVELS, LIGHT, Scale, level, limits, shades

if TYPE_CHECKING:
    from textlrp.explanation import Explanation
    from textlrp.ranking import Ranking

__all__ = ["coloured", "ranking_table", "render"]

MARKED = LEVELS // 4  # tokens from this step of the scale on carry a mark


def render(e: Explanation, *, top: int = 5, scale: Scale = "each") -> Group:
    """Give one explanation as something that rich prints: prediction, coloured text, strongest words, ledger.

    Control characters of the text are shown as pictures, so that it cannot talk to the terminal; its line breaks stay.
    """
    parts: list[Any] = [_head(e), Text(), coloured(e, limit=limits([e], scale)[0])]
    if e.truncated:
        parts.append(Text(f"(read up to character {e.read_to:,} of {len(e.text):,}; the rest is grey)", style="italic"))
    if top and e.tokens:
        parts += [Text(), _top(e, top)]
    parts += [Text(), _ledger(e)]
    return Group(*parts)


def coloured(e: Explanation, *, limit: float) -> Text:
    """Give the text as it was written, each token on the colour of its relevance; `limit` has full colour.

    A strong token is also marked by ⁺ (for the target) or ⁻ (against it); a word that the model does not know is in italics.
    """
    out = Text()
    # Coloured grounds with the ink that suits them read well on a dark terminal and on a light one.
    ground = {+1: shades(LIGHT, +1), -1: shades(LIGHT, -1)}
    for text, i, was_read in spans.pieces(e):
        shown = "\n".join(plain.visible(line) for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
        if i < 0:
            out.append(shown, style="" if was_read else "bright_black")
            continue
        step = level(e.relevance[i], limit)
        style = "italic" if not e.known[i] else ""
        if step:
            sign = 1 if step > 0 else -1
            style += f" {LIGHT.ink} on {ground[sign][abs(step) - 1]}" + (" bold" if abs(step) > LEVELS // 2 else "")
        mark = "" if abs(step) < MARKED else "⁺" if step > 0 else "⁻"
        out.append(shown + mark, style=style.strip())
    return out


def _head(e: Explanation) -> Text:
    head = Text()
    if e.prediction:
        head.append("prediction  ", style="bold")
        head.append(plain.short(e.prediction))
        if e.probabilities:
            rest = ", ".join(f"{plain.short(name)} {plain.percent(p)}" for name, p in list(e.probabilities.items())[:8])
            head.append(f"   ({rest})")
        head.append("\n")
    head.append("explained   ", style="bold")
    head.append(f"{plain.short(e.target)}, score {plain.number(e.score)}")
    made = "   ".join(f"{name} {value}" for name, value in (("model", e.model), ("rule", e.rule), ("gates", e.gates)) if value)
    if made:
        head.append(f"   {plain.short(made, 120)}", style="bright_black")
    return head


def _top(e: Explanation, k: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    columns: list[list[Text]] = []
    for side, colour, words in zip(e.sides, (LIGHT.positive, LIGHT.negative), e.top(k), strict=True):
        mark = "+" if not columns else "−"
        table.add_column(Text(f"{mark} {plain.short(side)}"), justify="left")
        strongest = max((abs(value) for _, value in words), default=0.0)
        columns.append([_bar(word, value, strongest, colour) for word, value in words] or [Text("none")])
    for row in range(max(map(len, columns))):
        table.add_row(*(column[row] if row < len(column) else Text() for column in columns))
    return table


def _bar(word: str, value: float, strongest: float, colour: str) -> Text:
    width = max(1, round(10 * abs(value) / strongest)) if strongest else 0
    return Text.assemble(f"{plain.number(value):>7} ", ("█" * width, colour), " ", plain.short(word, 24))


def _ledger(e: Explanation) -> Text:
    entries = [
        (plain.short(name.replace("_", " ")), value) for name, value in e.ledger.items() if value or name in ("words", "bias")
    ]
    line = Text("ledger      ", style="bold")
    line.append("  ".join(f"{name} {plain.number(value)}" for name, value in entries), style="not bold")
    line.append(f"  =  {plain.number(sum(e.ledger.values()))}", style="not bold")
    return line


def ranking_table(ranking: Ranking, k: int = 10, *, by: str = "mean") -> Table:
    """Give the `k` strongest words of both sides of a ranking as a table."""
    about = f"{plain.short(ranking.target)}: {ranking.counted:,} texts, words in at least {ranking.min_texts:,} of them"
    table = Table(title=Text(about))
    table.add_column("")
    table.add_column("word")
    for name in (f"{by} relevance", "texts", "occurrences", "positive share"):
        table.add_column(name, justify="right")
    top = ranking.top(k, by=by)  # type: ignore[arg-type]
    for mark, colour, words in (("+", DARK.positive, top.positive), ("−", DARK.negative, top.negative)):
        for i, each in enumerate(words):
            share = "" if each.positive_share is None else plain.percent(each.positive_share)
            figures = (plain.number(getattr(each, by)), f"{each.texts:,}", f"{each.occurrences:,}", share)
            table.add_row(
                Text(mark, style=f"bold white on {colour}"),
                Text(plain.short(each.word)),  # no markup of the printer
                *figures,
                end_section=i == len(words) - 1,
            )
    return table
