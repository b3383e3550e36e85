"""`textlrp evaluate-explanations`: how faithful each method's explanations of a model are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from textlrp.cli.common import console, data_options, epilog, model_option, open_model, read_reviews, say, write_out

__all__ = ["evaluate_explanations"]


@click.command(
    name="evaluate-explanations",
    epilog=epilog(
        "textlrp evaluate-explanations --model imdb-dense --data bundled",
        "textlrp evaluate-explanations --model imdb-lstm --data imdb:test --limit 500 --methods epsilon,gradient --state runs",
        "textlrp evaluate-explanations --model mine --data mine.csv --measures deletion,cost --markdown - --plot curves.svg",
    ),
)
@model_option
@data_options
@click.option(
    "--methods",
    default="lrp,baselines",
    show_default=True,
    metavar="M,…",
    help="Methods or groups: lrp, gates, baselines, cheap, all, or names such as epsilon, epsilon:half, LIME.",
)
@click.option("--measures", metavar="M,…", help="Measures: deletion, sensitivity-n, stability, cost… Default: all.")
@click.option("--limit", default=200, show_default=True, type=click.IntRange(1), help="How many texts are drawn.")
@click.option("--costly", default=50, show_default=True, type=click.IntRange(1), help="How many for LIME, SHAP and the like.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="All randomness.")
@click.option("--lexicon", type=click.Path(path_type=Path), help="CSV or TSV with columns word, class, or JSON {word: class}.")
@click.option("--rationales", type=click.Path(path_type=Path), help="JSON lines with text, label and spans: [[start, end], …].")
@click.option("--state", type=click.Path(path_type=Path), help="A folder that keeps what is done: the same call resumes.")
@click.option("--json", "as_json", metavar="F", help="Write JSON; - writes it to standard output.")
@click.option("--markdown", metavar="F", help="Write tables in Markdown, with intervals; - writes them to standard output.")
@click.option(
    "--columns", metavar="C,…", help="The columns of the tables: separation, aopc, accuracy, recovered… Default: several."
)
@click.option("--plot", metavar="F", help="Draw the deletion curves into an .svg, .png or .pdf file.")
def evaluate_explanations(
    model: str,
    data: str,
    methods: str,
    measures: str | None,
    limit: int,
    costly: int,
    seed: int,
    lexicon: Path | None,
    rationales: Path | None,
    state: Path | None,
    as_json: str | None,
    markdown: str | None,
    columns: str | None,
    plot: str | None,
    **options: Any,
) -> None:
    """Measure how faithful each method's explanations of a model are, with 95 % intervals and a random control.

    A sample is drawn from --data: spread over lengths, a fifth of it misclassified where there are so many. Each method's words
    are deleted, most and least relevant first, and what the model then says is compared. Absent packages are skipped.
    """
    from textlrp import faithfulness
    from textlrp.faithfulness.columns import check_columns
    from textlrp.faithfulness.measures import check_measures
    from textlrp.progress import shown

    shown_columns = None if columns is None else check_columns(_names(columns))
    wanted = None if measures is None else check_measures(_names(measures))
    with shown():
        classifier = open_model(model)
        reviews = read_reviews(data, classes=[str(name) for name in classifier.classes_], **options)
        found = faithfulness.evaluate(
            classifier,
            reviews["text"][:],
            reviews["label"][:],
            methods=_names(methods),
            measures=wanted,
            limit=limit,
            seed=seed,
            lexicon=lexicon,
            rationales=rationales,
            state=state,
            limits={"costly": costly},
        )
    if as_json is not None:
        write_out(as_json, json.dumps({"data": data, **found.to_dict()}, indent=2, allow_nan=False) + "\n")
    if markdown is not None:
        write_out(markdown, found.to_markdown(columns=shown_columns))
    if plot is not None:
        found.plot(plot)
    for path in (as_json, markdown, plot):
        if path not in (None, "-"):
            say(f"written: {path}")
    if "-" not in (as_json, markdown):
        _print(found, shown_columns, title=f"{model} on {data}")


def _names(given: str) -> list[str]:
    return [each.strip() for each in given.split(",") if each.strip()]


def _print(found: Any, columns: list[str] | None, *, title: str) -> None:
    out = console()
    for each in found.groups():
        _table(out, each, columns, title=title)
    for name, why in found.skipped.items():
        out.print(f"left out: {name}: {why}")


def _table(out: Any, found: Any, wanted: list[str] | None, *, title: str) -> None:
    from rich.table import Table

    from textlrp.faithfulness.columns import COLUMNS
    from textlrp.faithfulness.table import SHORT, rows

    columns = [each for each in wanted or SHORT if each in found.columns] or found.columns
    titles, cells = rows(found, columns=columns, bounds=False)
    table = Table(title=f"{title}: {found.caption()}; best first")
    for number, name in enumerate(titles):
        table.add_column(name, justify="right" if number else "left")
    for line in cells:
        table.add_row(*line)
    out.print(table)
    names = [line[0] for line in cells]
    if len(names) > 1 and columns:
        first = columns[0]
        ahead = found.difference(names[0], names[1], first)
        out.print(
            f"{COLUMNS[first].title}: {COLUMNS[first].description}. {names[0]} lies {ahead.mean:+.3f} [{ahead.low:+.3f}, "
            f"{ahead.high:+.3f}] from {names[1]} (95 %, paired, {ahead.n} texts). --markdown - gives every column and interval."
        )
