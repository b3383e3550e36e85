"""What the default recipe gives on some labelled reviews of IMDB, and what other options or unlabelled reviews do.

    python scripts/try_recipe.py dense --labelled 2000 --unlabelled 20000 --pretraining none vectors
    python scripts/try_recipe.py lstm --labelled 2000 --options '{"ngrams": []}' --recipe '{"train_tokens": 200}'

Measured on held-out films of the training part, which also end the training; the test part is not read.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from train_imdb import WORK
from train_imdb_data import Reviews, prepare

from textlrp.models.checkpoint import save
from textlrp.training import train


def text(reviews: Reviews, number: int) -> str:
    """Return a review's known words."""
    return " ".join(reviews.vocabulary.words[each] for each in reviews[number] if each > 1)


def main() -> None:
    """Train each way, and print what it gives."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arch", choices=["dense", "lstm", "gru", "cnn"])
    parser.add_argument("--labelled", type=int, default=2_000)
    parser.add_argument("--unlabelled", type=int, default=20_000)
    parser.add_argument("--pretraining", nargs="+", default=["none"], help="none, vectors, language-model")
    parser.add_argument("--options", type=json.loads, default={}, help="of the model, as JSON, instead of the recipe's")
    parser.add_argument("--recipe", type=json.loads, default={}, help="of the training, as JSON, instead of the recipe's")
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--save", type=Path, help="a folder for the checkpoint of the last way")
    given = parser.parse_args()
    torch.set_num_threads(1)
    reviews, random = prepare(given.work), np.random.default_rng(0)
    chosen = random.choice(reviews.training, given.labelled, replace=False)
    texts, labels = [text(reviews, each) for each in chosen], reviews.labels[chosen].tolist()
    more = [text(reviews, each) for each in random.choice(reviews.unlabelled, given.unlabelled, replace=False)]
    held = [text(reviews, each) for each in reviews.validation], reviews.labels[reviews.validation].tolist()
    for way in given.pretraining:
        start = time.monotonic()
        extra = {"options": given.options, "recipe": given.recipe}
        extra |= {} if way == "none" else {"unlabelled": more, "pretraining": way}
        trained = train(texts, labels, classes=["negative", "positive"], arch=given.arch, validation=held, **extra)
        found = trained.metrics["validation"]
        print(
            f"{given.arch}, {way}: {found['accuracy']:.4f} [{found['loss']:.4f}], {time.monotonic() - start:.0f} s", flush=True
        )
    if given.save:
        save(given.save, trained.module, trained.config, trained.vocabulary, metrics=trained.metrics, card=trained.card())


if __name__ == "__main__":
    main()
