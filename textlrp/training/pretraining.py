"""Pre-training of a recurrent classifier on texts without labels, as a language model; resumable like the training after it."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from textlrp.errors import TrainingError
from textlrp.models.batches import Encoded
from textlrp.models.recurrent import Recurrent
from textlrp.progress import track
from textlrp.training.interrupt import Interrupt, TrainingInterrupted
from textlrp.training.language_model import LanguageModel
from textlrp.training.resume import StateFile, group, optimiser_state, pack
from textlrp.training.trainer import training_batches

__all__ = ["Pretraining", "choose_pretraining", "pretrain"]

_SAVE_SECONDS = 60.0
_NAME = "pretraining"


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """How a language model is trained; `negatives` words are drawn for the softmax, `tokens` cuts the texts.

    `share` of the batches are taken, drawn at random: all of them, or fewer where the texts are very many.
    """

    epochs: int
    batch_size: int
    learning_rate: float = 2e-3
    negatives: int = 1_024
    tokens: int | None = None
    clip: float = 1.0
    share: float = 1.0


def choose_pretraining(lengths: np.ndarray, *, tokens: int | None, cuda: bool = False) -> Pretraining:
    """Choose for texts of these `lengths` (int64 [n]), each cut after `tokens`: some twenty million words are read in all.

    On one CPU core that takes a quarter of an hour with 128 units in each direction; a GPU reads ten times as many.

    >>> choose_pretraining(np.full(75_000, 260), tokens=None).epochs
    1
    >>> choose_pretraining(np.full(1_000, 100), tokens=None).epochs
    10
    """
    budget = 200_000_000 if cuda else 20_000_000
    read = int(np.minimum(lengths, tokens or np.iinfo(np.int64).max).sum())
    epochs = int(np.clip(round(budget / max(read, 1)), 1, 10))
    batch = 2 ** int(np.clip(np.log2(max(len(lengths), 1) / 100), 3, 6))
    share = min(1.0, round(2 * budget / max(read, 1), 3))
    return Pretraining(epochs=epochs, batch_size=batch, negatives=4_096 if cuda else 1_024, tokens=tokens, share=share)


def pretrain(
    module: Recurrent,
    texts: Encoded,
    *,
    plan: Pretraining,
    seed: int = 0,
    device: torch.device | str = "cpu",
    state: Path | None = None,
    notice: Callable[[str], None] | None = None,
) -> None:
    """Train the embedding and the recurrent layer of `module` in place to name the next word, in each direction.

    With a `state` folder, the same call after a kill goes on where it was, and one after the end takes the weights from there;
    on the CPU they are the same to the bit. `notice` is told the loss of each epoch. The module comes back on the CPU.
    """
    place = torch.device(device)
    devices = [place] if place.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), Interrupt() as interrupt:
        torch.manual_seed(seed)
        run = _Run(module.to(place), texts, plan, seed, place)
        file = StateFile(state, identity=run.identity, name=_NAME) if state is not None else None
        if file and (found := file.read()):
            run.restore(*found)
            if notice:
                done = "is done" if run.finished else f"resumed after {run.epochs} epochs and {run.step} batches of the next"
                notice(f"pre-training {done}, from {str(file.folder)!r}")
        while not run.finished:
            for _ in run.epoch():
                due = file is not None and time.monotonic() - run.saved > _SAVE_SECONDS
                if file and (due or interrupt.asked):
                    file.write(*run.pack())
                    run.saved = time.monotonic()
                if interrupt.asked:
                    raise TrainingInterrupted(state)
            loss = run.end_epoch()
            if file:
                file.write(*run.pack())
                run.saved = time.monotonic()
            if notice:
                notice(f"pre-training, epoch {run.epochs} of {plan.epochs}: {loss:.3f} nats a word")
            if interrupt.asked:
                raise TrainingInterrupted(state)
    module.to("cpu").eval()


class _Run:
    """All that changes while a language model is trained."""

    def __init__(self, module: Recurrent, texts: Encoded, plan: Pretraining, seed: int, device: torch.device) -> None:
        counts = torch.from_numpy(np.bincount(texts.flat, minlength=module.embedding.num_embeddings))
        self.identity = _identity(module, texts, plan, seed, device)
        self.model = LanguageModel(module, counts.to(device), negatives=plan.negatives).to(device)
        self.texts, self.plan, self.seed, self.device = texts, plan, seed, device
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=plan.learning_rate, weight_decay=0.0, fused=True)
        self.lengths = np.minimum(texts.lengths, plan.tokens or np.iinfo(np.int64).max)
        self.steps = math.ceil(-(-len(texts) // plan.batch_size) * plan.share)
        self.epochs, self.step, self.loss_sum = 0, 0, 0.0
        self.saved = time.monotonic()

    @property
    def finished(self) -> bool:
        return self.epochs >= self.plan.epochs

    def epoch(self) -> Iterator[int]:
        """Take the remaining steps of an epoch, yielding after each."""
        batches = training_batches(self.lengths, self.plan.batch_size, seed=self.seed, epoch=self.epochs + 1)[: self.steps]
        self.model.train()
        for indices in track(batches[self.step :], f"pre-training, epoch {self.epochs + 1} of {self.plan.epochs}"):
            self.loss_sum += self._take(indices)
            self.step += 1
            yield self.step

    def _take(self, indices: np.ndarray) -> float:
        ids, lengths = self.texts.pad(indices, most=self.plan.tokens)
        done = (self.epochs * self.steps + self.step + 1) / (self.plan.epochs * self.steps)
        for each in self.optimiser.param_groups:
            each["lr"] = self.plan.learning_rate * min(done / 0.05, 1.0, max(1.0 - 0.95 * done, 0.05))
        loss = self.model(ids.to(self.device), lengths.to(self.device))
        value = float(loss.detach())
        if not np.isfinite(value):
            raise TrainingError(f"the loss of the language model became {value}; try a smaller model, or no unlabelled texts")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.plan.clip)
        self.optimiser.step()
        return value

    def end_epoch(self) -> float:
        """Count the epoch and return its mean loss."""
        mean = self.loss_sum / max(self.steps, 1)
        self.epochs, self.step, self.loss_sum = self.epochs + 1, 0, 0.0
        return mean

    def pack(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all of this as tensors and a record."""
        record = {"epochs": self.epochs, "step": self.step, "loss_sum": self.loss_sum}
        return pack(self.model.state_dict(), {}, self.optimiser.state_dict()), record

    def restore(self, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
        """Go back to what `pack` returned."""
        self.model.load_state_dict(group(tensors, "model."))
        self.optimiser.load_state_dict(optimiser_state(tensors, self.optimiser.state_dict()["param_groups"]))
        torch.set_rng_state(tensors["random.cpu"])
        if self.device.type == "cuda" and "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"], self.device)
        self.epochs, self.step, self.loss_sum = record["epochs"], record["step"], record["loss_sum"]


def _identity(module: Recurrent, texts: Encoded, plan: Pretraining, seed: int, device: torch.device) -> str:
    digest = hashlib.sha256(json.dumps([asdict(plan), seed, device.type, str(module)]).encode())
    for each in (texts.flat, texts.offsets, *(weight.detach().cpu().numpy() for weight in module.state_dict().values())):
        digest.update(np.ascontiguousarray(each).tobytes())
    return digest.hexdigest()
