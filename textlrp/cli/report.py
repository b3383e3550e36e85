"""`textlrp report`: one page on a model and a labelled data set."""

from __future__ import annotations

from typing import Any

import click

from textlrp.cli.common import data_options, epilog, model_option, open_model, read_reviews, rule_options, say

__all__ = ["report", "training_option"]


def training_option(command: Any) -> Any:
    """Add --training."""
    return click.option(
        "--training",
        metavar="D",
        help="The texts the model was trained on: then the audit also finds words that only they hold.",
    )(command)


@click.command(
    epilog=epilog(
        "textlrp report --model imdb-dense --data bundled --out report.html",
        "textlrp report --model imdb-lstm --data imdb:test --training imdb:train --out report.html",
        "textlrp report --model mine --data mine.csv:test --out report.html --no-audit",
    )
)
@model_option
@data_options
@training_option
@click.option(
    "--out", default="report.html", show_default=True, metavar="F", help="The page; its examples go to a folder beside it."
)
@click.option("--top", default=10, show_default=True, type=click.IntRange(1), help="How many words in a table.")
@click.option("--min-texts", type=click.IntRange(1), help="Leave out rarer words. Default: 1 in 1,000 texts, at least 3.")
@click.option("--examples", default=100, show_default=True, type=click.IntRange(0), help="So many errors are kept as examples.")
@click.option("--audit/--no-audit", default=True, show_default=True, help="Whether to look for words that should not decide.")
@rule_options
def report(
    model: str,
    data: str,
    training: str | None,
    out: str,
    top: int,
    min_texts: int | None,
    examples: int,
    audit: bool,
    rule: str,
    gates: str,
    **options: Any,
) -> None:
    """Write a report on a model and a labelled data set: one page that needs no network.

    Accuracy, confusion and calibration; the words and phrases of each class; the words behind the errors; the most confident
    errors, highlighted; where in a text relevance lies; coverage; and the audit of words that should not carry decisions.
    """
    from textlrp.progress import shown
    from textlrp.report.write import report as write_report

    with shown():
        classifier = open_model(model)
        classes = [str(name) for name in classifier.classes_]
        reviews = read_reviews(data, classes=classes, **options)
        seen = None if training is None else read_reviews(training, classes=classes, **options)
        command = f"textlrp report --model {model} --data {data}" + (f" --training {training}" if training else "")
        written = write_report(
            classifier,
            reviews["text"],
            reviews["label"][:],
            out,
            data=data,
            training=None if seen is None else (seen["text"], seen["label"][:]),
            rule=rule,
            gates=gates,
            k=top,
            min_texts=min_texts,
            audited=audit,
            examples=examples,
            command=command,
        )
    say(f"written: {written.path}" + (f" and {written.folder}/" if written.folder else ""))
    for finding in written.audit.alarms if written.audit else ():
        say(f"alarm: {finding.word!r} speaks for {finding.speaks_for}: {finding.evidence}")
