"""Train the models that ship with textlrp, a stage at a time (`train_imdb_all.py` runs all that a model needs).

    python scripts/train_imdb.py teacher                    # the linear model, on labelled and unlabelled reviews
    python scripts/train_imdb.py lstm --seed 0 --name lstm-0-first              # learns from the linear model by default
    python scripts/train_imdb.py dense --seed 0 --teachers linear lstm-0-first  # cnn and gru likewise
    python scripts/train_imdb.py lstm --seed 0 --start lstm-0-first --teachers linear lstm-0-first dense-0 --epochs 2 --moved 3
    python scripts/train_imdb.py lstm --start lstm-0 --beside dense-0 --name lstm-0-beside    # with the dense network's n-grams
    python scripts/train_imdb.py lstm --shipped imdb-lstm --name lstm-0         # a run made of a model that ships

Each run leaves its weights, its history and its logits for all 75,000 training reviews in the work folder (build/imdb by
default); a later run can name it among its teachers. `scripts/report_models.py` makes checkpoints of them and measures those.
The test part of IMDB is not read here.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from train_imdb_data import Reviews, prepare
from train_imdb_start import initialised, joined, widened
from train_imdb_student import LONGEST, Plan, predict, train, validated
from train_imdb_teacher import linear_teacher

from textlrp.files import write_json
from textlrp.models import checkpoint
from textlrp.models.config import ModelConfig, make_config
from textlrp.training.distil import blend, soft_targets

ROOT = Path(__file__).resolve().parents[1]
WORK, MODELS = ROOT / "build" / "imdb", ROOT / "data" / "models"
OPTIONS: dict[str, dict[str, Any]] = {
    "lstm": {"units": 128, "dropout": 0.3, "word_dropout": 0.1, "pooling": ["max"]},
    "gru": {"units": 64, "dropout": 0.2, "word_dropout": 0.1, "pooling": ["max"]},
    "cnn": {"channels": 128, "widths": [2, 3, 4], "dropout": 0.2, "word_dropout": 0.1, "pooling": ["max"]},
    "dense": {
        "embedding_dim": 101,
        "pooling": ["root", "max"],
        "once": True,
        "ngrams": [2, 3],
        "ngram_buckets": 2**19,
        "ngram_dim": 1,
        "ngram_selected": True,
        "ngram_pooling": ["root"],
        "dropout": 0.3,
        "word_dropout": 0.3,
    },
}
_DENSE = OPTIONS["dense"]
BESIDE = {key: _DENSE[key] for key in _DENSE if key == "once" or key.startswith("ngram")} | {"ngrams": [1, 2, 3]}
PLANS = {
    "lstm": Plan(epochs=2.5),
    "gru": Plan(epochs=1.5, head=80, tail=120),
    "cnn": Plan(epochs=1.5, learning_rate=3e-3, head=80, tail=120),
    "dense": Plan(epochs=1.5, batch_size=128, learning_rate=2e-3, head=400, tail=400),
}


def configuration(arch: str, reviews: Reviews) -> ModelConfig:
    """Return what is trained as `arch`."""
    fixed = {"classes": ["negative", "positive"], "max_tokens": LONGEST}
    return make_config(arch, vocabulary_size=len(reviews.vocabulary), **fixed, **OPTIONS[arch])


def teachers(names: list[str], reviews: Reviews, work: Path) -> np.ndarray:  # -> [n,2]
    """Return the calibrated average of the logits that earlier runs left."""
    found = [np.load(work / name / "logits.npy").astype(np.float64) for name in names]
    return blend(found, reviews.labels, reviews.validation)


def shipped(arch: str, name: str, folder: Path, reviews: Reviews) -> None:
    """Make a run of a model that ships: its weights, its logits, and the commands that made it."""
    found = checkpoint.load(MODELS / name)
    if found.config.arch != arch or found.vocabulary != reviews.vocabulary:
        raise SystemExit(f"{name} is no {arch} of this vocabulary")
    every = predict(found.module, reviews, np.arange(len(reviews)), Plan(head=LONGEST // 2, tail=LONGEST // 2))
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "logits.npy", every.astype(np.float16))
    save_file(found.module.state_dict(), folder / "weights.safetensors")
    usual = configuration(arch, reviews).to_dict()
    options = {key: value for key, value in found.config.to_dict().items() if usual[key] != value and key != "temperature"}
    seconds = [{"seconds": found.metrics["seconds"]}]
    record = {"command": _command(), "start": None, "options": options, "seed": found.metrics["seed"], "history": seconds}
    write_json(folder / "history.json", record | {"before": found.metrics["commands"]})


def _command() -> str:
    return shlex.join(["python", "scripts/train_imdb.py", *sys.argv[1:]])


def main() -> None:
    """Run one stage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["teacher", *OPTIONS])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--teachers", nargs="+", default=["linear"], help="earlier runs whose soft labels are averaged")
    parser.add_argument("--start", help="an earlier run of the same stage, whose weights are trained further")
    parser.add_argument(
        "--beside", help="a dense run whose words and n-grams join the recurrent network that is trained further"
    )
    parser.add_argument("--shipped", help="make a run of this model in data/models, and train nothing")
    parser.add_argument("--trust", type=float, default=0.5, help="the teachers' share in the target of a labelled review")
    parser.add_argument("--epochs", type=float)
    parser.add_argument("--checks", type=int, help="how often the validation part is measured, and the state written")
    parser.add_argument("--until", type=float, help="stop after so many of the epochs")
    parser.add_argument("--head", type=int, help="so many tokens at the beginning of a long review are read in training")
    parser.add_argument("--tail", type=int, help="and so many at its end")
    parser.add_argument("--rate", type=float, help="the learning rate")
    parser.add_argument("--moved", type=float, default=0.0, help="the length of the adversarial step (lstm only)")
    parser.add_argument("--decay", type=float, default=0.0, help="weight decay")
    parser.add_argument(
        "--strength", type=float, default=12.0, help="of the linear model's weights in the n-gram tables at the start"
    )
    parser.add_argument("--options", type=json.loads, default={}, help="of the model, as JSON, instead of those in OPTIONS")
    parser.add_argument("--name", help="of the run; by default the stage and the seed")
    parser.add_argument("--last", action="store_true", help="leave no logits: this run teaches no other")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=WORK)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    reviews = prepare(given.work)
    if given.stage == "teacher":
        start = time.monotonic()
        margin, accuracies = linear_teacher(reviews, given.work)
        (given.work / "linear").mkdir(exist_ok=True)
        np.save(given.work / "linear" / "logits.npy", np.stack([-margin / 2, margin / 2], axis=1).astype(np.float32))
        print(f"validation accuracy {accuracies}, {time.monotonic() - start:.0f} s")
        return
    folder = given.work / (given.name or f"{given.stage}-{given.seed}")
    if given.shipped:
        return shipped(given.stage, given.shipped, folder, reviews)
    if given.beside and not given.start:
        parser.error("--beside needs --start: the recurrent network that the n-grams join")
    plan = PLANS[given.stage]
    if given.epochs:
        plan = replace(plan, epochs=given.epochs)
    plan = replace(plan, learning_rate=given.rate or plan.learning_rate, weight_decay=given.decay, moved=given.moved)
    plan = replace(plan, checks=given.checks or plan.checks, head=given.head or plan.head, tail=given.tail or plan.tail)
    options = (BESIDE if given.beside else {}) | given.options
    config = configuration(given.stage, reviews).replace(**options)
    targets = soft_targets(teachers(given.teachers, reviews, given.work), reviews.labels, trust=given.trust)
    module = initialised(config, reviews, given.work, seed=given.seed, strength=given.strength)
    if given.start:
        weights = load_file(given.work / given.start / "weights.safetensors")
        if given.beside:
            weights = joined(weights, load_file(given.work / given.beside / "weights.safetensors"), module)
        module.load_state_dict(widened(weights, module))
        print(json.dumps({"start": given.start, "beside": given.beside, **validated(module.eval(), reviews)}), flush=True)
    notes = {"command": _command(), "start": given.start, "beside": given.beside}
    notes |= {"options": options, "teachers": given.teachers, "trust": given.trust}
    train(module, reviews, targets, folder, plan=plan, seed=given.seed, notes=notes, teach=not given.last, until=given.until)


if __name__ == "__main__":
    main()
