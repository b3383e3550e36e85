"""`textlrp audit`: which words carry decisions and should not."""

from __future__ import annotations

import json
from typing import Any

import click

from textlrp.cli.common import (
    FiniteRange,
    console,
    data_options,
    epilog,
    model_option,
    open_model,
    read_reviews,
    say,
    write_out,
)
from textlrp.cli.report import training_option

__all__ = ["audit"]


@click.command(
    epilog=epilog(
        "textlrp audit --model imdb-dense --data imdb:test --training imdb:train",
        "textlrp audit --model imdb-lstm --data bundled --json - | jq .alarms",
        "textlrp audit --model mine --data held-out.csv --training training.csv --html audit.html",
    )
)
@model_option
@data_options
@training_option
@click.option(
    "--level", default=0.05, show_default=True, type=FiniteRange(0, 1, min_open=True), help="Chance of a false alarm."
)
@click.option("--top", default=5, show_default=True, type=click.IntRange(0), help="How many words of each kind to watch.")
@click.option("--html", metavar="F", help="Write a page.")
@click.option("--json", "as_json", metavar="F", help="Write JSON; - writes it to standard output.")
def audit(
    model: str,
    data: str,
    training: str | None,
    level: float,
    top: int,
    html: str | None,
    as_json: str | None,
    **options: Any,
) -> None:
    """Find the words that carry decisions and should not, each with what deleting it everywhere does.

    --data are labelled texts that the model was not trained on. An alarm is raised where their labels do not support a word,
    or, with --training, where a word of weight is common in the training texts of a class and not in such held-out ones.
    """
    from textlrp.audit import audit as run
    from textlrp.progress import shown
    from textlrp.report.audit_view import audit_view
    from textlrp.report.gather import gather

    with shown():
        classifier = open_model(model)
        classes = [str(name) for name in classifier.classes_]
        reviews = read_reviews(data, classes=classes, **options)
        seen = None if training is None else read_reviews(training, classes=classes, **options)
        texts, labels = reviews["text"], reviews["label"][:]
        gathered = gather(classifier, texts, labels)
        given = None if seen is None else (seen["text"], seen["label"][:])
        found = run(classifier, texts, labels, training=given, gathered=gathered, level=level, k=top)
    if as_json is not None:
        write_out(as_json, json.dumps(found.to_dict(), indent=2, allow_nan=False) + "\n")
    if html is not None:
        from textlrp.report.page import page

        made = f"model {model} · rule {gathered.rule} · gates {gathered.gates}"
        write_out(html, page(texts, title=f"Audit of {model} on {data}", audit=found, names=gathered, made=made))
    for path in (html, as_json):
        if path not in (None, "-"):
            say(f"written: {path}")
    if "-" not in (html, as_json):
        _print(audit_view(found, texts, gathered))


def _print(view: dict[str, Any]) -> None:
    from rich.table import Table

    out = console()
    out.print(f"{view['tests']} tests; the chance of any false alarm is at most {view['level']}. {view['sources']}")
    for name, rows in (("ALARMS", view["alarms"]), ("watch list, no alarms", view["watch"])):
        table = Table(title=f"{name}: {len(rows)}")
        for column in ("word", "for", "relevance", "p", "deleted: flips", "evidence"):
            table.add_column(column, justify="right" if column in ("relevance", "p") else "left")
        for row in rows:
            kind = f" ({row['kind']})" if row["kind"] != "word" else ""
            keys = ("speaks_for", "relevance", "p", "flips", "evidence")
            table.add_row(row["word"] + kind, *(row[key] for key in keys))
        out.print(table if rows else f"{name}: none")
    table = Table(title="whole kinds of words, deleted everywhere")
    for column in ("kind", "words", "share", "texts", "flips", "accuracy"):
        table.add_column(column)
    for row in view["kinds"]:
        table.add_row(*(row[key] for key in ("name", "words", "share", "texts", "flips", "accuracy")))
    out.print(table)
    out.print(view["duplicates"])
    for group in view["clusters"]:
        words = ", ".join(f"{word} {value}" for word, value in group["words"])
        out.print(f"cluster of {group['size']} texts, {group['accuracy']} right: {words}")
