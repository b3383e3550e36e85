# ruff: noqa: E501
"""Measure the LRP engine and write reports/engine.md: coverage, closure of the ledger, the peers, the toy tasks, the mutations.

    python scripts/report_engine.py [--toy FILE] [--mutations FILE] [--out reports/engine.md]

--toy and --mutations are the --json files of scripts/toy_tasks.py and scripts/mutate_engine.py; without them, these are run here.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.lrp import test_peers as peers  # noqa: E402  the tests' own models and comparisons
from tests.lrp import zoo  # noqa: E402
from tests.lrp.oracles.compare import engine_rule  # noqa: E402
from textlrp import lrp  # noqa: E402
from textlrp.errors import TextLRPError  # noqa: E402
from textlrp.files import write_text  # noqa: E402
from textlrp.lrp import tables as known  # noqa: E402
from textlrp.lrp.mode import OPERATIONS  # noqa: E402

BOX = {"z-box": {"low": -4.0, "high": 4.0}}
LIMITS = {torch.float64: 1e-10, torch.float32: 1e-5}


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def versions() -> str:
    """Name what made the numbers."""
    names = []
    for package in ("torch", "numpy", "captum", "zennit", "hypothesis"):
        try:
            names.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            names.append(f"no {package}")
    return ", ".join([f"Python {platform.python_version()}", *names])


def gates_for(name: str) -> list[str]:
    """Return the gate rules that make a difference to a model."""
    gated = any(word in name for word in ("LSTM", "GRU", "attention pooling", "highway"))
    return list(lrp.GATES) if gated else ["all"]


def closure(name: str, rule: Any, dtype: torch.dtype) -> tuple[dict[str, float], set[str]]:
    """Return the residual of the ledger for each gate rule, relative to the largest relevance, and the keys in use."""
    module, (ids, lengths) = zoo.build(name, dtype), zoo.batch()
    composite = lrp.Composite(default=rule, product="half" if name in zoo.TWO_SIGNALS else None)
    worst, keys = {}, set()
    for gates in gates_for(name):
        found = lrp.attribute(module, ids, lengths, target=1, composite=composite, gates=gates, layers=False)
        entries = torch.stack([entry.double() for entry in found.ledger.values()])
        scale = torch.cat([entries, found.score[None].double(), found.tokens.T.double()]).abs().amax(0)
        worst[gates] = float(((found.score.double() - entries.sum(0)).abs() / scale).max())
        keys |= {key for key, entry in found.ledger.items() if bool((entry != 0).any())}
    return worst, keys


def coverage() -> tuple[list[str], list[str]]:
    """Return two tables of how far ledgers are from closing: rules and models; and gate rules."""
    rules = {name: kind(**BOX.get(name, {})) for name, kind in lrp.RULES.items()}
    rows: list[Sequence[object]] = []
    every: dict[tuple[str, torch.dtype], list[float]] = {}
    for name in zoo.MODELS:
        cells, booked = [], set()
        for rule in rules.values():
            try:
                found = {dtype: closure(name, rule, dtype) for dtype in LIMITS}
            except TextLRPError as error:
                cells.append("refused" if "bounds" in str(error) else type(error).__name__)
                continue
            marks = []
            for dtype, (residuals, keys) in found.items():
                booked |= keys
                marks.append(f"{max(residuals.values()):.0e}")
                for gates, residual in residuals.items():
                    every.setdefault((gates, dtype), []).append(residual)
            cells.append(" / ".join(marks))
        rows.append([name, len(gates_for(name)), *cells, ", ".join(sorted(booked - {"words"}))])
    by_gate = []
    for gates, dtype in every:
        residuals = np.array(every[gates, dtype])
        within = int((residuals <= LIMITS[dtype]).sum())
        limit = f"{within} of {len(residuals)} within {LIMITS[dtype]:.0e}"
        by_gate.append(
            [gates, str(dtype).removeprefix("torch."), f"{residuals.max():.1e}", f"{np.median(residuals):.1e}", limit]
        )
    return table(["model", "gate rules", *rules, "booked besides words"], rows), table(
        ["gate rule", "precision", "largest", "median", "model × rule"], sorted(by_gate, key=lambda row: (row[1], row[0]))
    )


def against_peers() -> list[str]:
    """Return the largest differences to captum and zennit, relative to the largest relevance."""
    rows: list[Sequence[object]] = []
    for name, (rule, make) in peers.PAIRS.items():
        for kind, build, last in (("dense", peers._dense, "2"), ("convolution", peers._convolutional, "3")):
            errors = []
            for seed in range(3):
                net, x, targets = build(seed)
                ours = peers._ours(net, x, targets, lrp.Composite([("net.0", engine_rule(rule))], default=lrp.Epsilon(0.01)))
                with peers.stand_ins():
                    import zennit

                    pair = {"0": make(zennit.rules), last: zennit.rules.Epsilon(epsilon=0.01)}
                    theirs = peers._zennit(zennit, net, x, targets, pair)
                errors.append(np.abs(ours - theirs).max() / np.abs(theirs).max())
            rows.append(["zennit", kind, f"{name} below, epsilon above", f"{max(errors):.0e}"])
    from captum.attr._utils import lrp_rules as captum_rules

    for label, ours_below, make in (
        ("epsilon", lrp.Epsilon(0.01), lambda: captum_rules.EpsilonRule(0.01)),
        ("gamma, positive inputs", lrp.Gamma(0.25, epsilon=1e-9), lambda: captum_rules.GammaRule(0.25)),
        ("z-plus, positive inputs", lrp.ZPlus(epsilon=1e-9), captum_rules.Alpha1_Beta0_Rule),
    ):
        errors = []
        for seed in range(3):
            net, x, targets = peers._dense(seed, bias=label == "epsilon")
            x = x if label == "epsilon" else x.abs()
            above = 0.01 if label == "epsilon" else 1e-9
            ours = peers._ours(net, x, targets, lrp.Composite([("net.0", ours_below)], default=lrp.Epsilon(above)))
            theirs = peers._captum(net, x, targets, {"0": make(), "2": captum_rules.EpsilonRule(above)})
            errors.append(np.abs(ours - theirs).max() / np.abs(theirs).max())
        rows.append(["captum", "dense", f"{label} below, epsilon above", f"{max(errors):.0e}"])
    return table(["peer", "model", "rules", "largest difference"], rows)


def toy_table(rows: list[dict[str, Any]]) -> list[str]:
    """Return the correlations of the toy tasks, by task and gate rule."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("toy_tasks", ROOT / "scripts" / "toy_tasks.py")
    assert spec is not None
    assert spec.loader is not None
    toy = importlib.util.module_from_spec(spec)
    sys.modules["toy_tasks"] = toy
    spec.loader.exec_module(toy)
    out: list[Sequence[object]] = []
    for task, gates in itertools.product(dict.fromkeys(row["task"] for row in rows), lrp.GATES):
        everyone = [row for row in rows if (row["task"], row["gates"]) == (task, gates)]
        mine = [row for row in everyone if row["error"] < toy.GOOD]
        paper = toy.PAPER.get(task, {}).get(gates)
        shown = "" if paper is None else f"{paper[0]} / {paper[1]}"
        if mine:
            a, b = (np.array([row[key] for row in mine]) for key in ("a", "b"))
            numbers = [f"{a.mean():.2f} ± {a.std():.2f}", f"{b.mean():.2f} ± {b.std():.2f}"]
        else:
            numbers = ["-", "-"]
        out.append([task, gates, f"{len(mine)} of {len(everyone)}", *numbers, shown])
    return table(["task", "gates", "networks that learnt it", "a, %", "b, %", "paper (recalled, unchecked)"], out)


def made(script: str, given: Path | None, folder: Path) -> Any:
    """Return the rows of another script's --json file, running it if none was given."""
    if given is None:
        given = folder / f"{script}.json"
        subprocess.run([sys.executable, str(ROOT / "scripts" / f"{script}.py"), "--json", str(given)], check=False)
    return json.loads(given.read_text(encoding="utf-8"))


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", type=Path, help="results of scripts/toy_tasks.py --json")
    parser.add_argument("--mutations", type=Path, help="results of scripts/mutate_engine.py --json")
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "engine.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    begin = time.monotonic()
    models, by_gate = coverage()
    with tempfile.TemporaryDirectory() as name:
        toys = made("toy_tasks", options.toy, Path(name))
        mutations = made("mutate_engine", options.mutations, Path(name))
    caught = sum(row["caught"] for row in mutations)
    tables = {
        "with a function of their own": OPERATIONS,
        "pointwise non-linearities": known.POINTWISE,
        "of these, gates by origin (and softmax, and 1 − gate)": known.GATING,
        "copies": known.COPIES,
        "sums": known.SUMS,
        "selections: the winner takes all": known.SELECTIONS,
    }
    lines = [
        "# The LRP engine, measured",
        "",
        f"Made by `python scripts/report_engine.py` with {versions()}. Seeds are fixed in the scripts. No number is typed by hand but those of a paper, in a column that says so.",
        "",
        "## Rules × layers, and the closure of the ledger",
        "",
        "Each model of `tests/lrp/zoo.py` (seed 0, four texts of different lengths) under each rule, and under every gate rule where",
        "it has gates. A cell holds the largest |score − Σ ledger| of any text and gate rule, relative to the largest relevance of",
        "that text (of a token, an entry of the ledger or the score), in float64 / float32. `refused`: an error says why (the z-box",
        "rule needs bounds of every input, and those of a recurrent state are unknown).",
        "",
        *by_gate,
        "",
        *models,
        "",
        "## Operations the engine knows, from its own tables",
        "",
        *table(
            ["kind", "number", "names"],
            [[kind, len(names), ", ".join(f"`{each}`" for each in sorted(names))] for kind, names in tables.items()],
        ),
        "",
        "## Peers",
        "",
        "Largest difference over three random networks (seeds 0 to 2, float64), relative to the largest relevance. Where the peers are",
        "not right (recurrent layers, embeddings, signed inputs under γ) `tests/lrp/test_peers.py` documents what they do instead.",
        "",
        *against_peers(),
        "",
        "## Toy tasks of Arras et al. 2019",
        "",
        "Made by `python scripts/toy_tasks.py`: correlation of the two marked numbers with their relevance (ε = 0.00001) over 2,500 fresh",
        "sequences, mean ± standard deviation over the networks that learnt the task (mean squared error below 0.001). Sizes and ε were",
        "chosen by trying: with ε = 0.001, or two cells, the all rule gives 0.94 to 0.99. In subtract-by-order only the order says which",
        "number is taken away; there the all rule, which gives gates nothing, does not follow the numbers. The paper's numbers were",
        "recalled without the paper at hand and are unchecked.",
        "",
        *toy_table(toys),
        "",
        "## Mutations",
        "",
        f"Made by `python scripts/mutate_engine.py`: the engine broken on purpose, {len(mutations)} times, in a copy; the fast tests of",
        f"`tests/lrp` caught {caught}.",
        "",
        *table(
            ["mutation", "caught", "by"],
            [
                [row["meaning"], "yes" if row["caught"] else "**no**", f"`{row['by']}`" if row["by"] else ""]
                for row in mutations
            ],
        ),
        "",
    ]
    options.out.parent.mkdir(exist_ok=True)
    write_text(options.out, "\n".join(lines))
    print(f"{options.out.name}: {caught} of {len(mutations)} mutations caught, {time.monotonic() - begin:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
