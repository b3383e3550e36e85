"""Explanations as HTML: one self-contained page that needs no network and no script, or a fragment for a notebook."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from textlrp.errors import InputError
from textlrp.explanation import Explanation
from textlrp.highlight import plain, spans
from textlrp.highlight.scale import DARK, LEVELS, LIGHT, Scale, level, limits, shades

__all__ = ["fragment", "page"]

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
    >>> "&lt;b&gt;</span></div>" in page(e)
    True
    """
    found = [explanations] if isinstance(explanations, Explanation) else list(explanations)
    if labels is not None and len(labels) != len(found):
        raise InputError(f"{len(found)} explanations need {len(found)} labels, one each, not {len(labels)}")
    headings = list(labels) if labels is not None else [f"Text {i + 1}" if len(found) > 1 else "" for i in range(len(found))]
    reviews = [_review(e, limit, heading, k) for e, limit, heading in zip(found, limits(found, scale), headings, strict=True)]
    style, script = _style(), _script()
    policy = (
        f"default-src 'none'; style-src 'sha256-{_digest(style)}'; script-src 'sha256-{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return _environment().get_template("page.html.j2").render(
        title=title, reviews=reviews, style=style, script=script, policy=policy, made=_made(found), levels=LEVELS
    )


def fragment(e: Explanation, *, scale: Scale = "each", k: int = 5) -> str:
    """Give the explanation as a piece of HTML for a notebook's cell: no script, no ids, styles that touch nothing else."""
    review = _review(e, limits([e], scale)[0], "", k)
    return _environment().get_template("fragment.html.j2").render(review=review, style=_style(), levels=LEVELS)


def _review(e: Explanation, limit: float, heading: str, k: int) -> dict[str, Any]:
    """What the template draws of one explanation: plain strings and numbers only."""
    merged = spans.phrases(e)
    phrase_limit = max((abs(each.relevance) for each in merged), default=0.0)
    top = e.top(k)
    strongest = max((abs(relevance) for _, relevance in (*top.positive, *top.negative)), default=0.0)
    shown = sorted(e.probabilities.items(), key=lambda each: -each[1])[:6] if len(e.probabilities) > 6 else e.probabilities.items()
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
        "ends": [(kind, plain.number(-each), plain.number(each)) for kind, each in (("single", limit), ("merged", phrase_limit))],
        "pieces": _pieces(e, limit, merged, phrase_limit),
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


def _pieces(e: Explanation, limit: float, merged: list[spans.Phrase], phrase_limit: float) -> list[dict[str, Any]]:
    """The text in pieces with their classes and tips; a piece opens or closes a phrase where one starts or ends."""
    opens = {each.first: each for each in merged}
    closes = {each.last for each in merged}
    values, ranks, shares = e.relevance.tolist(), spans.ranks(e), spans.shares(e)
    total = sum(map(abs, values))
    out: list[dict[str, Any]] = []
    for text, i, read in spans.pieces(e):
        direction = " i" if plain.BIDI.search(text) else ""
        if i < 0:
            gap = "" if read and not direction else ("tail" if not read else "g") + direction
            out.append({"text": text, "token": False, "class": gap, "tip": "", "opens": None, "phrase_tip": "", "closes": False})
            continue
        classes = f"t{_class(values[i], limit)}{direction}{'' if e.known[i] else ' u'}"
        piece: dict[str, Any] = {"text": text, "token": True, "class": classes, "opens": None, "phrase_tip": ""}
        place = f"{plain.number(values[i])} · {plain.percent(shares[i])} of all · rank {ranks[i]:,} of {len(values):,}"
        piece["tip"] = f"{_isolated(text)}  {place}{'' if e.known[i] else ' · not in the vocabulary'}"
        if i in opens:
            phrase = opens[i]
            words = e.text[e.tokens[phrase.first].start : e.tokens[phrase.last].end]
            share = plain.percent(abs(phrase.relevance) / total)
            piece["opens"] = _class(phrase.relevance, phrase_limit, "f")
            piece["phrase_tip"] = f"{_isolated(words)}  {plain.number(phrase.relevance)} · {share} of all"
        piece["closes"] = i in closes
        out.append(piece)
    return out


def _class(relevance: float, limit: float, prefix: str = "") -> str:
    step = level(relevance, limit)
    return f" {prefix}{'p' if step > 0 else 'n'}{abs(step)}" if step else ""


def _isolated(word: str) -> str:
    """A word in one line between direction isolates, so that it cannot reorder the numbers after it."""
    return f"\u2068{plain.short(word)}\u2069"


def _made(explanations: list[Explanation]) -> str:
    """One line that says how the explanations were made, where all were made alike."""
    kinds = {(e.model, e.rule, e.gates) for e in explanations}
    if len(kinds) != 1:
        return ""
    names = zip(("model", "rule", "gates"), kinds.pop(), strict=True)
    return " · ".join(f"{what} {name}" for what, name in names if name)


def _written(text: str) -> Markup:
    """A text so that the browser's DOM holds it character by character: escaped, carriage returns by number."""
    return Markup(str(escape(plain.encodable(text))).replace("\r", "&#13;"))  # noqa: S704


def _digest(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("textlrp.highlight"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.finalize = lambda value: plain.encodable(value) if type(value) is str else value
    environment.filters["written"] = _written
    return environment


@cache
def _style() -> Markup:
    """The style sheet: ours alone, no word of a user's in it."""
    colours = {
        name: list(zip(shades(LIGHT, sign), shades(DARK, sign), strict=True)) for name, sign in (("p", +1), ("n", -1))
    }
    css = _environment().get_template("style.css.j2").render(light=LIGHT, dark=DARK, colours=colours, levels=LEVELS)
    return Markup("\n".join(line.strip() for line in css.splitlines() if line.strip()))  # noqa: S704


@cache
def _script() -> Markup:
    source, _, _ = _environment().loader.get_source(_environment(), "script.js")  # type: ignore[union-attr]
    return Markup(source.strip())  # noqa: S704
