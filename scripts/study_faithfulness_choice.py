"""Which rule becomes the default of an architecture: the criterion, and the section of reports/faithfulness.md on it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from textlrp.explaining import DEFAULT_RULES
from textlrp.faithfulness import Evaluation
from textlrp.faithfulness.statistics import Interval
from textlrp.lrp import GATES

__all__ = ["DEFAULT", "MARGIN", "chosen", "default_of", "defaults", "shown", "value_n"]

DEFAULT = "LRP epsilon"
MARGIN = 0.05  # what displaces another is ahead by this share of its separation, with the whole interval above 0
WANTED = ("LRP epsilon", "LRP zero", "LRP gamma", "LRP epsilon-gamma")  # shown of other texts and networks
WANTED += ("LRP epsilon:abs", "LRP epsilon-gamma:half", "LRP epsilon-gamma:abs", "LRP epsilon:zero")


def default_of(name: str) -> str:
    """Return the default rule of a bundled model, as the study calls it."""
    return f"LRP {DEFAULT_RULES[name.removeprefix('imdb-')]}"


def displaces(found: Evaluation, name: str, held: str) -> bool:
    """Tell whether `name` is clearly ahead of `held`."""
    ahead = found.difference(name, held, "separation")
    return ahead.low > 0 and ahead.mean >= MARGIN * abs(found.interval(held, "separation").mean)


def chosen(found: Evaluation) -> str:
    """Return the rule and gate rule that validation texts choose: first the rule under gates *all*, then the gates."""
    held = DEFAULT
    for gated in (False, True):
        names = [each for each in found.methods if each != "random" and (":" in each) == gated]
        names = [each for each in names if GATES[each.partition(":")[2] or "all"].conserves]
        ahead = [each for each in names if displaces(found, each, held)]
        held = max(ahead, key=lambda each: found.interval(each, "separation").mean, default=held)
    return held


def defaults(validation: Mapping[str, Evaluation], others: Mapping[str, Evaluation]) -> str:
    """Return the section on defaults."""
    lines = [
        "## The default rule, chosen on validation texts",
        "Every LRP preset with every gate rule on `imdb:validation`, a tenth of the training reviews drawn by a seed, never on "
        "test texts (the networks have learnt from most of those reviews, which all rules share). Combinations that give the "
        "same explanations as another one on a model are left out.",
        "**The criterion** is the separation, which is AOPC minus the same of *least first*: both ends of the order count. "
        f"What is ahead by {MARGIN:.0%} of it or more, its whole paired interval above 0, displaces what was held: first among "
        "the rules under gates *all*, beginning with `epsilon`, then among the other gate rules, which take twice the time. "
        "The margin is there because `zero` is `epsilon` without its stabiliser: a little ahead where nothing is divided by "
        "almost nothing, and without anything to hold it where something is (*not finite*: the share of texts whose relevance "
        "overflowed). Gates *zero* cannot be a default: they book half of each gated product as lost, and LRP is to conserve.",
        "Separation, its margin and `epsilon` as what is held at first were fixed before anything was measured. That rules "
        "come before gates, and that gates *zero* are out, was added when the LSTM's texts below had been seen (there, gates "
        "*zero* have the largest separation, and the smallest part of the score on the words); so the rules were measured "
        "again, on other texts and on other networks, which follow below.",
    ]
    for name, found in validation.items():
        names = [each for each in found.methods if each != "random"]
        names.sort(key=lambda each: -found.interval(each, "separation").mean)
        chance = found.best("separation", names)
        rows = []
        for each in names:
            value, behind = found.interval(each, "separation"), found.difference(each, DEFAULT, "separation")
            aopc, facts = found.interval(each, "aopc"), found.facts[each]
            carried, failed = facts.get("carried", 0.0), facts.get("failed", 0.0)
            cells = [each, shown(value), "–" if each == DEFAULT else shown(behind), f"{aopc.mean:.3f}"]
            cells += [f"{carried:.0%}" if abs(carried) < 10 else "–", f"{chance[each]:.0%}", f"{failed:.0%}"]
            rows.append("| " + " | ".join(cells) + " |")
        table = [
            "| rule:gates | separation | minus epsilon's | AOPC | words carry | best in rounds | not finite |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        lines += [f"### {name}, {value_n(found)} validation reviews", _said(name, found), "\n".join([*table, *rows])]
    return "\n\n".join([*lines, *_others(others)])


def _said(name: str, found: Evaluation) -> str:
    held, arch = chosen(found), name.removeprefix("imdb-")
    agrees = held == default_of(name)
    built = "" if agrees else f" The built-in default is still `{DEFAULT_RULES[arch]}`: that is to be changed."
    if held == DEFAULT:
        return f"Nothing displaces it: **the default of {arch} is `epsilon` with gates `all`.**{built}"
    ahead, aopc = (found.difference(held, DEFAULT, column) for column in ("separation", "aopc"))
    return (
        f"`{held}` displaces `epsilon`, ahead by {shown(ahead)} logits ({shown(aopc)} by AOPC alone), and is not displaced: "
        f"**the default of {arch} is `{held.removeprefix('LRP ')}` with gates `all`.**{built}"
    )


def _others(others: Mapping[str, Evaluation]) -> list[str]:
    if not others:
        return []
    lines = [
        "### Other validation texts, and other networks",
        "None of the texts above. *small*: networks that the default recipe of `textlrp train` gives from 4,000 labelled "
        "reviews, with its n-grams beside the recurrent layer or without (`python scripts/try_recipe.py lstm --labelled 4000 "
        "--save DIR`, with `--options '{\"ngrams\": []}'` for those without, and gru alike; then `--also NAME=DIR` here). "
        "Differences are paired, minus `epsilon` with gates `all`.",
    ]
    table = [
        "| network | rule:gates | separation | minus epsilon's | AOPC minus epsilon's |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for name, found in others.items():
        first = f"{name}, {value_n(found)} reviews"
        for each in (each for each in WANTED if each in found.methods):
            ahead, aopc = (found.difference(each, DEFAULT, column) for column in ("separation", "aopc"))
            cells = [first, each, shown(found.interval(each, "separation"))]
            cells += ["–", "–"] if each == DEFAULT else [shown(ahead), shown(aopc)]
            table.append("| " + " | ".join(cells) + " |")
            first = ""
        first = f"*{chosen(found).removeprefix('LRP ')}* is chosen"
        table.append(f"| {first} | | | | |")
    return [*lines, "\n".join(table)]


def value_n(found: Evaluation, column: str = "separation") -> int:
    """Return on how many texts the default was measured."""
    return found.interval(DEFAULT, column).n


def shown(value: Interval) -> str:
    """Write a mean with its interval."""
    if not value.n or not np.isfinite(value.mean):
        return "–"
    return f"{value.mean:+.3f} [{value.low:+.3f}, {value.high:+.3f}]"
