"""`report`: gather, audit, trace one example, and write the page with its examples beside it."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from textlrp.audit.run import audit as run_audit
from textlrp.errors import InputError
from textlrp.files import atomic_folder, write_text
from textlrp.highlight.html import page as examples_page
from textlrp.report.gather import Gathered, gather
from textlrp.report.methods import compare_examples
from textlrp.report.page import page
from textlrp.tracing import trace
from textlrp.training.metrics import measure

if TYPE_CHECKING:
    from textlrp.audit.record import Audit
    from textlrp.classifier import TextClassifier
    from textlrp.explaining import Rule
    from textlrp.explanation import Explanation

__all__ = ["Report", "report"]

PER_PAGE = 20
_PAGE = re.compile(r"(errors|right)-[0-9]+\.html")  # the names that `_examples` gives


class Report(NamedTuple):
    """What was written, and what stands in it."""

    path: Path
    folder: Path | None
    gathered: Gathered
    audit: Audit | None


def report(
    classifier: TextClassifier,
    texts: Sequence[str],
    labels: Sequence[int],
    out: str | os.PathLike[str],
    *,
    data: str = "",
    training: tuple[Sequence[str], Sequence[int]] | None = None,
    rule: Rule = "default",
    gates: str = "all",
    k: int = 10,
    min_texts: int | None = None,
    audited: bool = True,
    examples: int = 100,
    compared: int = 8,
    explained: Iterable[Explanation] | None = None,
    command: str = "",
    seed: int = 0,
) -> Report:
    """Write a report on a classifier and labelled texts to the file `out`, whole or not at all.

    Pages of up to `examples` errors, most confident first, and of as many texts it got right (40 at most) lie in the folder
    OUT-examples beside it and are linked; with `examples` 0 there are none. `audited=False` leaves out the audit. On `compared`
    texts, drawn by `seed`, other rules and methods are compared; with 0 they are not. All texts are
    explained once, as a stream; or they were before, then `explained` gives their Explanations in order. Raises InputError
    where labels do not fit, or where OUT-examples holds what no report wrote; OSError where `out` cannot be written.
    """
    path = Path(out)
    if not path.name or path.is_dir() or not path.parent.is_dir():
        raise InputError(f"cannot write the report {str(out)!r}: name a file in a folder that exists, such as report.html")
    folder = path.with_name(f"{path.stem}-examples") if examples else None
    if folder is not None:
        _check_replaceable(folder)
    found = gather(
        classifier,
        texts,
        labels,
        rule=rule,
        gates=gates,
        explained=explained,
        most_wrong=max(examples, 3),
        most_right=min(examples, 40),
        seed=seed,
    )
    metrics = measure(found.probabilities.astype(float), found.labels, classes=found.classes)
    audit = None
    if audited:
        audit = run_audit(classifier, texts, labels, training=training, gathered=found, seed=seed)
    example = _typical(found)
    target = "margin" if len(found.classes) == 2 else "predicted"
    text = texts[example]
    links = [] if folder is None else _examples(path, folder, found, examples)
    content = page(
        texts,
        title=f"{found.model} on {data}" if data else found.model,
        gathered=found,
        metrics=metrics,
        audit=audit,
        flow=trace(classifier, text, target=target, rule=rule, gates=gates),
        flow_text=text,
        methods=compare_examples(classifier, texts, count=compared, seed=seed) if compared else None,
        examples=links,
        made=_made(found, command, seed),
        versions=_versions(),
        k=k,
        min_texts=min_texts,
    )
    write_text(path, content)
    return Report(path, folder, found, audit)


def _typical(found: Gathered) -> int:
    """The text whose flow is drawn: a short one that the model got right, else the first."""
    short = sorted((len(e.tokens), i) for i, e in found.right if len(e.tokens) >= 5)
    return short[0][1] if short else 0


def _check_replaceable(folder: Path) -> None:
    """Refuse a folder for examples that holds anything but the pages of an earlier report: it would be replaced."""
    for each in sorted(folder.iterdir()) if folder.is_dir() else ():
        if _PAGE.fullmatch(each.name) is None or not each.is_file():
            raise InputError(
                f"the folder {str(folder)!r} holds {each.name!r}, which no report wrote, and pages of examples would replace "
                "the folder: move it away, give the report another name, or ask for no examples (--examples 0)"
            )


def _examples(path: Path, folder: Path, found: Gathered, most: int) -> list[tuple[str, str]]:
    """Write the pages of examples into `folder`, and return the links to them."""
    links = []
    with atomic_folder(folder) as temporary:
        for kind, kept in (("Errors", found.wrong[:most]), ("Right", found.right)):
            for begin in range(0, len(kept), PER_PAGE):
                part = kept[begin : begin + PER_PAGE]
                labels = [f"Text {i + 1:,}, labelled {found.classes[int(found.labels[i])]}" for i, _ in part]
                number = begin // PER_PAGE + 1
                name = f"{kind} {begin + 1} to {begin + len(part)}"
                content = examples_page([e for _, e in part], title=f"{name} of {path.name}", labels=labels, scale="each")
                write_text(temporary / f"{kind.lower()}-{number}.html", content)
                how = ", most confident first" if kind == "Errors" else ", drawn by chance"
                links.append((_href(f"{folder.name}/{kind.lower()}-{number}.html"), name + how))
    return links


def _href(path: str) -> str:
    from urllib.parse import quote

    return "./" + quote(path, errors="replace")


def _made(found: Gathered, command: str, seed: int) -> str:
    parts = [f"model {found.model}", f"rule {found.rule}", f"gates {found.gates}", f"seed {seed}"]
    return " · ".join([*parts, f"made by {command}"] if command else parts)


def _versions() -> str:
    found = []
    for name in ("textlrp", "torch", "numpy", "scikit-learn", "matplotlib"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join([*found, f"Python {platform.python_version()}"])
