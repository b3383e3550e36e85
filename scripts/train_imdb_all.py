"""Train one of the models that ship with one command, from nothing to a checkpoint: all stages of `train_imdb.py` it needs.

    python scripts/train_imdb_all.py imdb-lstm --seed 0         # by the times in reports/models.md, about two hours of one core
    python scripts/train_imdb_all.py imdb-dense --seed 1 --dry  # print the stages only

Stages that are done are left out, and one that was killed goes on from its state: call it again. The checkpoint is written to
the work folder; with --ship it replaces that of data/models. What ships came of these stages one by one, by several versions of
the scripts and with other teachers among them (reports/models.md has the commands): this does not come back to its last digit.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

import report_models
import train_imdb

MODELS = ("imdb-dense", "imdb-lstm", "imdb-gru", "imdb-cnn")
LONG = ["--head", "150", "--tail", "350", "--moved", "3"]


def stages(model: str, seed: int) -> list[tuple[str, list[str]]]:
    """Return the runs that a model needs, first things first: the folder of each and the arguments of train_imdb.py.

    >>> [run for run, _ in stages("imdb-dense", 1)]
    ['linear', 'lstm-1-first', 'dense-1']
    """
    first, dense, moved, beside = f"lstm-{seed}-first", f"dense-{seed}", f"lstm-{seed}-moved", f"lstm-{seed}-beside"
    found = [
        ("linear", ["teacher"]),
        (first, ["lstm", "--epochs", "2.5"]),
        (
            dense,
            ["dense", "--teachers", "linear", first, "--rate", "2e-3", "--trust", "0.7", "--options", '{"word_dropout": 0.3}'],
        ),
    ]
    if model == "imdb-dense":
        return found
    light = '{"dropout": 0.3, "word_dropout": 0.05}'
    found.append(
        (moved, ["lstm", "--start", first, "--teachers", "linear", dense, first, "--epochs", "5", "--checks", "20", *LONG])
    )
    found[-1][1].extend(["--rate", "2e-3", "--options", light])
    teachers = ["--teachers", "linear", dense, moved, moved]
    if model == "imdb-lstm":
        joint = [
            "lstm",
            "--start",
            moved,
            "--beside",
            dense,
            *teachers,
            "--epochs",
            "2",
            "--checks",
            "8",
            "--rate",
            "1e-3",
            *LONG,
        ]
        return [*found, (beside, [*joint, "--options", '{"dropout": 0.3, "word_dropout": 0.1}', "--last"])]
    if model == "imdb-gru":
        return [*found, (f"gru-{seed}", ["gru", *teachers, "--options", '{"dropout": 0.2}', "--last"])]
    cnn, more = f"cnn-{seed}", f"cnn-{seed}-more"
    found.append((cnn, ["cnn", *teachers, "--rate", "3e-3", "--options", '{"dropout": 0.2}', "--last"]))
    again = [
        "cnn",
        "--start",
        cnn,
        *teachers,
        "--epochs",
        "1",
        "--rate",
        "3e-3",
        "--options",
        light.replace("0.3", "0.2"),
        "--last",
    ]
    return [*found, (more, again)]


def done(folder: Path, arguments: list[str]) -> bool:
    """Whether a run was finished: a trained one has weights and no state, a teacher its logits too."""
    teaches = "--last" not in arguments
    trained = arguments == ["teacher"] or (folder / "weights.safetensors").exists()
    return trained and not (folder / "state").exists() and (not teaches or (folder / "logits.npy").exists())


def main() -> None:
    """Run what is not done yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=train_imdb.WORK)
    parser.add_argument("--dry", action="store_true", help="print the stages, and run none")
    parser.add_argument("--ship", action="store_true", help="write the checkpoint to data/models, and its figures to reports")
    given = parser.parse_args()
    planned = stages(given.model, given.seed)
    for run, arguments in planned:
        whole = arguments if run == "linear" else [*arguments, "--seed", str(given.seed), "--name", run]
        over = done(given.work / run, arguments)
        print(("done:  " if over else "stage: ") + shlex.join(["python", "scripts/train_imdb.py", *whole]), flush=True)
        if not over and not given.dry:
            sys.argv = ["train_imdb.py", *whole, "--work", str(given.work)]
            train_imdb.main()
    if not given.dry:
        arch, last = given.model.removeprefix("imdb-"), planned[-1][0]
        print(report_models.checkpoint_of(arch, given.model, last, given.work)["validation"])
        if given.ship:
            report_models.export(arch, given.model, [last], given.work)


if __name__ == "__main__":
    main()
