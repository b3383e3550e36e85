"""The learning curve of a training: as JSON, and as a picture."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict

from textlrp.training.trainer import Epoch

__all__ = ["curve_json", "curve_png"]


def curve_json(history: Sequence[Epoch]) -> bytes:
    """Return the epochs as a JSON list of objects."""
    return (json.dumps([asdict(each) for each in history], indent=2) + "\n").encode()


def curve_png(history: Sequence[Epoch], *, title: str) -> bytes:
    """Return a picture of loss and accuracy against the epoch, drawn without a screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7.0, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    loss, accuracy = figure.subplots(1, 2)
    epochs = [each.number for each in history]
    loss.plot(epochs, [each.train_loss for each in history], "s--", color="0.6", label="training")
    loss.plot(epochs, [each.loss for each in history], "o-", color="tab:blue", label="validation")
    loss.set(xlabel="epoch", ylabel="loss")
    loss.legend()
    accuracy.plot(epochs, [100.0 * each.accuracy for each in history], "o-", color="tab:blue")
    accuracy.set(xlabel="epoch", ylabel="validation accuracy, %")
    for axes in (loss, accuracy):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title.replace("$", r"\$"))
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()
