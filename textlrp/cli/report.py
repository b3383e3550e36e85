"""`textlrp report`: one page on a model and a labelled data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from textlrp.cli.common import (
    command_line,
    epilog,
    explained_corpus,
    explained_option,
    model_option,
    open_model,
    read_reviews,
    rule_options,
    say,
)

if TYPE_CHECKING:
    from textlrp.classifier import TextClassifier
    from textlrp.explanation import Explanation

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
        "textlrp report --model mine --data held-out.csv --out report.html --no-audit",
        "textlrp report --explained explained --out report.html   # what `textlrp explain-corpus` wrote",
    )
)
@model_option
@explained_option
@training_option
@click.option(
    "--out", default="report.html", show_default=True, metavar="F", help="The page; its examples go to a folder beside it."
)
@click.option("--top", default=10, show_default=True, type=click.IntRange(1), help="How many words in a table.")
@click.option("--min-texts", type=click.IntRange(1), help="Leave out rarer words. Default: 1 in 1,000 texts, at least 3.")
@click.option("--examples", default=100, show_default=True, type=click.IntRange(0), help="So many errors are kept as examples.")
@click.option("--compare", default=8, show_default=True, type=click.IntRange(0), help="On so many texts methods are compared.")
@click.option("--audit/--no-audit", default=True, show_default=True, help="Whether to look for words that should not decide.")
@rule_options
def report(
    model: str,
    data: str | None,
    explained: Path | None,
    training: str | None,
    out: str,
    top: int,
    min_texts: int | None,
    examples: int,
    compare: int,
    audit: bool,
    rule: str,
    gates: str,
    **options: Any,
) -> None:
    """Write a report on a model and a labelled data set: one page that needs no network.

    Accuracy, confusion and calibration; the words and phrases of each class; the words behind the errors; the most confident
    errors, highlighted; where in a text relevance lies; coverage; and the audit of words that should not carry decisions.
    """
    from textlrp.highlight import plain
    from textlrp.progress import shown
    from textlrp.report.write import report as write_report

    with shown():
        if explained is not None:
            source = _explained(explained, training)
        elif data is None:
            raise click.UsageError("give the texts with --data, or with --explained what `textlrp explain-corpus` wrote")
        else:
            classifier = open_model(model)
            reviews = read_reviews(data, classes=[str(name) for name in classifier.classes_], **options)
            source = _Source(classifier, reviews["text"], reviews["label"][:], data, rule, gates, None)
        classes = [str(name) for name in source.classifier.classes_]
        seen = None if training is None else read_reviews(training, classes=classes, **options)
        written = write_report(
            source.classifier,
            source.texts,
            source.labels,
            out,
            data=source.data,
            training=None if seen is None else (seen["text"], seen["label"][:]),
            rule=source.rule,
            gates=source.gates,
            explained=source.explained,
            k=top,
            min_texts=min_texts,
            audited=audit,
            examples=examples,
            compared=compare,
            command=command_line(),
        )
    say(f"written: {written.path}" + (f" and {written.folder}/" if written.folder else ""))
    for finding in written.audit.alarms if written.audit else ():
        say(f"alarm: {finding.word!r} speaks for {plain.short(finding.speaks_for)}: {plain.visible(finding.evidence)}")


class _Source(NamedTuple):
    """What is reported on; `explained` holds the Explanations of the texts where they were made before."""

    classifier: TextClassifier
    texts: Any
    labels: Any
    data: str
    rule: str
    gates: str
    explained: Iterator[Explanation] | None


def _explained(folder: Path, training: str | None) -> _Source:
    """The labelled texts of an explained corpus, with the model that explained them."""
    from textlrp.corpus.settings import fingerprint
    from textlrp.errors import InputError

    reading = () if training is not None else ("data_dir", "text_column", "label_column", "encoding")  # of --training too
    corpus = explained_corpus(folder, ("model", "data", "rule", "gates", *reading))
    model = corpus.manifest["model"]
    classifier = open_model(model["name"])
    if fingerprint(classifier) != model["sha256"]:
        raise InputError(f"the model {model['name']!r} is not the one that explained {str(folder)!r}; bring that one back")
    right = "margin" if len(corpus.classes) == 2 else "predicted"
    if corpus.target != right:
        raise InputError(f"a report needs a corpus that was explained with --target {right}, not {corpus.target!r}")
    texts: Any = corpus.texts()
    labels = [corpus.classes.index(name) if name in corpus.classes else -1 for name in corpus.labels()]
    keep = [number >= 0 for number in labels]
    if not any(keep):
        raise InputError(f"the texts of {str(folder)!r} have no labels; a report compares predictions with labels")
    if not all(keep):
        say(f"{keep.count(False):,} texts have no label of the model's classes; they are left out")
        texts = [text for text, kept in zip(texts, keep, strict=True) if kept]
    settings, data = corpus.manifest["settings"], str(corpus.manifest["source"]["data"])
    explained = (e for e, kept in zip(corpus, keep, strict=True) if kept)
    numbers = [number for number in labels if number >= 0]
    return _Source(classifier, texts, numbers, data, settings["rule"], settings["gates"], explained)
