"""The page reports/models.md from the measured figures."""

from __future__ import annotations

from typing import Any

import numpy as np

PUBLISHED = [
    ("NB-SVM, words to trigrams (Mesnil et al. 2014)", "91.9"),
    ("LSTM pre-trained as a language model (Dai & Le 2015)", "92.7"),
    ("NB-weighted n-grams and document vectors (Thongtan & Phienthrakul 2019)", "93.7"),
    ("LSTM with adversarial and virtual adversarial training (Miyato et al. 2017)", "94.1"),
    ("bidirectional LSTM, mixed objectives, unlabelled reviews (Sachan et al. 2019)", "95.7"),
]

INTRODUCTION = """# The models that ship, measured

All figures are percentages on the 25,000 test reviews of IMDB, each measured once, from the stored files (8-bit embeddings,
the rest in 16 bits). Choices (architecture, length of training, teachers, which seed ships, temperature) were made on {n:,}
labelled training reviews of films that the other labelled training reviews do not have. Nothing was learnt from the test part:
neither texts, vocabulary nor vectors. Data: the 25,000 labelled and 50,000 unlabelled training reviews (Maas et al. 2011);
embeddings start as GloVe vectors of 100 dimensions trained on the same 75,000 reviews.
"""


def page(figures: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    models = figures["models"]
    size = max(record["validation"]["n"] for model in models.values() for record in model["runs"].values())
    lines = [INTRODUCTION.format(n=size), "## Shipped", "", *_shipped(models)]
    lines += ["", "## Seeds", "", *_seeds(models), "", "## Beside them", "", *_others(figures["baselines"])]
    lines += ["", "## Commands", "", *_commands(models)]
    lines += ["", *figures.get("notes", [])]
    return "\n".join(lines).rstrip() + "\n"


def _shipped(models: dict[str, Any]) -> list[str]:
    lines = [
        "| model | accuracy | F1 | ECE before → after temperature | validation | parameters | MB | training | seed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, model in models.items():
        run = model["runs"][model["shipped"]]
        test = run["test"]
        cells = [f"`{name}`", _percent(test["accuracy"]), _percent(test["f1"])]
        cells += [f"{_percent(run['test_ece_before'])} → {_percent(test['ece'])}", _percent(run["validation"]["accuracy"])]
        cells += [f"{run['parameters']:,}", f"{run['bytes'] / 1e6:.1f}", f"{run['seconds'] / 60:.0f} min", str(run["seed"])]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _seeds(models: dict[str, Any]) -> list[str]:
    lines = ["| model | seeds | test accuracy of each | mean ± standard deviation |", "| --- | --- | --- | --- |"]
    for name, model in models.items():
        runs = [model["runs"][run] for run in model["runs"]]
        found = [100 * run["test"]["accuracy"] for run in runs]
        spread = f" ± {np.std(found, ddof=1):.2f}" if len(found) > 1 else " (one seed only)"
        each = ", ".join(f"{value:.2f}" for value in found)
        lines.append(f"| `{name}` | {', '.join(str(run['seed']) for run in runs)} | {each} | {np.mean(found):.2f}{spread} |")
    return lines


def _others(baselines: dict[str, Any]) -> list[str]:
    lines = ["| what | accuracy | F1 | ECE | training and prediction |", "| --- | --- | --- | --- | --- |"]
    for name, found in baselines.items():
        figures = " | ".join(_percent(found[key]) for key in ("accuracy", "f1", "ece"))
        lines.append(f"| {name} (scikit-learn, same run) | {figures} | {found['seconds']:.0f} s |")
    return lines + [f"| {name}, as published | {value} | | | |" for name, value in PUBLISHED]


def _commands(models: dict[str, Any]) -> list[str]:
    commands: list[str] = ["python scripts/train_imdb.py teacher"]
    for model in models.values():
        for run in model["runs"].values():
            commands += [each for each in run["commands"] if each not in commands]
    return ["```", *commands, "```"]


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"
