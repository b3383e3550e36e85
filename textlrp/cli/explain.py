"""`textlrp explain`: which words spoke for and against."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from textlrp.cli.common import console, epilog, model_option, open_model, read_text, rule_options, say, write_out

__all__ = ["explain", "target_of"]


@click.command(
    epilog=epilog(
        'textlrp explain "Not bad at all, but the ending was a mess."',
        'textlrp explain "A dull, lifeless film." --model imdb-dense --target positive --top 10',
        "textlrp explain --file review.txt --html review.html --png review.png --latex review.tex",
        "cat review.txt | textlrp explain - --json - | jq .relevance",
    )
)
@click.argument("text", required=False)
@click.option("--file", type=click.Path(path_type=Path), help="Read the text from this file.")
@model_option
@click.option(
    "--target",
    default="predicted",
    show_default=True,
    metavar="T",
    help="What is explained: predicted, margin (one class against the other), or a class by name or number.",
)
@rule_options
@click.option("--top", type=click.IntRange(0), help="How many words to list on each side. Default: 5, and 8 on a page.")
@click.option("--html", metavar="F", help="Write one self-contained page; - writes it to standard output.")
@click.option("--json", "as_json", metavar="F", help="Write the explanation as JSON; - writes it to standard output.")
@click.option(
    "--markdown", metavar="F", help="Write Markdown, with marks for sign and strength; - writes it to standard output."
)
@click.option("--latex", metavar="F", help="Write a LaTeX document that can be compiled; - writes it to standard output.")
@click.option("--svg", metavar="F", help="Draw the coloured text as SVG; - writes it to standard output.")
@click.option("--png", metavar="F", help="Draw the coloured text as PNG.")
@click.option(
    "--flow", metavar="F", help="Draw how the score travels through the layers, as SVG; - writes it to standard output."
)
def explain(
    text: str | None,
    file: Path | None,
    model: str,
    target: str,
    rule: str,
    gates: str,
    top: int | None,
    html: str | None,
    as_json: str | None,
    flow: str | None,
    markdown: str | None,
    latex: str | None,
    svg: str | None,
    png: str | None,
) -> None:
    """Explain one review: TEXT, or - for standard input, or --file.

    Prints the review with its words coloured (+ for the target, - against it), the prediction, the strongest words of both
    sides, and the ledger: how the explained score divides into words, biases and what the stabilisers absorbed.
    """
    if png == "-":
        raise click.UsageError("a PNG is not written to a terminal; give --png the name of a file")
    review = read_text(text, file)
    classifier = open_model(model)
    explained = target_of(target, classifier.classes_)
    explanation = classifier.explain(review, target=explained, rule=rule, gates=gates)
    if as_json is not None:
        write_out(as_json, explanation.to_json() + "\n")
    words: dict[str, Any] = {} if top is None else {"k": top}  # each form has a number of its own
    if html is not None:
        write_out(html, explanation.to_html(**words))
    if flow is not None:
        from textlrp.highlight.flow import draw
        from textlrp.tracing import trace

        write_out(flow, draw(trace(classifier, review, target=explained, rule=rule, gates=gates)) + "\n")
    if markdown is not None:
        write_out(markdown, explanation.to_markdown(**words))
    if latex is not None:
        write_out(latex, explanation.to_latex(document=True, **words))
    if svg is not None:
        write_out(svg, explanation.to_svg(**words))
    if png is not None:
        from textlrp.files import write_bytes

        write_bytes(png, explanation.to_png(**words))
    written = (html, as_json, flow, markdown, latex, svg, png)
    if "-" not in written:
        from textlrp.highlight.terminal import render

        console().print(render(explanation, top=5 if top is None else top))
        for path in written:
            if path is not None:
                say(f"written: {path}")


def target_of(name: str, classes: Sequence[str]) -> str | int:
    """A number on the command line is a class index, unless a class has that name.

    >>> target_of("1", ["bad", "good"]), target_of("1", ["1", "2"]), target_of("margin", ["1", "2"])
    (1, '1', 'margin')
    """
    return int(name) if name not in classes and re.fullmatch("-?[0-9]{1,9}", name) else name
