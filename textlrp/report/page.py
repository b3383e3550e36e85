"""The report as one self-contained page: what was gathered and found, turned into plain strings for the template."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from textlrp.audit.record import Audit
from textlrp.highlight import plain
from textlrp.highlight.flow import Flow, draw
from textlrp.highlight.html import review_view
from textlrp.highlight.scale import LEVELS, limits
from textlrp.highlight.templating import environment, policy, script, style
from textlrp.report.audit_view import audit_view
from textlrp.report.figures import calibration, places
from textlrp.report.gather import Gathered
from textlrp.report.methods import Agreement, methods_view
from textlrp.report.tally import Row
from textlrp.text.tokens import tokenise

__all__ = ["page"]

AROUND = 60  # characters of a context on each side
SHOWN_ERRORS = 3  # most confident errors that stand on the page itself


def page(
    texts: Sequence[str],
    *,
    title: str,
    gathered: Gathered | None = None,
    metrics: Mapping[str, Any] | None = None,
    audit: Audit | None = None,
    names: Gathered | None = None,
    flow: Flow | None = None,
    flow_text: str = "",
    methods: Agreement | None = None,
    examples: Sequence[tuple[str, str]] = (),
    made: str = "",
    versions: str = "",
    k: int = 10,
    min_texts: int | None = None,
) -> str:
    """Give the report as HTML: no network, no script needed; `texts` are those that were gathered, in their order.

    `metrics` are those of `textlrp.training.metrics.measure`; `examples` are links (href, name) to pages of examples; `k` is
    the number of words in a table; `names` gives an audit its classes where nothing else is shown. What is not given is left
    out. NUL and lone surrogates are shown as U+FFFD.
    """
    css = style("report.css") if methods is None else Markup("\n").join([script("compare.css"), style("report.css")])
    js = script("script.js")
    parts: dict[str, Any] = dict.fromkeys(("quality", "sides", "errors", "wrong", "places", "coverage", "unit"))
    parts.update(min_texts=0, lost=0, placed=0)
    if gathered is not None and metrics is not None:
        fewest = min_texts or max(3, -(-len(gathered.labels) // 1000))
        parts.update(_parts(gathered, metrics, texts, k, fewest))
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            title=title,
            made=made,
            versions=versions,
            style=css,
            script=js,
            policy=policy(css, js),
            levels=LEVELS,
            audit=None if audit is None else audit_view(audit, texts, gathered or names),
            flow=None if flow is None else Markup(draw(flow, standalone=False)),  # noqa: S704
            flow_text=_cut(flow_text),
            methods=None if methods is None else methods_view(methods),
            examples=list(examples),
            **parts,
        )
    )


def _parts(found: Gathered, metrics: Mapping[str, Any], texts: Sequence[str], k: int, fewest: int) -> dict[str, Any]:
    """All of the page that comes from the pass over the texts."""
    confidence = found.probabilities.max(axis=1)
    shown = found.wrong[:SHOWN_ERRORS]
    scales = limits([e for _, e in shown], "each")
    several = len(found.classes) > 2
    return {
        "quality": {
            "facts": [
                ("Texts", f"{metrics['n']:,}"),
                ("Accuracy", plain.percent(metrics["accuracy"])),
                ("F1, mean of the classes", f"{metrics['f1']:.3f}"),
                ("Calibration error", f"{metrics['ece']:.3f}"),
            ],
            "classes": list(found.classes),
            "confusion": [
                (name, [(f"{count:,}", i == j) for j, count in enumerate(row)])
                for i, (name, row) in enumerate(zip(found.classes, metrics["confusion"], strict=True))
            ],
            "calibration": calibration(confidence, found.predicted == found.labels),
        },
        "unit": "the logit of the predicted class"
        if several
        else f"{found.classes[1]} − {found.classes[0]}, a margin of logits",
        "min_texts": fewest,
        "sides": [
            {
                "name": side.name,
                "mean": _rows(side.words.top(k, sign=side.sign, min_texts=fewest), texts),
                "total": _rows(side.words.top(k, sign=side.sign, by="total", min_texts=fewest), texts),
                "phrases": _rows(side.phrases.top(k, sign=side.sign, min_texts=fewest), texts),
                "phrases_total": _rows(side.phrases.top(k, sign=side.sign, by="total", min_texts=fewest), texts),
            }
            for side in found.sides()
        ],
        "lost": max((side.phrases.lost for side in found.sides()), default=0),
        "errors": _errors(found, metrics, texts, k),
        "wrong": [
            review_view(e, limit, f"Text {i + 1:,}: {found.classes[int(found.labels[i])]}, taken for {e.prediction}", 5)
            for (i, e), limit in zip(shown, scales, strict=True)
        ],
        "placed": f"{found.placed:,}",
        "places": places(*(each / max(found.places.sum(), 1e-12) for each in (found.places, found.net))),
        "coverage": _coverage(found),
    }


def _errors(found: Gathered, metrics: Mapping[str, Any], texts: Sequence[str], k: int) -> list[dict[str, Any]]:
    """The words by error type, most frequent type first; at most six types."""
    confusion = np.asarray(metrics["confusion"])
    kinds = sorted(found.errors.items(), key=lambda each: -int(confusion[each[0]]))[:6]
    return [
        {
            "n": f"{int(confusion[truth, predicted]):,}",
            "truth": found.classes[truth],
            "predicted": found.classes[predicted],
            "misled": _rows(tally.top(k, by="total", min_texts=2), texts),
            "against": _rows(tally.top(k, sign=-1, by="total", min_texts=2), texts),
        }
        for (truth, predicted), tally in kinds
    ]


def _coverage(found: Gathered) -> dict[str, Any]:
    known = 1 - found.unknown_tokens / max(found.tokens, 1)
    n = len(found.labels)
    names = {"bias": "biases", "stabiliser": "stabilisers", "initial_state": "initial states"}
    return {
        "facts": [
            ("Tokens", f"{found.tokens:,}"),
            ("of them in the vocabulary", plain.percent(known)),
            ("Texts cut short", f"{found.truncated:,}"),
        ],
        "unknown": [(plain.short(word, 30), f"{count:,}") for word, count in found.unknown.most_common(12)],
        "score": plain.number(found.score / n),
        "ledger": [
            (names.get(name, name.replace("_", " ")), plain.number(value / n)) for name, value in found.ledger.items() if value
        ],
    }


def _rows(rows: Sequence[Row], texts: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "word": plain.short(row.word, 40),
            "mean": plain.number(row.mean),
            "interval": "–" if row.interval is None else " to ".join(plain.number(each) for each in row.interval),
            "total": plain.number(row.total),
            "texts": f"{row.texts:,}",
            "flips": f"{row.flips:.0%}".replace("%", " %"),
            "contexts": [_context(texts[at.text], at.start, row.word, at.relevance) for at in row.places],
        }
        for row in rows
    ]


def _context(text: str, start: int, word: str, relevance: float) -> tuple[str, str, str, str]:
    """A place in a text in one line: before, the word or phrase as it is written, after, its relevance."""
    count = 1 if word.startswith("<") else word.count(" ") + 1
    tokens = tokenise(text)
    first = next((i for i, token in enumerate(tokens) if token.start == start), 0)
    end = tokens[min(first + count, len(tokens)) - 1].end
    before, after = text[max(0, start - AROUND) : start], text[end : end + AROUND]
    left, right = "… " if start > AROUND else "", " …" if end + AROUND < len(text) else ""
    return left + _line(before), _line(text[start:end][:AROUND]), _line(after) + right, plain.number(relevance)


def _line(text: str) -> str:
    return plain.visible(re.sub(r"[\r\n\t]", " ", text))


def _cut(text: str, most: int = 300) -> str:
    return plain.visible(text[:most]) + ("…" if len(text) > most else "")
