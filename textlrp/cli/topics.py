"""`textlrp topics`: the words of each class of documents, and how well relevance tells the documents apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from textlrp.cli.common import (
    console,
    data_options,
    epilog,
    model_option,
    open_model,
    read_reviews,
    rule_options,
    say,
    write_out,
)
from textlrp.errors import InputError

if TYPE_CHECKING:
    from textlrp.documents import TopicsReport

__all__ = ["topics"]

FORMS = (".png", ".svg", ".pdf")


@click.command(
    epilog=epilog(
        "textlrp train --data articles.csv --label-column section --arch dense --out sections",
        "textlrp topics --model sections --data articles.test.csv --label-column section --top 12",
        "textlrp topics --model sections --data articles.test.csv --plot documents.png --json topics.json",
    )
)
@model_option
@data_options
@click.option("--top", default=10, show_default=True, type=click.IntRange(1), help="How many words of each class.")
@click.option(
    "--by", type=click.Choice(["mean", "total"]), default="mean", show_default=True, help="Order by mean or total relevance."
)
@click.option(
    "--min-texts",
    type=click.IntRange(1),
    help="Leave out words that fewer documents of the class hold. Default: 1 in 33 of them, at least 3.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**32 - 1),
    help="Of the random splits and of random deletion.",
)
@rule_options
@click.option("--plot", metavar="F", help="Draw the documents as points (.png, .svg or .pdf).")
@click.option("--json", "as_json", metavar="F", help="Write JSON; - writes it to standard output.")
def topics(
    model: str,
    data: str,
    top: int,
    by: Literal["mean", "total"],
    min_texts: int | None,
    seed: int,
    rule: str,
    gates: str,
    plot: str | None,
    as_json: str | None,
    **options: Any,
) -> None:
    """Explain a classifier of documents: the words of each class, documents as points, and the targets compared.

    Each document is explained for the class it is predicted to be of. Its relevances make a vector of it, Σ R·x, and the
    better its nearest neighbours then tell its class, the more the relevances hold of what matters. Deleting the most
    relevant words shows which target finds the words that decide: a class's score, or its margin over the next class.
    """
    from textlrp.documents import report_topics
    from textlrp.progress import shown

    if plot is not None and Path(plot).suffix.lower() not in FORMS:
        raise InputError(f"cannot draw {plot!r}; the name must end in one of {', '.join(FORMS)}")
    with shown():
        classifier = open_model(model)
        classes = [str(name) for name in classifier.classes_]
        found = read_reviews(data, classes=classes, **options)
        report = report_topics(
            classifier, found["text"], found["label"], rule=rule, gates=gates, min_texts=min_texts, seed=seed
        )
    if as_json is not None:
        write_out(as_json, json.dumps({"model": model, "data": data, **report.to_dict(top, by=by)}, indent=2) + "\n")
    if plot is not None:
        from textlrp.files import write_bytes

        write_bytes(plot, report.plot(form=Path(plot).suffix[1:].lower()))
    for path in (as_json, plot):
        if path not in (None, "-"):
            say(f"written: {path}")
    if as_json != "-":
        _print(report, top, by)


def _print(report: TopicsReport, top: int, by: Literal["mean", "total"]) -> None:
    from rich.table import Table

    from textlrp.highlight.plain import short

    out = console()
    out.print(f"{len(report.labels):,} documents, {100 * report.accuracy:.1f} % of them classified right")
    table = Table(title=f"the words of each class, by {by} relevance", show_lines=True)
    for column, side in (("class", "left"), ("documents", "right"), ("words", "left")):
        table.add_column(column, justify=side)  # type: ignore[arg-type]
    for name, ranking in report.words.items():
        words = ", ".join(short(each.word) for each in ranking.top(top, by=by).positive)
        table.add_row(short(name), f"{ranking.counted:,}", words)
    out.print(table)
    table = Table(title="accuracy of the nearest neighbours of documents, by how their vectors are made")
    table.add_column("vector")
    some = next(iter(report.neighbours.values()))
    places = range(0, len(some.k), 2)
    for place in places:
        table.add_column(f"k={some.k[place]}", justify="right")
    table.add_column("best", justify="right")
    for name, each in report.neighbours.items():
        best = f"{100 * each.power:.1f} ± {100 * each.deviation[each.best]:.1f} at k={each.k[each.best]}"
        table.add_row(name, *(f"{100 * each.accuracy[place]:.1f}" for place in places), best)
    out.print(table)
    table = Table(title="share of documents whose class is kept after deleting their most relevant words")
    table.add_column("target")
    for share in report.targets.shares:
        table.add_column(f"{share:.0%}", justify="right")
    table.add_column("mean", justify="right")
    for name, kept in report.targets.kept.items():
        table.add_row(name, *(f"{100 * a:.1f}" for a in kept), f"{100 * report.targets.mean(name):.1f}")
    out.print(table)
    out.print(report.targets.in_words())
