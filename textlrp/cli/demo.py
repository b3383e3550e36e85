"""`textlrp demo`: the main job on what ships with textlrp, in under a minute."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from textlrp.cli.common import console, epilog, open_model, read_reviews, say, write_out
from textlrp.resources import bundled

__all__ = ["demo"]

#: One review of each of these styles and labels is explained.
SHOWN = (("negated", "positive"), ("contrasting", "negative"), ("markup", "positive"))


@click.command(epilog=epilog("textlrp demo", "textlrp demo --html demo.html"))
@click.option("--html", default="demo.html", show_default=True, metavar="F", help="Where to write the page.")
def demo(html: str) -> None:
    """Explain several bundled reviews with both bundled models, score all of them, rank their words and write one HTML page."""
    from textlrp.highlight.html import page
    from textlrp.highlight.terminal import ranking_table, render
    from textlrp.progress import shown, track
    from textlrp.ranking import rank

    began = time.perf_counter()
    out = console()
    reviews = read_reviews("bundled")
    explanations = []
    for name in ("imdb-dense", "imdb-lstm"):
        classifier = open_model(name)
        out.rule(f"{name}: which words made it say that?")
        for text in _chosen():
            explanation = classifier.explain(text)
            explanations.append(explanation)
            out.print(render(explanation, top=5))
            out.print()
        _score(name, classifier, reviews)
        with shown():
            ranking = rank(
                track(classifier.explain_stream(reviews["text"], target="margin"), name, total=len(reviews)), min_texts=5
            )
        out.print(ranking_table(ranking, 8))
    labels = [f"{e.model} · review {1 + i % len(SHOWN)}" for i, e in enumerate(explanations)]
    write_out(html, page(explanations, title="textlrp: which words made it say that?", labels=labels))
    say(f"the page with all of this: {html}   ({time.perf_counter() - began:.0f} s)")


def _chosen() -> list[str]:
    """The shortest review of each style shown, negative and positive in turn."""
    lines = bundled("reviews.jsonl").read_text("utf-8").splitlines()
    reviews = [json.loads(line) for line in lines]
    chosen = []
    for style, label in SHOWN:
        chosen.append(min((r["text"] for r in reviews if r["style"] == style and r["label"] == label), key=len))
    return chosen


def _score(name: str, classifier: Any, reviews: Any) -> None:
    from textlrp.evaluation import evaluate

    result = evaluate(classifier, reviews["text"], reviews["label"])
    console().print(f"{name} on the {result['n']} bundled reviews: accuracy {result['accuracy']:.3f}, F1 {result['f1']:.3f}")
