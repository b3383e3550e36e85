"""What a person waits for: many texts, one review, the shell; and what other methods and packages take for the same."""

from __future__ import annotations

import sys
import types
import warnings
from functools import partial
from typing import Any

import numpy as np
import torch
from bench_networks import DEFAULT, batch, default_of
from bench_rivals import captum_integrated_gradients, shap_partition
from bench_timing import Row, row, shell_seconds, spread, turns
from torch import Tensor, nn

import textlrp
from textlrp import lrp
from textlrp.baselines import LIMITED, METHODS, ready
from textlrp.errors import MissingPackageError
from textlrp.models.batches import encode, length_batches

__all__ = ["alternatives", "one", "peers", "texts"]


def _reviews(count: int) -> list[str]:
    reviews = list(textlrp.load_reviews("bundled")["text"])
    return (reviews * (1 + count // len(reviews)))[:count]


def texts(*, quick: bool, repeats: int) -> list[Row]:
    """explain_many over predict_proba on the same texts, records and all; gradient × input, which makes none, over it."""
    rows: list[Row] = []
    counts = (4,) if quick else (50, 250, 1000)
    for arch in ("dense", "lstm", "gru", "cnn"):
        clf = textlrp.load(f"imdb-{arch}")
        for count in counts:
            given = _reviews(count)
            functions = {"explain": partial(clf.explain_many, given), "predict": partial(clf.predict_proba, given)}
            if arch == "lstm":
                functions["gradients"] = partial(_gradients, clf, given)
            found = turns(functions, max(2, repeats // 2))
            rows.append(
                row(f"imdb-{arch}, {count} texts", found, "explain", "predict", target=4.0, size={f"texts, {arch}": count})
            )
            if arch == "lstm":
                name = f"gradient × input / explain_many: imdb-lstm, {count} texts"
                rows.append(row(name, found, "gradients", "explain", target=1.5, least=True))
    return rows


def _gradients(clf: textlrp.TextClassifier, given: list[str]) -> list[np.ndarray]:
    """Gradient × input of each text, in batches of like length as explain_many makes them."""
    found: list[np.ndarray] = [np.empty(0)] * len(given)
    encoded = encode(given, clf.vocabulary, max_tokens=clf.config_.max_tokens)
    for rows in length_batches(encoded.lengths, most_texts=256):
        ids, lengths = encoded.pad(rows)
        weights = torch.tensor([[0.0, 1.0]]).expand(len(rows), 2)
        relevance = METHODS["gradient × input"](clf.module, ids, lengths, weights)
        for each, one_row, length in zip(rows, relevance, lengths, strict=True):
            found[each] = one_row[:length].numpy()
    return found


def one(*, quick: bool, repeats: int) -> list[Row]:
    """One review of 300 words after loading, and the command from a cold shell."""
    rows = []
    review = " ".join(" ".join(_reviews(20)).split()[: 20 if quick else 300])
    for arch in ("lstm", "dense", "gru", "cnn"):
        clf = textlrp.load(f"imdb-{arch}")
        middle, low, high = turns({"explain": partial(clf.explain, review)}, repeats, warm=2).milliseconds("explain")
        rows.append(
            Row(f"imdb-{arch}: explain() of 300 words", middle, low, high, target=40.0 if arch == "lstm" else None, unit="ms")
        )
    commands = {
        "textlrp explain, from a cold shell": [sys.executable, "-m", "textlrp", "explain", "A warm, funny film."],
        "of it, import torch": [sys.executable, "-c", "import torch"],
        "textlrp --help": [sys.executable, "-m", "textlrp", "--help"],
    }
    targets = {"textlrp explain, from a cold shell": 2.5, "textlrp --help": 0.5}
    for name, command in commands.items():
        seconds = []
        for _ in range(1 if quick else 5):
            seconds.append(shell_seconds(command))
        rows.append(Row(name, *spread(seconds), target=targets.get(name), unit="s"))
    return rows


def alternatives(*, quick: bool, repeats: int) -> list[Row]:
    """Other methods on the same reviews and the bundled LSTM, one review at a time or in batches: their time over LRP's."""
    from textlrp.encoding import read

    clf = textlrp.load("imdb-lstm")
    given = []
    for text in _reviews(1 if quick else 5):
        ids = torch.from_numpy(read(text, clf.vocabulary, max_tokens=10 if quick else 400).ids)[None]
        given.append((ids, torch.tensor([ids.shape[1]])))
    weights = torch.tensor([[0.0, 1.0]])

    def all_by(method: Any) -> None:
        for ids, lengths in given:
            method(clf.module, ids, lengths, weights)

    def ours(module: nn.Module, ids: Tensor, lengths: Tensor, _weights: Tensor) -> None:
        lrp.attribute(module, ids, lengths, target=1, composite=default_of("lstm"), layers=False)

    methods: dict[str, Any] = {"LRP": ours, **METHODS}
    if quick:
        methods = {name: methods[name] for name in ("LRP", "gradient × input")}
    else:
        methods |= {"LIME": partial(LIMITED["LIME"], samples=1000), "SHAP": LIMITED["SHAP"], **_rivals()}
    rows = []
    quickest = {"LRP": partial(all_by, ours), "gradient × input": partial(all_by, METHODS["gradient × input"])}
    found = turns(quickest, repeats, warm=2)
    own = found.milliseconds("LRP")[0] / len(given)
    rows.append(Row("LRP: one review", own, own, own, unit="ms"))
    rows.append(row("gradient × input / LRP, one review at a time", found, "gradient × input", "LRP"))
    for shortest in (None, 4 if quick else 51):
        full = batch(*((2, 8) if quick else (32, 256)), shortest=shortest)
        both = {
            "LRP": partial(ours, clf.module, *full, weights),
            "gradient × input": partial(METHODS["gradient × input"], clf.module, *full, weights.expand(len(full[0]), 2)),
        }
        kind = f"{len(full[0])} × {full[0].shape[1]}" + (" ragged" if shortest else "")
        found = turns(both, repeats, warm=2)
        rows.append(row(f"gradient × input / LRP, {kind}", found, "gradient × input", "LRP"))
    for name, method in methods.items():
        if name in quickest:
            continue
        try:
            if name in LIMITED or name in METHODS:
                ready(name)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                slow = turns({"LRP": partial(all_by, ours), name: partial(all_by, method)}, 1 if quick else 3)
        except MissingPackageError as missing:
            print(f"{name}: left out, {missing}")
            continue
        rows.append(row(f"{name} / LRP", slow, name, "LRP"))
    return rows


class _Given(nn.Module):
    """A network of numbers under watch: ids are floating-point inputs here."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x)
        return found


def _zennit() -> Any:
    """Import zennit, which imports torchvision's ResNet blocks by name: stand-ins, for this process, will do."""
    for name in ("torchvision", "torchvision.models", "torchvision.models.resnet"):
        sys.modules.setdefault(name, types.ModuleType(name))
    for block in ("Bottleneck", "BasicBlock"):
        if not hasattr(sys.modules["torchvision.models.resnet"], block):
            setattr(sys.modules["torchvision.models.resnet"], block, type(block, (nn.Module,), {}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import zennit.attribution
        import zennit.composites
        import zennit.rules
    return zennit


def _rivals() -> dict[str, Any]:
    try:
        return {
            "integrated gradients of captum, 50 steps": captum_integrated_gradients(steps=50),
            "SHAP, partition explainer": shap_partition(),
        }
    except ImportError as missing:
        print(f"left out: {missing}")
        return {}


def peers(*, quick: bool, repeats: int) -> list[Row]:
    """zennit and captum on the same module, input and rule (LRP-ε): their time over that of textlrp."""
    torch.manual_seed(0)
    dense = nn.Sequential(nn.Linear(100, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 2)).eval()
    conv = nn.Sequential(nn.Conv1d(100, 128, 5), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(128, 2)).eval()
    plans = {
        "dense 100-128-64-2, 64 texts": (dense, torch.randn(64, 100)),
        "CNN, 32 texts": (conv, torch.randn(32, 100, 16 if quick else 256)),
    }
    targets = {"zennit": {"dense": 1.5, "CNN": 1.0}, "captum": {"dense": 3.0}}
    rows = []
    for name, (net, x) in plans.items():
        functions: dict[str, Any] = {
            "LRP": partial(_ours, net, x),
            "network": partial(_alone, net, x),
            "gradient × input": partial(_gradient, net, x),
        }
        kind = name.split()[0].rstrip(",")
        packages = {"zennit": _by_zennit, "captum": _by_captum}
        for package, make in packages.items():
            if package == "captum" and kind == "CNN":
                continue  # it has no Conv1d
            try:
                functions[package] = make(net, x)
            except ImportError as missing:
                print(f"{package}: left out, {missing}")
        found = turns(functions, repeats if kind == "CNN" else 4 * repeats, warm=3, block=1 if kind == "CNN" or quick else 25)
        rows.append(row(f"{name}: LRP / network", found, "LRP", "network"))
        for other in functions:
            if other not in ("LRP", "network"):
                rows.append(
                    row(f"{name}: {other} / LRP", found, other, "LRP", target=targets.get(other, {}).get(kind), least=True)
                )
        if kind == "dense":
            found = turns(functions, 20 * repeats, warm=3)
            rows += [row(f"{name}, one call after another package's: {other} / LRP", found, other, "LRP") for other in packages]
    return rows


def _ours(net: nn.Module, x: Tensor) -> None:
    lrp.attribute(net, x, target=1, composite=DEFAULT, layers=False)


def _alone(net: nn.Module, x: Tensor) -> None:
    with torch.inference_mode():
        net(x)


def _gradient(net: nn.Module, x: Tensor) -> None:
    leaf = x.clone().requires_grad_()
    torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)[0].mul_(x)


def _by_zennit(net: nn.Module, x: Tensor) -> Any:
    zennit = _zennit()
    names = [([name], zennit.rules.Epsilon(epsilon=1e-3)) for name, each in net.named_children() if hasattr(each, "weight")]
    names.append(([name for name, each in net.named_children() if isinstance(each, nn.ReLU)], zennit.rules.Pass()))
    start = torch.tensor([0.0, 1.0])

    def run() -> None:
        composite = zennit.composites.NameMapComposite(name_map=names)
        with zennit.attribution.Gradient(model=net, composite=composite) as attributor:
            attributor(x.clone().requires_grad_(), lambda output: output * start)

    return run


def _by_captum(net: nn.Module, x: Tensor) -> Any:
    from captum.attr import LRP
    from captum.attr._utils.lrp_rules import EpsilonRule

    def run() -> None:
        for each in net.children():
            if hasattr(each, "weight"):
                each.rule = EpsilonRule(epsilon=1e-3)
        LRP(net).attribute(x.clone().requires_grad_(), target=1)

    return run
