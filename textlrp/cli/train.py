"""`textlrp train`: a classifier from labelled texts, as a checkpoint folder."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import click

from textlrp.cli.common import FiniteRange, command_line, console, data_options, epilog, read_reviews, say

__all__ = ["train"]


@click.command(
    epilog=epilog(
        "textlrp train --data imdb --data-dir ~/data --embeddings glove.txt.gz --arch dense --out my-dense",
        "textlrp train --data reviews.csv --arch lstm --out my-lstm",
        "textlrp train --data reviews.csv --unlabelled more.csv --arch dense --out my-dense",
        "textlrp train --data topics/ --embeddings glove-wiki-gigaword-100 --arch cnn --epochs 5 --out my-cnn",
    )
)
@data_options
@click.option(
    "--unlabelled", metavar="D", help="More texts, to be learnt from before the labels: imdb:unsup, a table, a folder."
)
@click.option(
    "--pretraining",
    type=click.Choice(["auto", "vectors", "language-model"]),
    default="auto",
    show_default=True,
    help="What --unlabelled is for: word vectors (auto: unless --embeddings are given), a language model (lstm, gru).",
)
@click.option(
    "--embeddings", metavar="NAME|PATH", help="A file of GloVe or word2vec vectors, or a name of gensim's downloader."
)
@click.option("--arch", type=click.Choice(["dense", "lstm", "gru", "cnn"]), default="dense", show_default=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder that will hold the checkpoint.")
@click.option("--epochs", type=click.IntRange(1), help="At most so many passes over the data.")
@click.option("--batch-size", type=click.IntRange(1), help="Texts a batch.")
@click.option("--learning-rate", type=FiniteRange(0, min_open=True))
@click.option("--max-tokens", type=click.IntRange(1), help="Read each text only so far.")
@click.option("--min-count", type=click.IntRange(1), help="Leave words out of the vocabulary that are rarer.")
@click.option("--option", "options_given", multiple=True, metavar="NAME=VALUE", help="An option of the architecture: units=64.")
@click.option("--validation", default=0.1, show_default=True, type=FiniteRange(0, 0.9, min_open=True))
@click.option("--limit", type=click.IntRange(10), help="Train on so many texts only, evenly drawn: for a try.")
@click.option("--test", metavar="D", help="Measure the result once on this data set, such as imdb:test.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1))
@click.option("--threads", type=click.IntRange(1, 1_024), help="CPU threads. Default: all cores.")
@click.option("--device", metavar="DEVICE", help="cpu, cuda, cuda:1… Default: the GPU where there is one.")
@click.option("--storage", type=click.Choice(["float32", "float16", "int8"]), default="float32", show_default=True)
@click.option("--force", is_flag=True, help="Replace a folder --out that is there already.")
def train(
    data: str,
    unlabelled: str | None,
    pretraining: str,
    embeddings: str | None,
    arch: str,
    out: Path,
    options_given: tuple[str, ...],
    limit: int | None,
    test: str | None,
    threads: int | None,
    storage: str,
    force: bool,
    **settings: Any,
) -> None:
    """Train a classifier on labelled texts and write it to a folder.

    With --unlabelled, the network begins with word vectors trained on all texts, labelled or not, or an LSTM or GRU is first
    trained on them as a language model. What is not given is chosen from the data and said. A
    validation part is set aside, stratified; training stops when it no longer improves, and the best weights are kept. Killed
    or interrupted, the same command goes on where it was.
    """
    from textlrp.classifier import TextClassifier
    from textlrp.evaluation import evaluate
    from textlrp.progress import shown
    from textlrp.training import TrainingInterrupted
    from textlrp.training.resume import alone

    folder = Path(os.path.realpath(out))
    _check_out(folder, force=force)
    state = folder.with_name(folder.name + ".training")
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    reading = {name: settings.pop(name) for name in ("data_dir", "text_column", "label_column", "encoding")}
    with shown(), alone(state):
        texts, labels = _drawn(read_reviews(data, **reading), limit)
        tested = _labelled(read_reviews(test, classes=sorted(set(labels)), **reading)) if test is not None else None
        more = _without_labels(unlabelled, reading) if unlabelled else []
        classifier = TextClassifier(arch, embeddings=embeddings, model_options=_options(options_given), **settings)
        try:
            classifier.fit(
                texts,
                labels,
                unlabelled=more,
                pretraining=pretraining,
                state=state,
                storage=storage,
                notice=say,
                on_epoch=_say_epoch,
                data=data,
                embeddings=Path(embeddings).name if embeddings else "",
                command=command_line(),
            )
        except TrainingInterrupted as stop:
            say(str(stop))
            raise click.exceptions.Exit(1) from None
        metrics = dict(classifier.metrics_)
        if test is not None and tested is not None:
            metrics[test] = evaluate(classifier, tested["text"], tested["label"])
        classifier.trained_.save(folder, metrics=metrics)
    _report("validation", metrics["validation"])
    if test is not None:
        _report(test, metrics[test])
    written = str(out if out.name else folder)
    say(f'written: {written}   (textlrp explain --model {shlex.quote(written)} "…")')


def _check_out(folder: Path, *, force: bool) -> None:
    """Say before a long training what could not be written after it."""
    from textlrp.models.checkpoint import check_target

    check_target(folder)
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise click.UsageError(f"--out {folder} exists already; name another folder, or say --force to replace it")


def _options(given: tuple[str, ...]) -> dict[str, Any]:
    """NAME=VALUE pairs, the values read as JSON where they are JSON (64, true, [3,4]) and as text elsewhere."""
    import json

    options: dict[str, Any] = {}
    for each in given:
        name, sign, value = each.partition("=")
        if not sign or not name:
            raise click.BadParameter(f"{each!r} is not NAME=VALUE, such as units=64", param_hint="--option")
        try:
            options[name] = json.loads(value)
        except (ValueError, RecursionError):
            options[name] = value
    return options


def _labelled(reviews: Any) -> Any:
    if min(reviews["label"], default=0) < 0:
        raise click.UsageError("some of the texts have no label; name a labelled part of the data, such as imdb:train")
    return reviews


def _drawn(reviews: Any, limit: int | None) -> tuple[list[str], list[str]]:
    names = _labelled(reviews).features["label"].names
    texts, labels = list(reviews["text"]), [names[i] for i in reviews["label"]]
    if limit is not None and limit < len(texts):
        chosen = [i * len(texts) // limit for i in range(limit)]
        texts, labels = [texts[i] for i in chosen], [labels[i] for i in chosen]
    return texts, labels


def _without_labels(data: str, reading: dict[str, Any]) -> list[str]:
    """Read texts alone; --label-column names a column of --data, which they need not have."""
    return list(read_reviews(data, labelled=False, **{**reading, "label_column": ""})["text"])


def _say_epoch(epoch: Any) -> None:
    say(
        f"epoch {epoch.number}: train loss {epoch.train_loss:.4f}   validation loss {epoch.loss:.4f}"
        f"   accuracy {epoch.accuracy:.4f}   F1 {epoch.f1:.4f}   {epoch.seconds:.0f} s"
    )


def _report(data: str, result: dict[str, Any]) -> None:
    from textlrp.cli.evaluate import confusion_table

    out = console()
    out.print(confusion_table(result, title=f"{data}: rows are the labels, columns the predictions"))
    out.print(f"accuracy {result['accuracy']:.4f}   F1 {result['f1']:.4f}   n {result['n']:,}")
