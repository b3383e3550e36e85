"""`textlrp models`: the models that ship, and the rules that explain them."""

from __future__ import annotations

import json

import click

from textlrp.cli.common import console, epilog

__all__ = ["models"]


@click.command(epilog=epilog("textlrp models", "textlrp models --rules", "textlrp models --json"))
@click.option("--rules", is_flag=True, help="List the LRP rules that --rule takes, each with when to use it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def models(rules: bool, as_json: bool) -> None:
    """List the models that ship with textlrp, with what they were measured at."""
    rows = _rules() if rules else [_model(name) for name in _names()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    from rich.table import Table

    table = Table(title="rules" if rules else "bundled models", show_lines=rules)
    for name in rows[0] if rows else ["name"]:
        table.add_column(name)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    console().print(table)


def _names() -> list[str]:
    from textlrp.classifier import bundled_models

    return bundled_models()


def _rules() -> list[dict[str, str]]:
    from textlrp import lrp
    from textlrp.explaining import DEFAULT_RULES

    usual = {
        name: ", ".join(arch for arch, rule in DEFAULT_RULES.items() if rule == name)
        for name in dict.fromkeys(DEFAULT_RULES.values())
    }
    return [
        {"rule": name, "default of": usual.get(name, ""), "when to use it": preset.description}
        for name, preset in lrp.PRESETS.items()
    ]


def _model(name: str) -> dict[str, str | float]:
    from textlrp.resources import bundled

    folder = bundled("models", name)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    metrics_file = folder / "metrics.json"
    metrics = json.loads(metrics_file.read_text("utf-8")) if metrics_file.is_file() else {}
    test = metrics.get("imdb:test", metrics.get("test", {}))
    size = sum(each.stat().st_size for each in folder.iterdir())
    return {
        "name": name,
        "architecture": config["model"]["arch"],
        "n-grams": ", ".join(map(str, config["model"].get("ngrams", []))) or "none",
        "classes": ", ".join(config["model"]["classes"]),
        "accuracy on imdb:test": round(test["accuracy"], 4) if "accuracy" in test else "not measured",
        "MB": round(size / 1e6, 1),
    }
