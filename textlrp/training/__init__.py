"""Training: from labelled texts to a checkpoint, with resuming, early stopping and measurements."""

from __future__ import annotations

from textlrp.training.interrupt import TrainingInterrupted
from textlrp.training.run import Trained, train

__all__ = ["Trained", "TrainingInterrupted", "train"]
