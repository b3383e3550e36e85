"""`textlrp explain-corpus`: explain a whole archive of texts into Parquet shards."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from textlrp.cli.common import data_options, epilog, model_option, rule_options, say

__all__ = ["explain_corpus"]


@click.command(
    "explain-corpus",
    epilog=epilog(
        "textlrp explain-corpus --model imdb-dense --data imdb:test --out explained",
        "textlrp explain-corpus --model imdb-lstm --data reviews.parquet --out explained --workers 8",
        "zcat archive.jsonl.gz | textlrp explain-corpus --model imdb-dense --data - --out explained",
        "textlrp rank --explained explained --top 20",
        "textlrp report --explained explained --out report.html",
    ),
)
@model_option
@data_options
@click.option("--out", required=True, metavar="DIR", type=click.Path(path_type=Path), help="The folder of the shards.")
@click.option(
    "--target",
    metavar="T",
    help="A class, predicted or margin. Default: the margin of two classes, else what is predicted.",
)
@rule_options
@click.option("--workers", type=click.IntRange(1), metavar="N", help="How many processes. Default: one a core.")
@click.option("--shard-size", default=2048, show_default=True, type=click.IntRange(1), help="Rows of a shard.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first rows.")
@click.option("--with-text/--without-text", default=True, show_default=True, help="Whether the shards keep the texts.")
@click.option("--labelled", is_flag=True, help="Reject rows without a label of the model's classes.")
@click.option(
    "--longest", default=1_000_000, show_default=True, type=click.IntRange(1), help="Reject texts of more characters."
)
@click.option("--strict", is_flag=True, help="Stop at the first row that cannot be explained.")
@click.option("--device", default="cpu", show_default=True, metavar="D", help="Where the workers compute: cpu, cuda.")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True, help="Who runs the workers.")
@click.option("--ray-address", metavar="A", help="The Ray cluster, such as auto. Default: a Ray of this machine.")
@click.option(
    "--errors", type=click.Choice(["strict", "replace", "ignore"]), help="What to do with wrong bytes. Default: reject."
)
def explain_corpus(model: str, data: str, out: Path, **options: Any) -> None:
    """Explain every text of a source into Parquet shards and a manifest; run it again, and it goes on where it stopped.

    The source may be larger than memory: CSV, TSV, JSON lines, Parquet and folders are read as a stream, and - is standard
    input (JSON lines, or a text a line). Rows that cannot be explained go to rejects.jsonl with their number and reason.
    """
    from textlrp.corpus import CorpusInterrupted
    from textlrp.corpus import explain_corpus as run
    from textlrp.progress import shown

    given = {name: value for name, value in options.items() if value is not None}
    try:
        with shown():
            found = run(model, data, out, **given)
    except CorpusInterrupted as stop:
        say(str(stop))
        sys.exit(1)
    kept = f", {found.kept:,} of them from before" if found.kept else ""
    say(f"written: {out} ({found.texts:,} texts, {found.tokens:,} tokens, {found.shards:,} shards{kept})")
    if found.rejects:
        say(f"rejected: {found.rejects:,} of {found.rows:,} rows; why is in {out / 'rejects.jsonl'}")
