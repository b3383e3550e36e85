"""The toy tasks of Arras et al. 2019: an LSTM adds or subtracts two marked numbers; does their relevance follow the numbers?

    python scripts/toy_tasks.py [--seeds N] [--steps N] [--json FILE]

A sequence of 4 to 10 numbers from [-1, -0.5] and [0.5, 1]; two of them, a and b, are marked: they stand in a channel of their
own. The LSTM's last state gives a + b or a - b through a linear layer without bias. The relevance of a and b (LRP-epsilon with
0.00001, biases absorbed; with 0.001 the stabilisers take a share of the small numbers in these small networks, and the all
rule falls to 0.99) is correlated with the numbers over fresh sequences, for each gate rule: 1 (or -1 where b is taken away) is
perfect.

Three tasks: add (one channel for both marked numbers), subtract (b has a channel of its own), and subtract-by-order (one
channel for both: only the order says which is taken away, so the network must count, and its gates carry information).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from textlrp import lrp

GOOD = 1e-3  # the mean squared error on fresh sequences below which a network has learnt its task
# Correlations in per cent, recalled from Table 1 of Arras et al. 2019 (which has these four rules) without the paper at hand:
# unchecked, so compare but do not cite.
PAPER = {
    "add": {"prop": (0.8, 10.1), "abs": (7.0, 12.4), "half": (29.0, 51.5), "all": (99.995, 99.995)},
    "subtract": {"prop": (3.1, -8.4), "abs": (1.2, -23.0), "half": (7.7, -28.9), "all": (98.5, -99.3)},
}


@dataclass(frozen=True)
class Task:
    """What is asked, in how many channels it is given, and how large a network is taken."""

    name: str
    sign_of_b: int
    channels: int
    size: int


TASKS = (Task("add", 1, 2, 1), Task("subtract", -1, 3, 1), Task("subtract-by-order", -1, 2, 8))


class Sequences(NamedTuple):
    """x [N, T, channels], lengths [N], positions of a and b [N], their values [N], and what is asked [N]."""

    x: torch.Tensor
    lengths: torch.Tensor
    at: tuple[torch.Tensor, torch.Tensor]
    numbers: tuple[torch.Tensor, torch.Tensor]
    wanted: torch.Tensor


def sequences(task: Task, count: int, seed: int) -> Sequences:
    """Draw sequences."""
    random = np.random.default_rng(seed)
    steps, rows = 10, np.arange(count)
    lengths = random.integers(4, steps + 1, size=count)
    numbers = random.uniform(0.5, 1.0, size=(count, steps)) * random.choice([-1.0, 1.0], size=(count, steps))
    order = np.argsort(np.where(np.arange(steps) < lengths[:, None], random.random((count, steps)), 2.0), axis=1)[:, :2]
    a, b = order.min(1), order.max(1)
    x = np.zeros((count, steps, task.channels))
    x[:, :, 0] = numbers * (np.arange(steps) < lengths[:, None])
    for at, channel in ((a, 1), (b, task.channels - 1)):
        x[rows, at, 0] = 0.0
        x[rows, at, channel] = numbers[rows, at]
    values = numbers[rows, a], numbers[rows, b]
    tensors = [torch.from_numpy(each).float() for each in (x, *values, values[0] + task.sign_of_b * values[1])]
    places = torch.from_numpy(a), torch.from_numpy(b)
    return Sequences(tensors[0], torch.from_numpy(lengths), places, (tensors[1], tensors[2]), tensors[3])


class Calculator(torch.nn.Module):
    """An LSTM and a linear layer without bias on its last state."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(task.channels, task.size, batch_first=True)
        self.output = torch.nn.Linear(task.size, 1, bias=False)
        with torch.no_grad():
            self.lstm.bias_ih_l0[task.size : 2 * task.size] = 5.0  # begin by forgetting nothing

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Calculate: [B, T, channels], [B] -> [B, 1]."""
        h, _ = self.lstm(x)
        return self.output(h[torch.arange(len(x)), lengths - 1])


def train(task: Task, seed: int, steps: int) -> tuple[Calculator, float]:
    """Train a network; return it with its mean squared error on fresh sequences."""
    torch.manual_seed(seed)
    model, data = Calculator(task), sequences(task, 20_000, seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.03)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.03, total_steps=steps, pct_start=0.1)
    for _ in range(steps):
        some = torch.randint(0, len(data.x), (128,))
        optimiser.zero_grad()
        error = (model(data.x[some], data.lengths[some])[:, 0] - data.wanted[some]).square().mean()
        error.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    fresh = sequences(task, 2_000, 1_000 + seed)
    with torch.no_grad():
        return model, float((model(fresh.x, fresh.lengths)[:, 0] - fresh.wanted).square().mean())


def correlations(model: Calculator, task: Task, gates: str) -> tuple[float, float]:
    """Return the correlation of a with its relevance, and of b with its own, in per cent."""
    data = sequences(task, 2_500, 777)
    composite = lrp.Composite(default=lrp.Epsilon(1e-5))
    found = lrp.attribute(model.double(), data.x.double(), data.lengths, target=0, composite=composite, gates=gates)
    relevance, rows = found.tokens.sum(2), torch.arange(len(data.x))
    pairs = zip(data.at, data.numbers, strict=True)
    a, b = (float(np.corrcoef(relevance[rows, at].numpy(), numbers.numpy())[0, 1]) for at, numbers in pairs)
    return 100 * a, 100 * b


@dataclass
class Row:
    """The correlations of one trained network for one gate rule, in per cent."""

    task: str
    seed: int
    error: float
    gates: str
    a: float
    b: float


def main() -> int:
    """Train, explain, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="networks for each task")
    parser.add_argument("--steps", type=int, default=6_000, help="training steps of each network")
    parser.add_argument("--json", type=Path, help="also write the table here")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[Row] = []
    for task in TASKS:
        for seed in range(options.seeds):
            begin = time.monotonic()
            model, error = train(task, seed, options.steps)
            rows += [Row(task.name, seed, error, gates, *correlations(model, task, gates)) for gates in lrp.GATES]
            print(f"{task.name}, seed {seed}: mean squared error {error:.1e}, {time.monotonic() - begin:.0f} s", flush=True)
    print(f"\n{'task':18} {'gates':5} {'networks':>8}  {'a':>13} {'b':>13}   paper, recalled")
    worst = 1.0
    for task in TASKS:
        for gates in lrp.GATES:
            mine = [row for row in rows if (row.task, row.gates) == (task.name, gates) and row.error < GOOD]
            if not mine:
                print(f"{task.name:18} {gates:5} {0:8}  no network learnt the task")
                continue
            a, b = np.array([row.a for row in mine]), np.array([row.b for row in mine])
            paper = "".join(f"{value:9.1f}" for value in PAPER.get(task.name, {}).get(gates, ()))
            numbers = f"{a.mean():6.2f} ±{a.std():5.2f} {b.mean():6.2f} ±{b.std():5.2f}"
            print(f"{task.name:18} {gates:5} {len(mine):8}  {numbers}  {paper}")
            if gates == "all" and task.name in PAPER:
                worst = min(worst, a.mean() / 100, task.sign_of_b * b.mean() / 100)
    print(f"\nthe smallest mean correlation under the all rule, in add and subtract: {worst:.4f}")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    return 0 if worst > 0.99 else 1


if __name__ == "__main__":
    sys.exit(main())
