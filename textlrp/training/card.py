"""The model card: what was trained on what, how, and how good it is."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from textlrp.models.config import ModelConfig
from textlrp.training.recipe import Recipe

__all__ = ["model_card", "versions"]


def versions() -> dict[str, str]:
    """Return the versions of what a training's result depends on."""
    import numpy
    import torch

    from textlrp import __version__

    found = {"textlrp": __version__, "torch": str(torch.__version__), "numpy": numpy.__version__}
    return {**found, "python": platform.python_version()}


def model_card(
    config: ModelConfig,
    recipe: Recipe,
    metrics: Mapping[str, Any],
    *,
    chosen: Sequence[str],
    data: str,
    embeddings: str,
    command: str,
    seed: int,
) -> str:
    """Return the card as Markdown."""
    counts = f"{metrics['training']['texts']:,} training, {metrics['validation']['n']:,} validation texts"
    lines = [f"# A {config.arch} classifier of texts: {_plain(' · '.join(config.classes[:20]))}", ""]
    lines += [
        f"* data: {_plain(data) or 'not named'} ({counts})",
        f"* embeddings: {_plain(embeddings) or 'none, trained from scratch'}",
        f"* command: `{_plain(command) or 'Python'}`",
        f"* seed: {seed}; trained in {metrics['training']['seconds']:,.0f} s on {metrics['training']['device']}",
        "* versions: " + ", ".join(f"{name} {version}" for name, version in versions().items()),
        "",
        "| texts | n | accuracy | F1 | ECE | loss |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, found in metrics.items():
        if isinstance(found, Mapping) and "accuracy" in found:
            figures = " | ".join(f"{found[key]:.4f}" if key in found else "" for key in ("accuracy", "f1", "ece", "loss"))
            lines.append(f"| {_plain(name)} | {found['n']:,} | {figures} |")
    lines += ["", "Chosen:", "", *[f"* {_plain(each)}" for each in chosen], ""]
    settings = {key: value for key, value in config.to_dict().items() if key != "classes"}
    lines += ["Model: " + _listed(settings), "", "Training: " + _listed(asdict(recipe)), ""]
    lines += ["Read it with `textlrp.load(folder)`: weights are safetensors, everything else is JSON; nothing is pickled.", ""]
    return "\n".join(lines)


def command_line(arguments: Sequence[str]) -> str:
    """Return a command as one would type it.

    >>> command_line(["textlrp", "train", "--out", "my model"])
    "textlrp train --out 'my model'"
    """
    return shlex.join(arguments)


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def _plain(text: str) -> str:
    return " ".join(text.replace("`", "'").split())
