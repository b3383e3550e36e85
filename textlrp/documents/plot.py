"""Documents as points: the two main directions of their vectors, a panel for each way of making them."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence

import numpy as np

from textlrp.highlight.plain import visible
from textlrp.palette import mark

__all__ = ["plot"]

_PICTURES = re.compile("[\u2400-\u2424]")


def plot(
    vectors: Mapping[str, np.ndarray],
    labels: Sequence[int] | np.ndarray,
    classes: Sequence[str],
    *,
    notes: Mapping[str, str] | None = None,
    form: str = "png",
) -> bytes:
    """Draw vectors [n, E] of documents, brought to unit length, on their two principal components; labels [n] pick the marker.

    `notes` stands under a panel's name. `form` is what matplotlib can write: png, svg, pdf.

    >>> plot({"uniform": np.eye(4)}, [0, 1, 0, 1], ["a", "b"])[:4]
    b'\\x89PNG'
    """
    from matplotlib.figure import Figure
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import normalize

    numbers = np.asarray(labels)
    figure = Figure(figsize=(4.6 * len(vectors), 5.2), layout="constrained", dpi=110)
    for axes, (name, given) in zip(figure.subplots(1, len(vectors), squeeze=False)[0], vectors.items(), strict=True):
        points = PCA(2, random_state=0).fit_transform(normalize(given))  # [n,2]
        for i, label in enumerate(classes):
            here = points[numbers == i]
            axes.scatter(here[:, 0], here[:, 1], s=14, alpha=0.7, linewidths=0, label=_plain(label), **mark(i))
        axes.set_title(name + (f"\n{notes[name]}" if notes and name in notes else ""), fontsize=11)
        axes.set(xticks=[], yticks=[])
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(len(classes), 5), markerscale=1.8, frameon=False)
    out = io.BytesIO()
    figure.savefig(out, format=form, metadata={"Date": None} if form == "svg" else None)
    return out.getvalue()


def _plain(name: str) -> str:
    """Keep matplotlib from reading a class's name as mathematics, from hiding it, and from writing what no XML can hold.

    Its font has no pictures of control characters, so that they are shown by U+FFFD here.
    """
    escaped = _PICTURES.sub("\ufffd", visible(name)).replace("$", r"\$")
    return f" {escaped}" if escaped.startswith("_") else escaped
