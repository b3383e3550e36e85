"""`textlrp rank`: the words that speak for and against a class, over a whole data set."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from textlrp.cli.common import (
    console,
    epilog,
    explained_corpus,
    explained_option,
    model_option,
    open_model,
    read_reviews,
    rule_options,
    say,
    write_out,
)

if TYPE_CHECKING:
    from textlrp.explanation import Explanation

__all__ = ["rank"]


@click.command(
    epilog=epilog(
        "textlrp rank --model imdb-dense --data bundled --top 10",
        "textlrp rank --model imdb-lstm --data imdb:test --top 20 --min-texts 50",
        "textlrp rank --explained explained --top 20   # what `textlrp explain-corpus --out explained` wrote",
        "textlrp rank --data mine.csv --target positive --format csv --out words.csv",
    )
)
@model_option
@explained_option
@click.option("--top", default=10, show_default=True, type=click.IntRange(1), help="How many words on each side.")
@click.option(
    "--target",
    default=None,
    metavar="T",
    help="The class whose words are ranked, or margin. Default: the margin of two classes, else it must be named.",
)
@click.option(
    "--min-texts",
    default=None,
    type=click.IntRange(1),
    help="Leave out words that fewer texts hold. Default: 1 in 1,000 texts, at least 3.",
)
@click.option("--limit", default=None, type=click.IntRange(1), help="Read so many texts only, drawn evenly from the data set.")
@click.option(
    "--by", type=click.Choice(["mean", "total"]), default="mean", show_default=True, help="Order by mean or total relevance."
)
@rule_options
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@click.option("--out", default="-", metavar="F", help="Write to this file instead of standard output.")
def rank(
    model: str,
    data: str | None,
    explained: Path | None,
    top: int,
    target: str | None,
    min_texts: int | None,
    limit: int | None,
    by: Literal["mean", "total"],
    rule: str,
    gates: str,
    form: str,
    out: str,
    **options: Any,
) -> None:
    """Rank the words of a data set by their relevance for one class.

    Every text is explained for that class, and each word's relevance is averaged over the corpus. Listed for each word: its
    mean relevance an occurrence, how many texts hold it, and its share of positive relevance.
    """
    from textlrp.progress import shown, track
    from textlrp.ranking import rank as rank_words

    with shown():
        if explained is not None:
            stream, count = _explained(explained, limit)
        elif data is None:
            raise click.UsageError("give the texts with --data, or with --explained what `textlrp explain-corpus` wrote")
        else:
            reviews = read_reviews(data, labelled=False, **options)
            texts = reviews["text"] if limit is None else _evenly(reviews["text"], limit)
            classifier = open_model(model)
            if target is None:
                if len(classifier.classes_) != 2:
                    from textlrp.highlight.plain import short

                    names = ", ".join(short(str(name)) for name in classifier.classes_)
                    raise click.UsageError(f"name the class with --target; the model has {names}")
                target = "margin"
            stream, count = classifier.explain_stream(texts, target=target, rule=rule, gates=gates), len(texts)
        ranking = rank_words(
            track(stream, "explaining" if explained is None else "reading", total=count),
            min_texts=min_texts or max(3, math.ceil(count / 1000)),
        )
    if form == "csv":
        write_out(out, ranking.to_csv(top, by=by))
    elif form == "json":
        write_out(out, ranking.to_json(top, by=by) + "\n")
    else:
        from textlrp.highlight.terminal import ranking_table

        table = ranking_table(ranking, top, by=by)
        if out == "-":
            console().print(table)
        else:
            plain = console(width=110)
            with plain.capture() as captured:
                plain.print(table)
            write_out(out, captured.get())
    if out != "-":
        say(f"written: {out}")


def _explained(folder: Path, limit: int | None) -> tuple[Iterator[Explanation], int]:
    """The Explanations of an explained corpus, or `limit` of them at equal steps, and how many there are."""
    corpus = explained_corpus(
        folder, ("model", "data", "target", "rule", "gates", "data_dir", "text_column", "label_column", "encoding")
    )
    if corpus.target == "predicted":
        raise click.UsageError(
            f"{str(folder)!r} explains what is predicted, another class in each text, and such relevances cannot be ranked "
            "together: explain the corpus with --target margin, or a class"
        )
    if limit is None or limit >= len(corpus):
        return iter(corpus), len(corpus)
    chosen = {i * len(corpus) // limit for i in range(limit)}
    return (e for i, e in enumerate(corpus) if i in chosen), limit


def _evenly(texts: Any, limit: int) -> list[str]:
    """`limit` texts at equal steps through all of them, so that sorted labels do no harm."""
    listed = list(texts)
    count = min(limit, len(listed))
    return [listed[i * len(listed) // count] for i in range(count)]
