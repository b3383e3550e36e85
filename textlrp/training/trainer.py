"""The training loop: shuffled batches of similar length, AdamW, validation after each epoch, early stopping, resuming."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from textlrp.errors import TrainingError
from textlrp.models.batches import Encoded, predict_logits, probabilities
from textlrp.progress import track
from textlrp.training.interrupt import Interrupt, TrainingInterrupted
from textlrp.training.metrics import measure
from textlrp.training.recipe import Recipe
from textlrp.training.resume import StateFile, group, optimiser_state, pack

__all__ = ["Epoch", "Labelled", "fit", "training_batches"]

_SAVE_SECONDS = 60.0


@dataclass(frozen=True, eq=False)
class Labelled:
    """Texts as ids with their labels: class indices int64 [n], or a share of each class float32 [n,C]."""

    texts: Encoded
    labels: np.ndarray

    def digest(self) -> str:
        """Return a digest of all that is in it."""
        parts = (self.texts.flat, self.texts.offsets, self.labels)
        return _digest(*(np.ascontiguousarray(part).tobytes() for part in parts))


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training texts gave; loss, accuracy and f1 are those of the validation texts."""

    number: int
    train_loss: float
    loss: float
    accuracy: float
    f1: float
    learning_rate: float
    seconds: float


def training_batches(lengths: np.ndarray, batch_size: int, *, seed: int, epoch: int) -> list[np.ndarray]:
    """Return the batches of an epoch: every text once, texts of similar length together, all in random order.

    Texts are shuffled and cut into pools of 64 batches; each pool is sorted by length, cut into batches; those are shuffled.

    >>> batches = training_batches(np.arange(10), 4, seed=0, epoch=1)
    >>> sorted(np.concatenate(batches).tolist()) == list(range(10))
    True
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    batches: list[np.ndarray] = []
    for begin in range(0, len(order), 64 * batch_size):
        pool = order[begin : begin + 64 * batch_size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[at : at + batch_size] for at in range(0, len(pool), batch_size)]
    return [batches[at] for at in random.permutation(len(batches))]


def fit(
    module: nn.Module,
    training: Labelled,
    validation: Labelled,
    *,
    recipe: Recipe,
    seed: int = 0,
    device: torch.device | str = "cpu",
    state: Path | None = None,
    notice: Callable[[str], None] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> tuple[Epoch, ...]:
    """Train `module` in place and leave the best epoch's weights in it, on the CPU, in evaluation mode.

    With a `state` folder, the same call after a kill goes on where it was; on the CPU it ends with the same weights to the bit.
    """
    run = _Run(module.to(device), training, validation, recipe, seed, torch.device(device))
    file = StateFile(state, identity=run.identity()) if state is not None else None
    devices = [run.device] if run.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), Interrupt() as interrupt:
        torch.manual_seed(seed)
        if file and (found := file.read()):
            run.restore(*found)
            if notice:
                notice(f"resumed after {len(run.history)} epochs and {run.step} batches of the next, from {str(file.folder)!r}")
        while not run.finished:
            for _ in run.epoch():
                due = file is not None and time.monotonic() - run.saved > _SAVE_SECONDS
                if file and (due or interrupt.asked):
                    file.write(*run.pack())
                    run.saved = time.monotonic()
                if interrupt.asked:
                    raise TrainingInterrupted(state)
            run.end_epoch()
            if file:
                file.write(*run.pack())
                run.saved = time.monotonic()
            if on_epoch:
                on_epoch(run.history[-1])
            if interrupt.asked:
                raise TrainingInterrupted(state)
    module.load_state_dict(run.best)
    module.to("cpu").eval()
    return tuple(run.history)


class _Run:
    """All that changes while a module is trained."""

    def __init__(
        self, module: nn.Module, training: Labelled, validation: Labelled, recipe: Recipe, seed: int, device: torch.device
    ) -> None:
        self.module, self.training, self.validation = module, training, validation
        self.recipe, self.seed, self.device = recipe, seed, device
        self.optimiser = torch.optim.AdamW(
            module.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        self.lengths = np.minimum(training.texts.lengths, recipe.train_tokens or np.iinfo(np.int64).max)
        self.steps = -(-len(training.texts) // recipe.batch_size)
        self.history: list[Epoch] = []
        self.best: dict[str, Tensor] = {}
        self.best_epoch = 0
        self.step, self.loss_sum, self.seconds = 0, 0.0, 0.0
        self.saved = self.started = time.monotonic()

    def identity(self) -> str:
        weights = (each.detach().cpu().numpy().tobytes() for each in self.module.state_dict().values())
        settings = json.dumps([asdict(self.recipe), self.seed, self.device.type, str(self.module)])
        return _digest(settings.encode(), self.training.digest().encode(), self.validation.digest().encode(), *weights)

    @property
    def finished(self) -> bool:
        done = len(self.history)
        return self.step == 0 and (done >= self.recipe.epochs or done - self.best_epoch >= self.recipe.patience > 0)

    def epoch(self) -> Iterator[int]:
        """Take the remaining steps of an epoch, yielding after each."""
        number = len(self.history) + 1
        batches = training_batches(self.lengths, self.recipe.batch_size, seed=self.seed, epoch=number)
        self.started = time.monotonic()
        self.module.train()
        for indices in track(batches[self.step :], f"epoch {number} of at most {self.recipe.epochs}"):
            self.loss_sum += self._take(indices) * len(indices)
            self.step += 1
            yield self.step

    def _take(self, indices: np.ndarray) -> float:
        ids, lengths = self.training.texts.pad(indices, most=self.recipe.train_tokens)
        labels = torch.from_numpy(self.training.labels[indices]).to(self.device)
        for each in self.optimiser.param_groups:
            each["lr"] = self._learning_rate()
        with self._autocast():
            logits = self.module(ids.to(self.device), lengths.to(self.device))
            loss = functional.cross_entropy(logits.float(), labels, label_smoothing=self.recipe.label_smoothing)
        value = float(loss.detach())
        if not np.isfinite(value):
            bad = indices[~torch.isfinite(logits.detach().float()).all(dim=1).cpu().numpy()]
            where = f" (at text {bad[0]} and {len(bad) - 1:,} more of the {len(indices):,} of this step)" if len(bad) else ""
            raise TrainingError(
                f"the loss became {value} in epoch {len(self.history) + 1}: the training diverged{where}; "
                f"use a lower learning rate than {self.recipe.learning_rate:g}"
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if self.recipe.clip:
            nn.utils.clip_grad_norm_(self.module.parameters(), self.recipe.clip)
        self.optimiser.step()
        return value

    def _learning_rate(self) -> float:
        """Rise linearly over the share `warmup` of all steps, then fall linearly to a twentieth."""
        total = self.steps * self.recipe.epochs
        done = (len(self.history) * self.steps + self.step + 1) / total
        rise = min(done / self.recipe.warmup, 1.0) if self.recipe.warmup else 1.0
        fall = max(1.0 - 0.95 * (done - self.recipe.warmup) / (1.0 - self.recipe.warmup), 0.05)
        return self.recipe.learning_rate * min(rise, fall)

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        if self.device.type == "cuda" and torch.cuda.is_bf16_supported():
            return torch.autocast("cuda", dtype=torch.bfloat16)
        return contextlib.nullcontext()

    def end_epoch(self) -> None:
        """Measure on the validation texts and keep the weights if they are the best so far."""
        rate = self._learning_rate()
        with self._autocast():
            logits = predict_logits(self.module, self.validation.texts)
        found = measure(probabilities(logits), self.validation.labels, classes=[str(each) for each in range(logits.shape[1])])
        self.seconds += time.monotonic() - self.started
        epoch = Epoch(
            number=len(self.history) + 1,
            train_loss=self.loss_sum / max(len(self.training.texts), 1),
            loss=found["loss"],
            accuracy=found["accuracy"],
            f1=found["f1"],
            learning_rate=rate,
            seconds=round(self.seconds, 2),
        )
        if not self.history or _merit(epoch) > _merit(self.history[self.best_epoch - 1]):
            self.best_epoch = epoch.number
            self.best = {name: each.detach().clone() for name, each in self.module.state_dict().items()}
        self.history.append(epoch)
        self.step, self.loss_sum, self.seconds = 0, 0.0, 0.0

    def pack(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all of this as tensors and a record."""
        record = {
            "history": [asdict(each) for each in self.history],
            "best_epoch": self.best_epoch,
            "step": self.step,
            "loss_sum": self.loss_sum,
            "seconds": self.seconds + (time.monotonic() - self.started if self.step else 0.0),
        }
        return pack(self.module.state_dict(), self.best, self.optimiser.state_dict()), record

    def restore(self, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
        """Go back to what `pack` returned."""
        self.module.load_state_dict(group(tensors, "model."))
        self.best = {name: each.to(self.device) for name, each in group(tensors, "best.").items()}
        self.optimiser.load_state_dict(optimiser_state(tensors, self.optimiser.state_dict()["param_groups"]))
        torch.set_rng_state(tensors["random.cpu"])
        if self.device.type == "cuda" and "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"], self.device)
        self.history = [Epoch(**each) for each in record["history"]]
        self.best_epoch, self.step = record["best_epoch"], record["step"]
        self.loss_sum, self.seconds = record["loss_sum"], record["seconds"]


def _merit(epoch: Epoch) -> tuple[float, float]:
    return epoch.accuracy, -epoch.loss


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()
