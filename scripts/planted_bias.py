"""Plant a bias and see whether the audit finds it, and whether it finds one where none is; write reports/planted_bias.md.

    python scripts/planted_bias.py --data-dir FOLDER    # the folder with aclImdb_v1.tar.gz; some minutes on one core

For each seed, reviews of imdb:train are drawn for training and for holding out. A meaningless token is put, at a random place,
into 30 % of the positive training reviews; a small dense network is trained with it, and another without. Four audits follow.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from textlrp.audit import Audit, audit
from textlrp.classifier import TextClassifier
from textlrp.files import write_text
from textlrp.text.sources import load_reviews

REPORT = Path(__file__).resolve().parents[1] / "reports" / "planted_bias.md"
TOKEN = "zyxqv"  # noqa: S105
SHARE = 0.3
ANYWHERE, MANY = 0.1, 6000  # the share of held-out texts with the token, whatever their label, and their number
TESTS = {
    "planted; held-out texts lack the token; training texts given": ("planted", "plain", True),
    "planted; token in 10 % of 6,000 held-out texts; no training texts": ("planted", "anywhere", False),
    "nothing planted; training texts given": ("clean", "plain", True),
    "nothing planted; no training texts": ("clean", "plain", False),
}


def planted(texts: list[str], chosen: np.ndarray, random: np.random.Generator) -> list[str]:
    """Put the token into the chosen texts, between two words."""
    found = []
    for text, put in zip(texts, chosen.tolist(), strict=True):
        parts = text.split(" ")
        if put:
            parts.insert(int(random.integers(len(parts) + 1)), TOKEN)
        found.append(" ".join(parts))
    return found


def rank_of(found: Audit) -> int | None:
    """The place of the token among all that the audit lists, from 1; None where it is not listed."""
    words = [each.word for each in (*found.alarms, *found.watch)]
    return words.index(TOKEN) + 1 if TOKEN in words else None


def draw(texts: list[str], labels: np.ndarray, seed: int, train: int, held_out: int) -> list[np.ndarray]:
    """Rows for training, for holding out, and many for holding out, half of them positive."""
    random = np.random.default_rng(seed)
    parts: list[list[int]] = [[], [], []]
    for label in (0, 1):
        rows = random.permutation(np.flatnonzero(labels == label))
        parts[0] += rows[: train // 2].tolist()
        parts[1] += rows[train // 2 : (train + held_out) // 2].tolist()
        parts[2] += rows[train // 2 : (train + MANY) // 2].tolist()
    return [random.permutation(rows) for rows in parts]


def one_seed(texts: list[str], labels: np.ndarray, seed: int, train: int, held_out: int) -> dict[str, Audit]:
    """Train with and without the token, and audit both."""
    random = np.random.default_rng(seed + 1000)
    inside, outside, many = draw(texts, labels, seed, train, held_out)
    cut = lambda rows: [" ".join(texts[i].split(" ")[:150]) for i in rows]  # noqa: E731
    seen, apart = {"clean": cut(inside)}, {"plain": cut(outside)}
    y = labels[inside]
    truth = {"plain": labels[outside], "anywhere": labels[many]}
    seen["planted"] = planted(seen["clean"], (y == 1) & (random.random(len(y)) < SHARE), random)
    apart["anywhere"] = planted(cut(many), random.random(len(many)) < ANYWHERE, random)
    models = {}
    for name, these in seen.items():
        models[name] = TextClassifier("dense", model_options={"ngrams": ()}, seed=seed).fit(these, y.tolist())
    return {
        name: audit(
            models[model],
            apart[held],
            truth[held].tolist(),
            training=(seen[model], y.tolist()) if given else None,
            seed=seed,
            k=3,
        )
        for name, (model, held, given) in TESTS.items()
    }


def main() -> None:
    """Run all seeds, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--train", type=int, default=3000)
    parser.add_argument("--held-out", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=REPORT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    reviews = load_reviews("imdb:train", data_dir=options.data_dir)
    texts, labels = list(reviews["text"]), np.asarray(reviews["label"][:])
    began, runs = time.process_time(), []
    for seed in range(options.seeds):
        runs.append(one_seed(texts, labels, seed, options.train, options.held_out))
        for name, found in runs[-1].items():
            alarms = [(each.word, each.texts, each.effect.flips if each.effect else 0) for each in found.alarms]
            sys.stderr.write(f"seed {seed}: {name}: rank {rank_of(found)}, {found.tests} tests, alarms {alarms}\n")
        write_text(options.out, report(runs, options, time.process_time() - began))


def report(runs: list[dict[str, Audit]], options: argparse.Namespace, seconds: float) -> str:
    """The report as Markdown."""
    packages = ", ".join(f"{package} {version(package)}" for package in ("textlrp", "torch", "numpy", "scipy", "scikit-learn"))
    count = len(runs)
    lines = [
        "# A planted bias, and whether the audit finds it",
        "",
        f"Made by `python scripts/planted_bias.py --data-dir … --seeds {options.seeds} --train {options.train} "
        f"--held-out {options.held_out}`; Python {platform.python_version()}, {packages};",
        f"seeds 0 to {count - 1}; one thread, {seconds:.0f} s of the processor.",
        "",
        f"A meaningless token stands in {SHARE:.0%} of the positive ones of {options.train:,} training reviews (imdb:train,",
        f"cut to 150 words); others are held out, {options.held_out:,} where no other number is named. The model is",
        "a small dense network. The chance that an audit raises any false alarm is set to at most "
        f"{next(iter(runs[0].values())).level:.0%}.",
        "A false alarm here is an alarm for any word but the token.",
        "",
        "Ranked first: first on the audit's list, alarms before words that were tested and passed, these by their p-value.",
        "Without training texts the held-out labels alone must contradict the token, which takes many texts that hold it.",
        "",
        "| audit | token ranked first | alarm for the token | audits with a false alarm | false alarms | tests an audit |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in TESTS:
        found = [run[name] for run in runs]
        others = [sum(each.word != TOKEN for each in audit.alarms) for audit in found]
        first = sum(rank_of(each) == 1 for each in found)
        raised = sum(any(each.word == TOKEN for each in audit.alarms) for audit in found)
        hits = (f"{first} of {count}", f"{raised} of {count}") if name.startswith("planted") else ("–", f"{raised} of {count}")
        tests = round(float(np.mean([each.tests for each in found])))
        lines.append(f"| {name} | {hits[0]} | {hits[1]} | {sum(map(bool, others))} of {count} | {sum(others)} | {tests:,} |")
    lines += [
        "",
        "What deleting the token everywhere does in the audited texts (mean over the seeds that raised the alarm):",
        "",
    ]
    lines += [
        "| audit | relevance in a text | predictions flipped | inserted: turned to positive |",
        "| --- | --- | --- | --- |",
    ]
    for name in list(TESTS)[:2]:
        hits_ = [each for run in runs for each in run[name].alarms if each.word == TOKEN]
        if hits_:
            relevance, flipped, inserted = (
                float(np.mean(values))
                for values in zip(
                    *((e.relevance, e.effect.flipped, e.effect.inserted or 0.0) for e in hits_ if e.effect), strict=True
                )
            )
            lines.append(f"| {name} | {relevance:+.2f} | {flipped:.1%} of those that hold it | {inserted:.1%} |")
    wrong = sorted(
        {(each.word, name) for run in runs for name, found in run.items() for each in found.alarms if each.word != TOKEN}
    )
    lines += [
        "",
        "Words other than the token that raised an alarm: " + (", ".join(f"`{w}` ({n})" for w, n in wrong) or "none") + ".",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
