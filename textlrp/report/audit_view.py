"""An audit as plain strings, for the report's template and for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textlrp.audit.kinds import KINDS
from textlrp.audit.record import Audit, Duplicates, Effect, Finding
from textlrp.highlight import plain
from textlrp.report.gather import Gathered

__all__ = ["audit_view"]


def audit_view(audit: Audit, texts: Sequence[str], found: Gathered | None = None) -> dict[str, Any]:
    """Give what is shown of an audit; `texts` are the held-out ones, from which the examples of clusters are taken."""
    held_out = f"On {audit.texts:,} held-out texts"
    training = "without training texts, so that words only they hold cannot be found"
    sources = f"{held_out}, {training if audit.training is None else f'against {audit.training:,} training texts'}."
    two = found is not None and len(found.classes) == 2
    return {
        "tests": f"{audit.tests:,}",
        "level": f"{100 * audit.level:g} %",
        "sources": sources,
        "alarms": [_finding(each) for each in audit.alarms],
        "watch": [_finding(each) for each in audit.watch],
        "kinds": [
            {
                "name": KINDS.get(each.kind, each.kind),
                "words": f"{each.words:,}",
                "share": plain.percent(each.relevance_share),
                "texts": f"{each.effect.texts:,}",
                "flips": _flips(each.effect),
                "accuracy": _accuracy(each.effect),
                "strongest": [plain.short(word, 24) for word in each.strongest],
            }
            for each in audit.kinds
        ],
        "duplicates": _duplicates(audit.duplicates),
        "towards": plain.short(found.classes[1]) if found is not None and two else "the predicted class",
        "clusters": [
            {
                "size": f"{each.size:,}",
                "accuracy": plain.percent(each.accuracy),
                "predictions": [(plain.short(name), f"{count:,}") for name, count in each.predictions.items()],
                "words": [(plain.short(word, 24), f"{value:+.2f}".replace("-", "−")) for word, value in each.words],
                "examples": [plain.short(texts[i], 140) for i in each.examples],
            }
            for each in audit.clusters
        ],
    }


def _finding(each: Finding) -> dict[str, str]:
    effect = each.effect
    return {
        "word": plain.short(each.word, 40),
        "kind": each.kind,
        "speaks_for": plain.short(each.speaks_for),
        "relevance": plain.number(each.relevance),
        "texts": f"{each.texts:,} {each.source}",
        "evidence": plain.visible(each.evidence),
        "p": "–" if not each.test else f"{each.adjusted:.2g}",
        "flips": "" if effect is None else _flips(effect),
        "accuracy": "" if effect is None else _accuracy(effect),
        "inserted": "" if effect is None or effect.inserted is None else plain.percent(effect.inserted),
    }


def _flips(effect: Effect) -> str:
    about = "" if effect.measured == effect.texts else "≈ "
    return f"{about}{effect.flips:,} ({plain.percent(effect.flipped)})"


def _accuracy(effect: Effect) -> str:
    return f"{100 * effect.before:.1f} → {100 * effect.after:.1f} %"


def _duplicates(found: Duplicates) -> str:
    said = f"{found.copies:,} texts say the same words as an earlier one"
    said += f", {found.conflicting:,} of them under another label." if found.copies else "."
    if found.in_training is not None:
        said += f" {found.in_training:,} stand in the training texts too."
    if (found.copies or found.in_training) and found.accuracy_without is not None:
        said += f" Accuracy with them {plain.percent(found.accuracy)}, without {plain.percent(found.accuracy_without)}."
    return said
