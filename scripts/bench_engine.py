"""What the engine costs: lrp.attribute over the same network alone, on the same padded or packed batch."""

from __future__ import annotations

import multiprocessing
import time
from functools import partial
from statistics import median
from typing import Any

import torch
from bench_networks import Reader, attribute, batch, default_of, network
from bench_timing import Row, peak_bytes, row, spread, turns

import textlrp
from textlrp import lrp
from textlrp.lrp.run import Run
from textlrp.memory import keep_freed_memory

__all__ = ["gpu", "ledger", "memory", "networks", "rules", "shares", "sizes"]

_PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "mkldnn_rnn_layer", "mkldnn_convolution", "convolution", "linear")


def _pair(name: str, module: torch.nn.Module, given: tuple[Any, Any], repeats: int, **options: Any) -> Row:
    functions = {"lrp": partial(attribute, module, *given), "network": partial(network, module, *given)}
    return row(name, turns(functions, repeats, warm=2), "lrp", "network", **options)


def networks(*, quick: bool, repeats: int) -> list[Row]:
    """Bundled and trained networks, padded and packed, one and two directions, and fresh weights."""
    texts, steps = (2, 8) if quick else (32, 256)
    full, ragged = batch(texts, steps), batch(texts, steps, shortest=max(1, steps // 5))
    at = f"{texts} × {steps}"
    rows = [
        _pair(f"LSTM, two directions, padded, {at}", Reader(), full, repeats, target=2.7),
        _pair(f"LSTM, one direction, padded, {at}", Reader(both=False), full, repeats, target=2.7),
        _pair(f"LSTM, two directions, fresh weights, {at}", Reader(trained=False), full, repeats, target=3.5),
        _pair(f"LSTM, two directions, packed, {at} ragged", Reader(packed=True), ragged, repeats, target=1.6),
        _pair(f"LSTM, one direction, packed, {at} ragged", Reader(both=False, packed=True), ragged, repeats, target=1.6),
    ]
    for arch, target in (("lstm", 2.7), ("gru", 3.0), ("cnn", 3.0), ("dense", 2.5)):
        module = textlrp.load(f"imdb-{arch}").module
        rows.append(_pair(f"imdb-{arch}, {at}", module, full, repeats, target=target))
    lstm = textlrp.load("imdb-lstm").module
    usual = {"lrp": partial(attribute, lstm, *full, composite=default_of("lstm")), "network": partial(network, lstm, *full)}
    rows.append(row(f"imdb-lstm under its default rule, {at}", turns(usual, repeats, warm=2), "lrp", "network"))
    return rows


def sizes(*, quick: bool, repeats: int) -> list[Row]:
    """The LSTM of two directions as T, B and H grow; trained weights but for H."""
    lengths, counts, widths = (
        ((8, 16), (2, 4), (8,)) if quick else ((64, 128, 256, 512, 1024), (8, 16, 32, 64, 128, 256), (64, 128, 256))
    )
    few, steps = (2, 8) if quick else (32, 256)
    model, rows = Reader(), []
    for t in lengths:
        rows.append(_pair(f"T = {t}, B = {few}", model, batch(few, t), repeats, target=2.7, size={"T": t}))
    for b in counts:
        rows.append(_pair(f"B = {b}, T = {steps}", model, batch(b, steps), repeats, target=2.7, size={"B": b}))
    for h in widths:
        fresh = Reader(hidden=h, trained=False)
        rows.append(
            _pair(
                f"H = {h}, fresh weights, B = {few}, T = {steps}", fresh, batch(few, steps), repeats, target=3.5, size={"H": h}
            )
        )
    return rows


def rules(*, quick: bool, repeats: int) -> list[Row]:
    """Every rule under every gate rule, over the default rule under *all*, on the LSTM; every rule on the other networks."""
    texts, steps = (2, 8) if quick else (32, 64)
    given, model = batch(texts, steps), Reader()
    made = {"epsilon": lrp.Epsilon(1e-3), "zero": lrp.Zero(), "gamma": lrp.Gamma(0.25), "alpha-beta": lrp.AlphaBeta(2.0, 1.0)}
    made |= {"z-plus": lrp.ZPlus(), "w-square": lrp.WSquare(), "flat": lrp.Flat()}
    rows = []
    for gates in ("all",) if quick else tuple(lrp.GATES):
        functions = {
            name: partial(attribute, model, *given, composite=lrp.Composite(default=rule), gates=gates)
            for name, rule in made.items()
        }
        functions["default"] = partial(attribute, model, *given, composite=default_of("lstm"))
        found = turns(functions, repeats)
        rows += [row(f"LSTM: {name}, gates {gates}", found, name, "default", target=2.0) for name in made]
    for arch in ("cnn", "dense"):
        other = textlrp.load(f"imdb-{arch}").module
        functions = {
            name: partial(attribute, other, *given, composite=lrp.Composite(default=rule)) for name, rule in made.items()
        }
        found = turns({**functions, "default": partial(attribute, other, *given)}, repeats)
        rows += [row(f"imdb-{arch}: {name}", found, name, "default", target=2.0) for name in made]
    return rows


def ledger(*, quick: bool, repeats: int) -> list[Row]:
    """The ledger's sums, by leaving them out; and the relevance of layers."""
    given, rows = batch(*((2, 8) if quick else (32, 256))), []

    def unbooked(module: torch.nn.Module) -> None:
        book, total = Run.book, Run.book_total
        Run.book = Run.book_total = lambda *_: None  # type: ignore[method-assign, assignment]
        try:
            attribute(module, *given)
        finally:
            Run.book, Run.book_total = book, total  # type: ignore[method-assign]

    for arch in ("lstm", "cnn", "dense"):
        module = textlrp.load(f"imdb-{arch}").module
        functions = {"whole": partial(attribute, module, *given), "unbooked": partial(unbooked, module)}
        functions["layers"] = partial(attribute, module, *given, layers=True)
        found = turns(functions, repeats, warm=2)
        rows.append(row(f"imdb-{arch}: with the ledger's sums / without", found, "whole", "unbooked", target=1.1))
        rows.append(row(f"imdb-{arch}: layers=True / layers=False", found, "layers", "whole", target=1.3))
    return rows


def _measured(name: str, *, quick: bool) -> tuple[torch.nn.Module, tuple[Any, Any]]:
    texts, steps = (2, 8) if quick else (64, 512)
    if name.startswith("imdb"):
        return textlrp.load(name).module, batch(texts, steps)
    packed = name.endswith("packed")
    return Reader(packed=packed), batch(texts, steps, shortest=4 if packed else None)


def _peaks(name: str, quick: bool, threads: int) -> tuple[int, int]:  # called by position, in another process
    """Return the bytes that a network alone takes, and its explanation."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    module, given = _measured(name, quick=quick)
    for each in 3 * (network, attribute):
        each(module, *given)  # what is allocated once and for all is no part of either
    turns = range(1 if quick else 5)
    found = [median(peak_bytes(partial(each, module, *given)) or 0 for _ in turns) for each in (network, attribute)]
    return int(found[0]), int(found[1])


def memory(*, quick: bool, repeats: int) -> list[Row]:
    """Peak memory above what is held before, of the explanation over that of the network alone, in fresh processes."""
    rows, fresh = [], multiprocessing.get_context("spawn")
    for name in ("LSTM, two directions, padded", "LSTM, two directions, packed", "imdb-cnn", "imdb-dense"):
        pairs = []
        for _ in range(1 if quick else min(repeats, 5)):
            if quick:
                pairs.append(_peaks(name, quick, torch.get_num_threads()))
                continue
            with fresh.Pool(1) as pool:  # where numbers lie in the heap differs from process to process
                pairs.append(pool.apply(_peaks, (name, quick, torch.get_num_threads())))
        if all(alone and explained for alone, explained in pairs):
            middle, low, high = spread([explained / alone for alone, explained in pairs])
            rows.append(Row(f"{name}: peak memory", middle, low, high, target=2.5))
    return rows


def shares(*, quick: bool, repeats: int) -> list[Row]:
    """What share of an explanation is arithmetic in products, other work on tensors, and Python."""
    from torch.profiler import ProfilerActivity, profile

    given, rows = batch(*((2, 8) if quick else (32, 256))), []
    for arch in ("lstm", "gru", "cnn", "dense"):
        module = textlrp.load(f"imdb-{arch}").module
        attribute(module, *given)
        began = time.perf_counter()
        for _ in range(repeats):
            attribute(module, *given)
        whole = (time.perf_counter() - began) / repeats
        with profile(activities=[ProfilerActivity.CPU]) as watched:
            attribute(module, *given)
        parts = {"products": 0.0, "other": 0.0}
        for event in watched.key_averages():
            kind = "products" if event.key.removeprefix("aten::") in _PRODUCTS else "other"
            parts[kind] += event.self_cpu_time_total / 1e6
        products = min(parts["products"] / whole, 1.0)
        total = sum(parts.values())
        other = min(parts["other"] / max(total, whole), 1 - products)
        for label, share in (
            ("matrix products", products),
            ("other work on tensors (memory)", other),
            ("Python", max(0.0, 1 - products - other)),
        ):
            rows.append(Row(f"imdb-{arch}: {label}", 100 * share, 100 * share, 100 * share, unit="%"))
    return rows


def gpu(*, quick: bool, repeats: int) -> list[Row]:
    """The bundled networks on CUDA, beside cuDNN inference; nothing where no GPU is at hand."""
    if not torch.cuda.is_available():
        return []
    rows = []
    given = tuple(each.cuda() for each in batch(*((2, 8) if quick else (256, 256))))

    def waiting(function: Any) -> Any:
        def run() -> None:
            function()
            torch.cuda.synchronize()

        return run

    for arch in ("lstm", "gru", "cnn", "dense"):
        module = textlrp.load(f"imdb-{arch}").module.cuda()
        functions = {"lrp": waiting(partial(attribute, module, *given)), "network": waiting(partial(network, module, *given))}
        found = turns(functions, repeats, warm=3)
        rows.append(
            row(
                f"imdb-{arch} on {torch.cuda.get_device_name()}, {len(given[0])} × {given[0].shape[1]}",
                found,
                "lrp",
                "network",
                target=4.0,
            )
        )
        rate = len(given[0]) / (found.milliseconds("lrp")[0] / 1000)
        rows.append(Row(f"imdb-{arch}: explained", rate, rate, rate, unit="reviews/s"))
    return rows
