"""`textlrp data`: what data sets are at hand, and what one of them holds."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import click

from textlrp.cli.common import console, epilog, read_reviews

__all__ = ["data"]


@click.command(epilog=epilog("textlrp data", "textlrp data bundled", "textlrp data imdb:test --json", "textlrp data mine.csv"))
@click.argument("spec", required=False)
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="TEXTLRP_DATA", show_envvar=True, help="Where IMDB lies.")
@click.option("--text-column", metavar="NAME")
@click.option("--label-column", metavar="NAME")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def data(spec: str | None, as_json: bool, **options: Any) -> None:
    """List the data sets at hand; or, with SPEC, say what one holds: classes, counts, lengths and its first text."""
    rows = _known(options["data_dir"]) if spec is None else [_look(spec, **options)]
    if as_json:
        click.echo(json.dumps(rows if spec is None else rows[0], indent=2, ensure_ascii=False))
        return
    from rich.table import Table
    from rich.text import Text

    from textlrp.highlight.plain import visible

    table = Table(show_header=spec is None)
    if spec is None:
        table.add_column("--data")
        table.add_column("what it is")
        table.add_column("where")
        for row in rows:
            table.add_row(*row.values())
    else:
        for name, value in rows[0].items():
            shown = ", ".join(f"{k}: {v:,}" for k, v in value.items()) if isinstance(value, dict) else str(value)
            table.add_row(name, Text(visible(shown)))
    console().print(table)


def _known(data_dir: Path | None) -> list[dict[str, str]]:
    from textlrp.text.sources import list_sources

    rows = []
    for each in list_sources(data_dir=data_dir):
        names = ", ".join([each.name, *(f"{each.name}:{split}" for split in each.splits)])
        rows.append({"data": names, "what": each.about, "where": each.where or "not on this machine"})
    own = "your own CSV, TSV, JSONL or Parquet file, or a folder with a sub-folder a class; PATH:test names a split"
    return [*rows, {"data": "PATH", "what": own, "where": ""}]


def _look(spec: str, **options: Any) -> dict[str, Any]:
    from textlrp.progress import shown

    with shown():
        reviews = read_reviews(spec, labelled=False, **options)
    lengths = sorted(len(text) for text in reviews["text"])
    found: dict[str, Any] = {"data": spec, "texts": len(reviews)}
    if "label" in reviews.features:
        names = reviews.features["label"].names
        counts = Counter(reviews["label"])
        found["labels"] = {name: counts[i] for i, name in enumerate(names)}
    if lengths:
        found["characters"] = {"shortest": lengths[0], "median": lengths[len(lengths) // 2], "longest": lengths[-1]}
        found["first text"] = reviews["text"][0][:200]
    return found
