"""Explanations as HTML: one self-contained page that needs no network and no script, or a fragment for a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from textlrp.errors import InputError
from textlrp.explanation import Explanation
from textlrp.highlight import plain, spans
from textlrp.highlight.pieces import pieces
from textlrp.highlight.scale import LEVELS, Scale, limits
from textlrp.highlight.templating import environment, policy, script, style

__all__ = ["fragment", "page", "review_view"]

_LEDGER_NAMES = {"words": "words", "bias": "biases", "stabiliser": "stabilisers", "initial_state": "initial states"}


def page(
    explanations: Explanation | Iterable[Explanation],
    *,
    title: str = "Which words made the model say that?",
    labels: Sequence[str] | None = None,
    scale: Scale = "shared",
    k: int = 8,
) -> str:
    """Give a self-contained HTML page with the explained texts, each exactly as written.

    `labels` are headings, one for each text. With `scale` "shared" one colour scale serves all texts, with "each" every
    text has its own, and a number is the relevance of full colour. `k` is the number of top words on each side. The page
    is valid UTF-8: NUL and lone surrogates, which no page can hold, are shown as U+FFFD.

    >>> from textlrp.text.tokens import Token
    >>> e = Explanation("<b>", (Token("<b>", 0, 3),), [1.0], "positive", 1.0, {"words": 1.0})
    >>> "&lt;b&gt;</span></span></div>" in page(e)
    True
    """
    found = [explanations] if isinstance(explanations, Explanation) else list(explanations)
    if labels is not None and len(labels) != len(found):
        raise InputError(f"{len(found)} explanations need {len(found)} labels, one each, not {len(labels)}")
    headings = list(labels) if labels is not None else [f"Text {i + 1}" if len(found) > 1 else "" for i in range(len(found))]
    reviews = [
        review_view(e, limit, heading, k) for e, limit, heading in zip(found, limits(found, scale), headings, strict=True)
    ]
    css, js = style(), script("script.js")
    return (
        environment()
        .get_template("page.html.j2")
        .render(title=title, reviews=reviews, style=css, script=js, policy=policy(css, js), made=_made(found), levels=LEVELS)
    )


def fragment(e: Explanation, *, scale: Scale = "each", k: int = 5) -> str:
    """Give the explanation as a piece of HTML for a notebook's cell: no script, no ids, styles that touch nothing else."""
    review = review_view(e, limits([e], scale)[0], "", k)
    return environment().get_template("fragment.html.j2").render(review=review, style=style(), levels=LEVELS)


def review_view(e: Explanation, limit: float, heading: str, k: int) -> dict[str, Any]:
    """What the template draws of one explanation: plain strings and numbers only."""
    merged = spans.phrases(e)
    phrase_limit = max((abs(each.relevance) for each in merged), default=0.0)
    top = e.top(k)
    strongest = max((abs(relevance) for _, relevance in (*top.positive, *top.negative)), default=0.0)
    shown = (
        sorted(e.probabilities.items(), key=lambda each: -each[1])[:6] if len(e.probabilities) > 6 else e.probabilities.items()
    )
    sides = e.sides
    return {
        "heading": heading,
        "prediction": e.prediction,
        "probability": plain.percent(e.probabilities[e.prediction]) if e.probabilities else "",
        "probabilities": [(name, plain.percent(p), round(100 * p, 2), name == e.prediction) for name, p in shown],
        "more_classes": len(e.probabilities) - len(shown),
        "target": e.target,
        "score": plain.number(e.score),
        "sides": sides,
        "ends": [
            (kind, plain.number(-each), plain.number(each)) for kind, each in (("single", limit), ("merged", phrase_limit))
        ],
        "pieces": pieces(e, limit, merged, phrase_limit),
        "empty": not e.text,
        "unknown": sum(not each for each in e.known),
        "truncated": e.truncated,
        "read_to": f"{e.read_to:,}",
        "length": f"{len(e.text):,}",
        "ledger": [
            (_LEDGER_NAMES.get(name, name.replace("_", " ")), plain.number(value))
            for name, value in e.ledger.items()
            if value != 0 or name in ("words", "bias")
        ],
        "tops": [
            (side, sign, [(plain.short(w), plain.number(r), round(100 * abs(r) / strongest, 2)) for w, r in words])
            for side, sign, words in zip(sides, ("p", "n"), top, strict=True)
        ],
    }


def _made(explanations: list[Explanation]) -> str:
    """One line that says how the explanations were made, where all were made alike."""
    kinds = {(e.model, e.rule, e.gates) for e in explanations}
    if len(kinds) != 1:
        return ""
    names = zip(("model", "rule", "gates"), kinds.pop(), strict=True)
    return " · ".join(f"{what} {name}" for what, name in names if name)
