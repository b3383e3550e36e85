"""`textlrp recommend`: the LRP rule and gate rule that suit a model and texts, within a time budget."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import click

from textlrp.cli.common import console, data_options, epilog, model_option, open_model, read_reviews, say, write_out

__all__ = ["recommend"]

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def _seconds(_context: click.Context, _parameter: click.Parameter, value: str) -> float:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", value)
    seconds = float(found[1]) * _UNITS.get(found[2], 0.0) if found is not None else 0.0
    if not 0 < seconds < math.inf:
        raise click.BadParameter(f"{value!r} is no time; write it as 60s, 5m or 1h")
    return seconds


@click.command(
    epilog=epilog(
        "textlrp recommend --model imdb-lstm --data bundled --budget 60s",
        "textlrp recommend --model mine --data mine.csv --budget 5m --json -",
    )
)
@model_option
@data_options
@click.option("--budget", default="60s", show_default=True, callback=_seconds, metavar="T", help="Time to take: 60s, 5m, 1h.")
@click.option("--rules", metavar="R,…", help="LRP rules to choose from. Default: all.")
@click.option("--gates", metavar="G,…", help="Gate rules to choose from. Default: those that conserve: all, prop, abs, half.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="All randomness.")
@click.option("--json", "as_json", metavar="F", help="Write JSON; - writes it to standard output.")
def recommend(
    model: str, data: str, budget: float, rules: str | None, gates: str | None, seed: int, as_json: str | None, **options: Any
) -> None:
    """Find the LRP rule and gate rule whose explanations are most faithful to a model, on texts like yours.

    Words are deleted and kept by their relevance, and the model is asked what it then says. Says how sure the choice is. Texts
    without labels will do.
    """
    from textlrp.faithfulness import recommend as run
    from textlrp.progress import shown

    with shown():
        classifier = open_model(model)
        reviews = read_reviews(data, labelled=False, classes=[str(name) for name in classifier.classes_], **options)
        labels = reviews["label"][:] if "label" in reviews.column_names else None
        found = run(
            classifier,
            reviews["text"][:],
            labels,
            budget=budget,
            rules=None if rules is None else [each.strip() for each in rules.split(",")],
            gates=None if gates is None else [each.strip() for each in gates.split(",")],
            seed=seed,
        )
    if as_json is not None:
        write_out(as_json, json.dumps({"model": model, "data": data, **found.to_dict()}, indent=2) + "\n")
        if as_json != "-":
            say(f"written: {as_json}")
    if as_json != "-":
        _print(found, title=f"{model} on {data}")


def _print(found: Any, *, title: str) -> None:
    from rich.table import Table

    from textlrp.highlight.plain import fixed

    table = Table(title=f"{title}: separation in logits, high is good ({found.seconds:.0f} s)")
    for number, name in enumerate(("rule", "gates", "separation", "95 %", "behind the winner", "texts")):
        table.add_column(name, justify="right" if number > 1 else "left")
    for each in found.candidates:
        value, behind = each.value, each.behind
        bounds = f"{fixed(value.low)} to {fixed(value.high)}"
        table.add_row(each.rule, each.gates, fixed(value.mean), bounds, fixed(-behind.mean), str(each.texts))
    out = console()
    out.print(table)
    gates = [name for name, why in found.same.items() if why == f"the same as {name.partition(':')[0]} on this model"]
    for name, why in found.same.items():
        if name not in gates:
            out.print(f"left out: {name}: {why}")
    if gates:
        out.print(f"left out: {len(gates)} combinations whose gate rule changes nothing on this model")
    out.print(found.sentence())
    out.print(f"use it: {found.usage}    or: --rule {found.rule} --gates {found.gates}")
