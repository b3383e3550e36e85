"""`textlrp compare`: one text under several rules and methods."""

from __future__ import annotations

from pathlib import Path

import click

from textlrp.cli.common import console, epilog, model_option, open_model, read_text, say, write_out

__all__ = ["compare"]


@click.command(
    epilog=epilog(
        'textlrp compare "A fine cast in a dull film."',
        "textlrp compare --file review.txt --model imdb-dense --html compare.html",
        'textlrp compare "…" --method epsilon --method gamma --method occlusion',
    )
)
@click.argument("text", required=False)
@click.option("--file", type=click.Path(path_type=Path), help="Read the text from this file.")
@model_option
@click.option("--target", default="predicted", show_default=True, metavar="T", help="As for `textlrp explain`.")
@click.option("--method", "methods", multiple=True, metavar="NAME", help="Compare only these; may be given several times.")
@click.option("--top", default=4, show_default=True, type=click.IntRange(1), help="How many words to show on each side.")
@click.option("--html", metavar="F", help="Write a page with the text once for each method; - writes to standard output.")
def compare(
    text: str | None, file: Path | None, model: str, target: str, methods: tuple[str, ...], top: int, html: str | None
) -> None:
    """Explain one text by several LRP rules and by other methods, side by side.

    For each: the strongest words, how much of the score the words carry, the run time, and the rank correlation with the first.
    """
    from textlrp.cli.explain import target_of
    from textlrp.compare import compare as compare_methods

    review = read_text(text, file)
    found = compare_methods(open_model(model), review, target=target_of(target), methods=methods or None)
    if html is not None:
        write_out(html, found.to_html())
        if html == "-":
            return
        say(f"written: {html}")
    from rich.table import Table

    correlation = found.correlation()
    first = found.rows[0]
    table = Table(title=f"score of {first.explanation.target}: {first.explanation.score:+.3f}")
    for name, justify in (("method", "left"), ("words for", "left"), ("words against", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for name in ("words carry", "correlation", "ms"):
        table.add_column(name, justify="right")
    for i, row in enumerate(found.rows):
        sides = row.explanation.top(top)
        words = [", ".join(word for word, _ in side) for side in sides]
        table.add_row(row.method, *words, f"{row.conserved:.1%}", f"{correlation[0, i]:+.2f}", f"{1000 * row.seconds:.0f}")
    console().print(table)
