"""From a checked request to the bytes of its answer; this runs in the threads of `Jobs`."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from textlrp.errors import CheckpointError, TextLRPError
from textlrp.explanation import Explanation
from textlrp.highlight.html import page, review_view
from textlrp.highlight.markdown import markdown
from textlrp.highlight.scale import limits
from textlrp.server.problems import Problem
from textlrp.server.schemas import Choice, CompareRequest, ExplainRequest, ExportRequest, PredictRequest
from textlrp.server.settings import Settings
from textlrp.server.shelf import Shelf
from textlrp.text.tokens import tokenise

__all__ = ["compare", "dumps", "explain", "export", "predict"]


def explain(shelf: Shelf, settings: Settings, request: ExplainRequest) -> bytes:
    """Explain one text: JSON of an `ExplainAnswer`."""
    _check([request.text], settings)
    found, seconds = _explained(shelf, request.text, request)
    return dumps(_answer(found, seconds, limits([found], "each")[0], request.top))


def compare(shelf: Shelf, settings: Settings, request: CompareRequest) -> bytes:
    """Explain one text in several ways, on one scale: JSON of a `CompareAnswer`."""
    _check([request.text], settings)
    made = [_explained(shelf, request.text, choice) for choice in request.choices]
    found = [explanation for explanation, _ in made]
    scales = limits(found, "shared")
    answers = [_answer(e, seconds, limit, request.top) for (e, seconds), limit in zip(made, scales, strict=True)]
    return dumps({"answers": answers, "correlation": _correlation(found)})


def export(shelf: Shelf, settings: Settings, request: ExportRequest) -> bytes:
    """Explain one text in one way or several, as a page, Markdown, JSON (one explanation, or a list), or one as a picture."""
    _check([request.text], settings)
    found = [_explained(shelf, request.text, choice)[0] for choice in request.choices]
    if request.format == "html":
        labels = [" · ".join(filter(None, (e.model, e.rule, e.gates))) for e in found] if len(found) > 1 else None
        return page(found, labels=labels, scale="shared").encode()
    if request.format == "md":
        return markdown(found).encode("utf-8", errors="replace")
    if request.format == "svg":
        if len(found) > 1:
            raise Problem(422, "A picture shows one explanation; save the page instead, or compare nothing.")
        return found[0].to_svg().encode()
    return dumps(found[0].to_dict() if len(found) == 1 else [e.to_dict() for e in found], indent=1)


def predict(shelf: Shelf, settings: Settings, request: PredictRequest) -> bytes:
    """Classify texts: JSON of a `PredictAnswer`."""
    _check(request.texts, settings)
    name = _name(shelf, request.model)
    classifier = _model(shelf, name)
    classes = [str(each) for each in classifier.classes_]
    try:
        rows = classifier.predict_proba(request.texts)
    except TextLRPError as error:  # such as numbers that overflow, with the place of the text
        raise Problem(422, _sentence(error)) from None
    predictions = [
        {"prediction": classes[int(row.argmax())], "probabilities": dict(zip(classes, row.tolist(), strict=True))}
        for row in rows
    ]
    return dumps({"model": name, "predictions": predictions})


def dumps(value: Any, *, indent: int | None = None) -> bytes:
    """Give JSON in ASCII, which holds lone surrogates too; a NaN is an error and never an answer."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, indent=indent).encode("ascii")


def _check(texts: Sequence[str], settings: Settings) -> None:
    characters = sum(map(len, texts))
    what = "text has" if len(texts) == 1 else "texts have together"
    if characters > settings.max_characters:
        most = settings.max_characters
        raise Problem(413, f"The {what} {characters:,} characters; this server takes at most {most:,}: send less at a time.")
    if characters > settings.max_tokens:  # a token has a character at least
        tokens = sum(len(tokenise(text)) for text in texts)
        if tokens > settings.max_tokens:
            most = settings.max_tokens
            raise Problem(413, f"The {what} {tokens:,} tokens; this server takes at most {most:,}: send less at a time.")


def _name(shelf: Shelf, given: str | None) -> str:
    try:
        return shelf.name_of(given)
    except TextLRPError as error:
        raise Problem(422, _sentence(error)) from None


def _model(shelf: Shelf, name: str) -> Any:
    try:
        return shelf.get(name)
    except CheckpointError:  # its message names a path of this machine
        detail = f"The model {name!r} cannot be loaded any more; choose another, or have its folder repaired."
        raise Problem(503, detail) from None


def _explained(shelf: Shelf, text: str, choice: Choice) -> tuple[Explanation, float]:
    name = _name(shelf, choice.model)
    classifier = _model(shelf, name)
    began = time.perf_counter()
    try:
        found = classifier.explain(text, target=choice.target, rule=choice.rule, gates=choice.gates)
    except TextLRPError as error:
        raise Problem(422, _sentence(error)) from None
    return found, time.perf_counter() - began


def _sentence(error: TextLRPError) -> str:
    message = str(error)
    return message[:1].upper() + message[1:1_000]


def _answer(e: Explanation, seconds: float, limit: float, k: int) -> dict[str, Any]:
    return {"explanation": e.to_dict(), "view": review_view(e, limit, "", k), "milliseconds": round(1000 * seconds, 1)}


def _correlation(found: Sequence[Explanation]) -> list[list[float | None]]:
    """Spearman's rank correlation of each with each, where both read the same tokens and say something of them."""
    return [[_spearman(one, other) for other in found] for one in found]


def _spearman(one: Explanation, other: Explanation) -> float | None:
    from scipy.stats import rankdata

    if one.tokens != other.tokens or not len(one.tokens):
        return None
    ranks = [rankdata(e.relevance) - (len(e.tokens) + 1) / 2 for e in (one, other)]
    lengths = [float(np.sqrt((each**2).sum())) for each in ranks]
    return float(np.clip(ranks[0] @ ranks[1] / (lengths[0] * lengths[1]), -1, 1)) if all(lengths) else None
