"""Make the checkpoints that ship out of the runs of `train_imdb.py`, measure exactly those files, and write reports/models.md.

    python scripts/report_models.py export lstm --name imdb-lstm --runs lstm-0 lstm-1 lstm-2   # lowest validation loss ships
    python scripts/report_models.py baselines    # scikit-learn's linear models
    python scripts/report_models.py measure      # the test part of IMDB, once for each run exported
    python scripts/report_models.py write

Figures are kept in reports/models.json between the stages.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report_models_baselines import BASELINES
from report_models_text import page
from safetensors.torch import load_file
from torch import nn
from train_imdb import PLANS, WORK, configuration
from train_imdb_data import DATA, prepare

from textlrp.files import write_json
from textlrp.models import checkpoint
from textlrp.models.batches import Encoded, encode, predict_logits, probabilities
from textlrp.models.config import ModelConfig
from textlrp.models.storage import round_to_storage
from textlrp.text.sources import load_reviews
from textlrp.training.card import versions
from textlrp.training.metrics import fit_temperature, measure

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "reports" / "models.json"
STORAGE = "int8"
CLASSES = ["negative", "positive"]


def figures() -> dict[str, Any]:
    """Return what earlier stages have measured."""
    return json.loads(FIGURES.read_text()) if FIGURES.exists() else {"models": {}, "baselines": {}}


def keep(found: dict[str, Any]) -> None:
    """Write the figures."""
    FIGURES.write_text(json.dumps(found, indent=1) + "\n")


def stored(run: Path, config: ModelConfig) -> nn.Module:
    """Return a run's module with its weights rounded to what a checkpoint holds."""
    from textlrp.models.build import build

    module = build(config).eval()
    module.load_state_dict(load_file(run / "weights.safetensors"))
    round_to_storage(module, STORAGE)
    return module


def export(arch: str, name: str, runs: list[str], work: Path, *, ships: str | None = None) -> None:
    """Write one run, by default the best on the validation part, to data/models/NAME, and all beside the runs themselves.

    A run that was exported before, and whose folder is gone, stays as it was measured.
    """
    kept = figures()
    measured = kept["models"].get(name, {}).get("runs", {})
    found: dict[str, Any] = {}
    for run in runs:
        gone = run in measured and not (work / run).exists()
        found[run] = measured[run] if gone else checkpoint_of(arch, name, run, work)
    best = ships or min(runs, key=lambda run: found[run]["validation"]["loss"])  # steadier than accuracy on so few reviews
    if best != kept["models"].get(name, {}).get("shipped"):
        ship(work / best / "checkpoint", ROOT / "data" / "models" / name)
    for run in set(runs) & set(measured):  # the test part is read once
        found[run] |= {key: value for key, value in measured[run].items() if key not in found[run]}
    kept["models"][name] = {"arch": arch, "shipped": best, "runs": found}
    keep(kept)


def checkpoint_of(arch: str, name: str, run: str, work: Path) -> dict[str, Any]:
    """Write the checkpoint of a run beside it; return its record: what the validation part gave, its commands, its time."""
    reviews = prepare(work)
    texts = Encoded.of(reviews[number] for number in reviews.validation)
    labels = reviews.labels[reviews.validation]
    history = json.loads((work / run / "history.json").read_text())
    config = configuration(arch, reviews).replace(**history.get("options", {}))
    module = stored(work / run, config)
    logits = predict_logits(module, texts)
    config = config.replace(temperature=fit_temperature(logits, labels))
    before = measure(probabilities(logits), labels, classes=CLASSES)
    after = measure(probabilities(logits, temperature=config.temperature), labels, classes=CLASSES)
    record = {"run": run, "validation": after, "ece_before": before["ece"], "temperature": config.temperature}
    record |= {"seed": history["seed"], "seconds": sum(each["history"][-1]["seconds"] for each in _line(work, run))}
    commands = [one for each in _line(work, run) for one in (*each.get("before", []), each["command"])]
    record |= {"commands": commands, "storage": STORAGE, "versions": versions()}
    folder = work / run / "checkpoint"
    checkpoint.save(folder, module, config, reviews.vocabulary, metrics=record, card=card(name, record), storage=STORAGE)
    print(run, after["accuracy"], before["ece"], after["ece"], config.temperature)
    return record | {"parameters": sum(each.numel() for each in module.parameters())}


def ship(source: Path, target: Path) -> None:
    """Copy a checkpoint by reading and writing it."""
    read = checkpoint.load(source)
    checkpoint.save(
        target, read.module, read.config, read.vocabulary, metrics=read.metrics, card=read.card, storage=read.storage
    )


def _line(work: Path, run: str) -> list[dict[str, Any]]:
    """Return the histories of a run and of those whose weights it started from, first things first."""
    history = json.loads((work / run / "history.json").read_text())
    return [*(_line(work, history["start"]) if history.get("start") else []), history]


def card(name: str, record: dict[str, Any]) -> str:
    """Return the model card."""
    commands = "\n".join(f"    {each}" for each in record["commands"])
    valid = record["validation"]
    return f"""# {name}

Negative or positive: an English film review. Trained for textlrp on the 25,000 labelled and 50,000 unlabelled reviews of the
training part of IMDB (Maas et al., ACL 2011) and GloVe vectors of those reviews; the test part was not used.

{commands}

Seed {record["seed"]}, {record["seconds"]:,.0f} s on CPU threads that others used too. Held-out films of the training part
({valid["n"]:,} reviews): accuracy {valid["accuracy"]:.4f}, F1 {valid["f1"]:.4f}, ECE {valid["ece"]:.4f} at temperature
{record["temperature"]}. The figures on the test part are in reports/models.md. Versions:
{", ".join(f"{key} {value}" for key, value in record["versions"].items())}.

Load it with `textlrp.load("{name}")`: safetensors and JSON, nothing is pickled.
"""


def measure_models(work: Path) -> None:
    """Measure every exported run, from its stored form, on the test part, once each."""
    kept = figures()
    test = load_reviews("imdb:test", data_dir=DATA)
    texts, labels = list(test["text"]), np.array(test["label"])
    encoded: dict[str, Encoded] = {}
    for name, model in kept["models"].items():
        for run, record in model["runs"].items():
            if "test" in record:
                continue
            folder = ROOT / "data" / "models" / name if run == model["shipped"] else work / run / "checkpoint"
            read = checkpoint.load(folder)
            key = str(hash(read.vocabulary))
            if key not in encoded:
                encoded[key] = encode(texts, read.vocabulary)
            start = time.monotonic()
            logits = predict_logits(read.module, encoded[key])
            record["test_seconds"] = round(time.monotonic() - start, 1)
            record["test"] = measure(probabilities(logits, temperature=read.config.temperature), labels, classes=CLASSES)
            record["test_ece_before"] = measure(probabilities(logits), labels, classes=CLASSES)["ece"]
            if run == model["shipped"]:  # what was measured on these very files stands beside them
                write_json(folder / "metrics.json", {**read.metrics, "test": record["test"]})
            record["bytes"] = sum(each.stat().st_size for each in folder.iterdir())
            print(name, run, record["test"]["accuracy"])
            keep(kept)


def measure_baselines() -> None:
    """Train the linear models of scikit-learn on all labelled reviews, and measure them on the test part."""
    test = load_reviews("imdb:test", data_dir=DATA)
    texts, labels = list(test["text"]), np.array(test["label"])
    train: list[str] | None = None
    for name, fit in BASELINES.items():
        if name in figures()["baselines"]:
            continue
        if train is None:
            data = load_reviews("imdb:train", data_dir=DATA)
            train, truth = list(data["text"]), np.array(data["label"])
        start = time.monotonic()
        found = fit(train, truth, texts)
        kept = figures()
        kept["baselines"][name] = measure(found, labels, classes=CLASSES) | {"seconds": round(time.monotonic() - start, 1)}
        print(name, kept["baselines"][name]["accuracy"], flush=True)
        keep(kept)


def main() -> None:
    """Run one stage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["export", "baselines", "measure", "write"])
    parser.add_argument("arch", nargs="?", choices=list(PLANS))
    parser.add_argument("--name")
    parser.add_argument("--runs", nargs="+", default=[])
    parser.add_argument("--ships", help="the run that ships; by default the one with the lowest validation loss")
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.stage == "export":
        export(given.arch, given.name or f"imdb-{given.arch}", given.runs, given.work, ships=given.ships)
    elif given.stage == "baselines":
        measure_baselines()
    elif given.stage == "measure":
        measure_models(given.work)
    else:
        (ROOT / "reports" / "models.md").write_text(page(figures()), encoding="utf-8")


if __name__ == "__main__":
    main()
