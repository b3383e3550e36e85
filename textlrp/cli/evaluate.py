"""`textlrp evaluate`: accuracy, F1, calibration and confusion matrix on a labelled data set."""

from __future__ import annotations

import json
from typing import Any

import click

from textlrp.cli.common import console, data_options, epilog, model_option, open_model, read_reviews

__all__ = ["confusion_table", "evaluate"]


@click.command(
    epilog=epilog(
        "textlrp evaluate --model imdb-dense --data imdb:test",
        "textlrp evaluate --model imdb-lstm --data bundled --json",
        "textlrp evaluate --data mine.csv --label-column stars",
    )
)
@model_option
@data_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, and nothing else there.")
def evaluate(model: str, data: str, as_json: bool, **options: Any) -> None:
    """Measure a model on a labelled data set: accuracy, macro F1, calibration error, confusion matrix.

    The labels must be the model's classes; they may differ in case, or be the classes' numbers (0, 1…).
    """
    from textlrp.evaluation import evaluate as measure
    from textlrp.progress import shown

    with shown():
        classifier = open_model(model)
        reviews = read_reviews(data, classes=[str(name) for name in classifier.classes_], **options)
        result = measure(classifier, reviews["text"], reviews["label"])
    if as_json:
        click.echo(json.dumps({"model": model, "data": data, **result}, indent=2))
        return
    out = console()
    out.print(confusion_table(result, title=f"{model} on {data}: rows are the labels, columns the predictions"))
    out.print(f"accuracy {result['accuracy']:.4f}   F1 {result['f1']:.4f}   ECE {result['ece']:.4f}   n {result['n']:,}")


def confusion_table(result: dict[str, Any], *, title: str) -> Any:
    """Draw the confusion matrix of `textlrp.evaluation.evaluate` as a table."""
    from rich.table import Table

    from textlrp.highlight.plain import short

    table = Table(title=title)
    table.add_column("")
    names = [short(name) for name in result["classes"]]
    for name in names:
        table.add_column(name, justify="right")
    for name, row in zip(names, result["confusion"], strict=True):
        table.add_row(name, *(f"{count:,}" for count in row))
    return table
