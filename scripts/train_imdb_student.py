"""Training of what ships: networks that learn the labels and the teachers' soft labels on all 75,000 training reviews."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from train_imdb_data import Reviews
from train_imdb_forward import forward, logits_of, word_vectors_of

from textlrp.files import atomic_path, write_json
from textlrp.training.adversarial import nearest_step, word_scales
from textlrp.training.averaging import WeightAverage
from textlrp.training.distil import distillation_loss
from textlrp.training.resume import StateFile, group, optimiser_state, pack
from textlrp.training.trainer import training_batches

LONGEST = 3000  # tokens that are read of a text; no review of IMDB has more


@dataclass(frozen=True)
class Plan:
    """How long and how a student is trained; `head` and `tail` tokens of a long review are read in training.

    `moved` is the length ε of the adversarial step on the words' vectors (0: none), in units of their standard deviation over
    running text; `moved_weight` the weight of the loss there.
    """

    epochs: float = 4.0
    batch_size: int = 64
    learning_rate: float = 2e-3
    head: int = 100
    tail: int = 156
    clip: float = 1.0
    weight_decay: float = 0.0
    average: float = 0.998
    checks: int = 8  # how often the validation part is measured
    moved: float = 0.0
    moved_weight: float = 1.0


def batch(reviews: Reviews, numbers: np.ndarray, plan: Plan) -> tuple[Tensor, Tensor]:
    """Return padded ids [B,T] and lengths [B]; of a longer review its head and its tail."""
    texts = []
    for number in numbers:
        text = reviews[number]
        if len(text) > plan.head + plan.tail:
            text = np.concatenate([text[: plan.head], text[-plan.tail :]])
        texts.append(text)
    lengths = np.array([len(text) for text in texts])
    ids = np.zeros((len(texts), lengths.max()), np.int64)
    ids[np.arange(ids.shape[1]) < lengths[:, None]] = np.concatenate(texts)
    return torch.from_numpy(ids), torch.from_numpy(lengths)


@torch.no_grad()
def predict(module: nn.Module, reviews: Reviews, numbers: np.ndarray, plan: Plan) -> np.ndarray:
    """Return the logits of some reviews, in order; float32 [n,C]."""
    order = np.argsort(reviews.lengths[numbers], kind="stable")
    found = np.empty((len(numbers), 2), np.float32)
    for begin in range(0, len(order), plan.batch_size):
        some = order[begin : begin + plan.batch_size]
        found[some] = forward(module, *batch(reviews, numbers[some], plan)).float().numpy()
    return found


def validated(module: nn.Module, reviews: Reviews) -> dict[str, float]:
    """Return accuracy and loss on the validation part, read to the end."""
    valid = reviews.validation
    logits = predict(module, reviews, valid, Plan(head=LONGEST // 2, tail=LONGEST // 2))
    margin = (logits[:, 1] - logits[:, 0]) * (2 * reviews.labels[valid] - 1)
    return {"validation_accuracy": float((margin > 0).mean()), "validation_loss": float(np.logaddexp(0, -margin).mean())}


def train(
    module: nn.Module,
    reviews: Reviews,
    targets: np.ndarray,
    folder: Path,
    *,
    plan: Plan,
    seed: int,
    notes: Mapping[str, Any] | None = None,
    teach: bool = True,
    until: float | None = None,
) -> nn.Module:
    """Train on all reviews outside the validation part; return the average of the weights.

    Left in `folder`: history.json (with `notes`), weights.safetensors and, if it is to `teach`, logits.npy (of all reviews).
    While it trains, the folder `state` in it holds all that the same call needs to go on after a kill. `until` ends it at the
    first check after so many epochs, the learning rate still being that of all of them.
    """
    torch.manual_seed(seed)
    student = _Student(module, reviews, targets, plan=plan, seed=seed, notes=dict(notes or {}))
    file = StateFile(folder / "state", identity=student.identity())
    if found := file.read():
        student.restore(*found)
        print(f"resumed after {student.step} of {student.steps} steps", flush=True)
    checks = {student.steps * each // plan.checks for each in range(1, plan.checks + 1)}
    while student.step < student.steps:
        student.take()
        if student.step in checks:
            print(json.dumps(student.check()), flush=True)
            file.write(*student.pack())
            write_json(folder / "history.json", student.record())
            with atomic_path(folder / "weights.safetensors") as temporary:
                save_file(student.average.module.state_dict(), temporary)
            if until is not None and student.step * plan.batch_size >= until * len(student.numbers):
                break
    if teach:
        every = predict(student.average.module, reviews, np.arange(len(reviews)), student.whole)
        np.save(folder / "logits.npy", every.astype(np.float16))
    file.remove()
    return student.average.module


class _Student:
    """All that changes while a network is trained."""

    def __init__(
        self, module: nn.Module, reviews: Reviews, targets: np.ndarray, *, plan: Plan, seed: int, notes: dict[str, Any]
    ) -> None:
        self.module, self.reviews, self.targets = module, reviews, torch.from_numpy(targets)
        self.plan, self.seed, self.notes = plan, seed, notes
        self.optimiser = torch.optim.AdamW(
            module.parameters(), lr=plan.learning_rate, betas=(0.9, 0.99), weight_decay=plan.weight_decay, fused=True
        )
        self.average = WeightAverage(module, decay=plan.average)
        self.whole = replace(plan, head=LONGEST // 2, tail=LONGEST // 2)
        self.numbers = np.flatnonzero(~reviews.held_out)
        self.read = np.minimum(reviews.lengths, plan.head + plan.tail)[self.numbers]
        self.per_epoch = -(-len(self.numbers) // plan.batch_size)
        self.steps, self.step = int(plan.epochs * len(self.numbers) / plan.batch_size), 0
        self.history: list[dict[str, Any]] = []
        self.losses: list[list[float]] = []
        self.seconds, self.started = 0.0, time.monotonic()
        self.counts = torch.from_numpy(np.bincount(reviews.flat, minlength=len(reviews.vocabulary)))
        self.batches: list[np.ndarray] = []
        self.scales: Tensor | None = None

    def take(self) -> None:
        """Take one step."""
        epoch, at = divmod(self.step, self.per_epoch)
        if not self.batches or not at:
            self.batches = training_batches(self.read, self.plan.batch_size, seed=self.seed, epoch=epoch)
        some = self.numbers[self.batches[at]]
        for each in self.optimiser.param_groups:
            each["lr"] = self.plan.learning_rate * min((self.step + 1) / 200, 1.0) * (1 - self.step / self.steps)
        self.module.train()
        self.optimiser.zero_grad(set_to_none=True)
        ids, lengths = batch(self.reviews, some, self.plan)
        if self.plan.moved:
            self.losses.append(self._moved(ids, lengths, some))
        else:
            loss = distillation_loss(forward(self.module, ids, lengths), self.targets[some])
            loss.backward()
            self.losses.append([float(loss.detach())])
        nn.utils.clip_grad_norm_(self.module.parameters(), self.plan.clip)
        self.optimiser.step()
        self.step += 1
        if self.step % 2:
            self.average.update(self.module)

    def _moved(self, ids: Tensor, lengths: Tensor, some: np.ndarray) -> list[float]:
        """Compute the gradients of the loss, and of the loss where each review is moved towards the other class.

        The gradient that the loss has anyway shows the way: in logits of two classes every loss pulls along the same line.
        """
        if self.step % 50 == 0 or self.scales is None:
            self.scales = word_scales(self.module.embedding, self.counts)
        words = word_vectors_of(self.module, ids)
        plain = words.detach().requires_grad_()
        logits = logits_of(self.module, plain, ids, lengths)
        wanted = self.targets[some]
        loss = distillation_loss(logits, wanted)
        loss.backward()
        labels = torch.from_numpy(self.reviews.labels[some])
        step = nearest_step(plain.grad, logits.detach(), wanted, labels, size=self.plan.moved, scales=self.scales)
        moved = (plain.detach() + step).requires_grad_()
        own = logits.detach().softmax(-1)
        there = distillation_loss(logits_of(self.module, moved, ids, lengths), torch.where((labels >= 0)[:, None], wanted, own))
        (self.plan.moved_weight * there).backward()
        words.backward(plain.grad + moved.grad)
        return [float(loss.detach()), float(there.detach())]

    def check(self) -> dict[str, Any]:
        """Measure the average of the weights on the validation part."""
        measured = validated(self.average.module, self.reviews)
        self.seconds, self.started = self.seconds + time.monotonic() - self.started, time.monotonic()
        found = {
            "step": self.step,
            "epoch": round(self.step * self.plan.batch_size / len(self.numbers), 2),
            "loss": [round(float(each), 5) for each in np.mean(self.losses, axis=0)],
            **measured,
            "seconds": round(self.seconds, 1),
        }
        self.history.append(found)
        self.losses = []
        return found

    def record(self) -> dict[str, Any]:
        """Return what is to be known of the run."""
        settings = {"plan": asdict(self.plan), "seed": self.seed, "threads": torch.get_num_threads()}
        return {**self.notes, **settings, "history": self.history}

    def identity(self) -> str:
        """Return a digest of what is trained, on what, and how."""
        digest = hashlib.sha256(json.dumps([asdict(self.plan), self.seed, str(self.module)]).encode())
        for each in (self.targets, self.reviews.flat, *self.module.state_dict().values()):
            digest.update(np.ascontiguousarray(each).tobytes())
        return digest.hexdigest()

    def pack(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all of this as tensors and a record; `losses` are empty after a check."""
        tensors = pack(self.module.state_dict(), self.average.module.state_dict(), self.optimiser.state_dict())
        if self.scales is not None:
            tensors["scales"] = self.scales
        record = {"step": self.step, "updates": self.average.updates, "history": self.history, "seconds": self.seconds}
        return tensors, record

    def restore(self, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
        """Go back to what `pack` returned."""
        self.module.load_state_dict(group(tensors, "model."))
        self.average.module.load_state_dict(group(tensors, "best."))
        self.optimiser.load_state_dict(optimiser_state(tensors, self.optimiser.state_dict()["param_groups"]))
        torch.set_rng_state(tensors["random.cpu"])
        self.scales = tensors.get("scales")
        self.step, self.average.updates = record["step"], record["updates"]
        self.history, self.seconds = record["history"], record["seconds"]
