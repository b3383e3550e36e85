"""`textlrp compare`: one text under several rules and methods."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

import click

from textlrp.cli.common import console, epilog, model_option, open_model, read_text, say, write_out

__all__ = ["compare"]


@click.command(
    epilog=epilog(
        'textlrp compare "A fine cast in a dull film."',
        "textlrp compare --file review.txt --model imdb-dense --html compare.html",
        'textlrp compare "…" --methods epsilon,gamma,gradient-x-input,occlusion',
        "textlrp compare --list",
    )
)
@click.argument("text", required=False)
@click.option("--file", type=click.Path(path_type=Path), help="Read the text from this file.")
@model_option
@click.option("--target", default="predicted", show_default=True, metavar="T", help="As for `textlrp explain`.")
@click.option("--methods", metavar="A,B,…", help="Compare only these rules and methods (see --list).")
@click.option("--all", "every", is_flag=True, help="LIME and SHAP too, which take seconds (`pip install 'textlrp[compare]'`).")
@click.option("--list", "listed", is_flag=True, help="List the rules and methods, and stop.")
@click.option(
    "--scale",
    type=click.Choice(["each", "shared"]),
    default="each",
    show_default=True,
    help="Colours of the page: each method normalised to its strongest word, or one scale of relevance for all.",
)
@click.option("--top", default=3, show_default=True, type=click.IntRange(1), help="How many words to print on each side.")
@click.option("--html", metavar="F", help="Write a page; - writes it to standard output.")
@click.option("--json", "json_file", metavar="F", help="Write all numbers as JSON; - writes them to standard output.")
def compare(
    text: str | None,
    file: Path | None,
    model: str,
    target: str,
    methods: str | None,
    every: bool,
    listed: bool,
    scale: str,
    top: int,
    html: str | None,
    json_file: str | None,
) -> None:
    """Explain one text by several LRP rules and by other methods, side by side.

    For each: a strip along the text, the strongest words, how much of the score the words carry and how much is accounted for,
    the run time, and the rank correlation with every other. Without --methods: LRP's main rules and every other method but LIME
    and SHAP, in a few seconds. What cannot be used here is left out, and the reason said.
    """
    if listed:
        _list()
        return
    if methods is not None and every:
        raise click.UsageError("give --methods or --all, not both")
    if html == "-" and json_file == "-":
        raise click.UsageError("only one of --html and --json can write to standard output")
    from textlrp.cli.explain import target_of
    from textlrp.compare import compare as compare_methods
    from textlrp.progress import shown

    named = [name.strip() for name in methods.split(",") if name.strip()] if methods is not None else "all" if every else None
    review = read_text(text, file)
    classifier = open_model(model)
    with shown():
        found = compare_methods(classifier, review, target=target_of(target, classifier.classes_), methods=named)
    for path, write in (
        (html, lambda: found.to_html(scale=cast(Literal["each", "shared"], scale))),
        (json_file, lambda: found.to_json(indent=1)),
    ):
        if path is not None:
            write_out(path, write())
            if path != "-":
                say(f"written: {path}")
    if "-" not in (html, json_file):
        out = console()
        out.print(found.to_terminal(top=top, width=out.width))


def _list() -> None:
    from textlrp import lrp
    from textlrp.baselines import LIMITED, METHODS
    from textlrp.compare import RULES, SLOW

    for name, preset in lrp.PRESETS.items():
        click.echo(f"{'*' if name in RULES else ' '} {name}: {preset.description}")
    for name, method in {**METHODS, **LIMITED}.items():
        said = (method.__doc__ or "").splitlines()[0].strip().rstrip(".")
        click.echo(f"{' ' if name in SLOW else '*'} {name}: {said}")
    click.echo("* is compared where no methods are named; --all adds LIME and SHAP.")
