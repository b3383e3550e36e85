"""The words and tables of reports/faithfulness.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from study_faithfulness_choice import DEFAULT, default_of, defaults, shown, value_n

from textlrp.faithfulness import COLUMNS, Evaluation
from textlrp.faithfulness.statistics import Interval
from textlrp.faithfulness.table import markdown

__all__ = ["readme_table", "report"]

MAIN = ("separation", "aopc", "accuracy", "recovered", "comprehensiveness", "sufficiency", "zero_aopc", "zero_accuracy")
COSTLY = ("gradient", "gradient × input", "smoothgrad", "integrated gradients", "occlusion", "LIME", "SHAP")
EXPECTED = ("gradient × input", "gradient", "occlusion")
SLOW = ("integrated gradients", "LIME", "SHAP")


def report(validation: Mapping[str, Evaluation], others: Mapping[str, Evaluation], test: Mapping[str, Evaluation]) -> str:
    """Return the page; `others`: the rules again, on other validation texts and networks."""
    parts = [_head(test), defaults(validation, others), _expectations(test)]
    parts += [_model(name, found) for name, found in test.items()]
    return "\n\n".join([*parts, _limits(test)]) + "\n"


def readme_table(figures: Mapping[str, Any]) -> str:
    """Return the README's table of methods from the figures of one evaluation: faithfulness, conservation, run time."""
    methods, texts = figures["methods"], figures["settings"]["texts"]
    names = sorted(methods, key=lambda name: (name == "random", -methods[name]["columns"]["separation"][0]))
    lines = [
        f"| {figures['settings']['model']}, {texts} reviews of `imdb:test` | separation (logits) | AOPC (logits) | still right "
        "| words carry | ms a text |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in names:
        columns, facts = methods[name]["columns"], methods[name]["facts"]
        carried, ms = facts.get("carried"), facts.get("ms")
        share = "–" if carried is None or name == "random" or abs(carried) > 10 else f"{carried:.0%}"
        cells = [f"{columns[key][0]:.2f} ± {(columns[key][2] - columns[key][1]) / 2:.2f}" for key in ("separation", "aopc")]
        cells += [f"{columns['accuracy'][0]:.0%}", share, "–" if ms is None else f"{ms:.3g}"]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _head(test: Mapping[str, Evaluation]) -> str:
    first = next(iter(test.values())).settings
    fewer = f" (on the first {most} texts)" if (most := first["limits"]["zero vector"]) < first["texts"] else ""
    lines = [
        "# How faithful the explanations are",
        "Made by `python scripts/study_faithfulness.py` "
        f"(seed {first['seed']}, Python {first['python']}, torch {first['torch']}, one core of a CPU that other work shared: "
        "times are to be compared, not to be taken as they are). "
        "The figures behind every table are in `faithfulness.json`.",
        "**Texts.** For each model a sample of the 25,000 test reviews of IMDB: a pool of 5,000 is drawn by the seed, and from "
        "it texts spread evenly over five strata of length; a fifth of them is misclassified, as far as the pool goes, so that "
        "both halves of the protocol have enough texts. Columns that mix right and wrong texts mix them in that proportion. "
        + "; ".join(
            f"{name}: {value_n(found, 'aopc'):,} reviews, {found.settings['mean_tokens']:.0f} tokens on average, "
            f"weights `{found.settings['weights']}`"
            for name, found in test.items()
        )
        + ".",
        "**What is explained** is the predicted class against its rival (the label's class where the prediction is wrong, else "
        "the strongest other): a difference of two logits. LRP is linear in it, so deleting in falling order of this relevance "
        "is what Arras et al. (2016, 2017) do: in falling order of the relevance for the true class where the prediction is "
        "right, in rising order where it is wrong.",
        "**Bins.** Words go, or stay, in ERASER's shares: 1, 5, 10, 20 and 50 % of the words. Equal relevances are ordered by "
        "lot. *Leave out* takes the word away; *zero* keeps its place and sets its vector to zero, and that of every n-gram it "
        f"is part of{fewer}. Each mean is followed by its 95 % bootstrap interval "
        f"over texts ({first['rounds']} rounds, the same for all methods). *random* is the control: a random order, several "
        "seeds.",
        "| column | better | what it is |\n| --- | --- | --- |\n"
        + "\n".join(
            f"| {column.title} | {column.better} | {column.description} |"
            for key, column in COLUMNS.items()
            if not key.startswith("rationale") and key in next(iter(test.values())).columns
        )
        + "\n| passes the randomisation test | yes | asked again, a method says the same (rank correlation ≥ 0.95), and of a "
        "network whose parameters were all shuffled something else (the 95 % interval of the mean rank correlation lies within "
        "±0.5, its mean in brackets; Adebayo et al. 2018) |\n"
        "| words carry | – | relevance of the words over the explained score, the median: conservation, as far as words go |\n"
        "| unaccounted | low | LRP alone: the largest part of a score that no entry of the ledger holds |\n"
        "| not finite | low | share of texts for which a method overflowed; such an explanation counts as empty |\n"
        "| ms a text, MB | low | time, and growth of resident memory, to explain four reviews of median length together |",
    ]
    return "\n\n".join(lines)


def _expectations(test: Mapping[str, Evaluation]) -> str:
    lines = [
        "## What was expected, and what was found",
        "Expected: with the gate rule *all*, LRP is ahead of gradient × input, sensitivity (the gradient's square) and "
        "occlusion on deletion for the LSTM, and costs a small fraction of integrated gradients, LIME and "
        "SHAP. Differences are LRP under the architecture's default rule (epsilon-gamma for the LSTM, else epsilon) minus the "
        "other, paired, on the texts that both explained; bold where the whole interval is on LRP's side, struck through where "
        "it is on the other's.",
    ]
    head = "| model | against | texts | AOPC | AOPC, zero | accuracy | recovered | separation | time: other / LRP |"
    rows = [head, "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for name, found in test.items():
        mine = default_of(name)
        for other in (*COSTLY, "class activation"):
            if other in found.methods:
                differences = [
                    _judged(found, mine, other, key) for key in ("aopc", "zero_aopc", "accuracy", "recovered", "separation")
                ]
                ratio = found.facts[other]["ms"] / found.facts[mine]["ms"]
                n = found.difference(mine, other, "aopc").n
                rows.append(f"| {name} | {other} | {n:,} | " + " | ".join(differences) + f" | {ratio:.2g} |")
    lines.append("\n".join(rows))
    lines.append(
        "Where the differences are 0: the dense network is linear but for its maxima, and so is the CNN "
        "behind its ReLU, so LRP, "
        "gradient × input and (dense) class activation are the same there but for the stabiliser. The recurrent networks are "
        "where the rules part."
    )
    if "imdb-lstm" in test:
        lines.append(_verdict(test["imdb-lstm"], default_of("imdb-lstm")))
    return "\n\n".join(lines)


def _judged(found: Evaluation, mine: str, other: str, column: str) -> str:
    ahead = found.difference(mine, other, column)
    sign = COLUMNS[column].sign
    low, high = sorted((sign * ahead.low, sign * ahead.high))
    said = shown(ahead)
    if abs(ahead.mean) < 0.0005:  # 0 as it is printed
        return said
    return f"**{said}**" if low > 0 else f"~~{said}~~" if high < 0 else said


def _verdict(found: Evaluation, mine: str) -> str:
    said = []
    for other in EXPECTED:
        if other in found.methods:
            ahead = found.difference(mine, other, "aopc")
            word = "confirmed" if ahead.low > 0 else "refuted" if ahead.high < 0 else "left open"
            apart = found.difference(mine, other, "separation")
            said.append(
                f"ahead of {other} in AOPC: {word} ({shown(ahead)}, {ahead.n:,} texts); in separation {_side(apart)} "
                f"({shown(apart)})"
            )
    for other in SLOW:
        if other in found.methods:
            share = found.facts[mine]["ms"] / found.facts[other]["ms"]
            word = "confirmed" if share < 0.2 else "refuted"
            ahead = found.difference(mine, other, "aopc")
            apart = found.difference(mine, other, "separation")
            said.append(
                f"a fraction of the cost of {other}: {word} ({share:.1%} of its time); in AOPC {_side(ahead)} "
                f"({shown(ahead)}), "
                f"in separation {_side(apart)} ({shown(apart)})"
            )
    return f"For the LSTM ({mine}), one by one:\n\n" + "\n".join(f"- {each}" for each in said)


def _side(ahead: Interval) -> str:
    return "ahead" if ahead.low > 0 else "behind" if ahead.high < 0 else "level"


def _model(name: str, found: Evaluation) -> str:
    lines = [f"## {name}"]
    groups = found.groups()
    for level, group in enumerate(groups):
        names = group.methods
        if any(each in names for each in COSTLY[2:]):
            what = "All methods"
        elif any(":" in each for each in names):
            names = [each for each in names if each.split(":")[0] == DEFAULT or each in ("gradient × input", "random")]
            what = "The gate rules"
        else:
            what = "All presets and gradients" if level else "The main methods"
        part = group.paired(names)
        others = [each for each in part.columns if each not in MAIN]
        lines += [f"### {what}: {part.caption()}", markdown(part, columns=MAIN, facts=True).strip()]
        lines += ["Further measures:", markdown(part, columns=others, facts=False, first=MAIN[0]).strip()]
    lines += [f"![Deletion curves of {name}](faithfulness_{name}.svg)"]
    if len(groups) > 1:
        lines += [f"![Deletion curves of {name}, with the costly methods](faithfulness_{name}_costly.svg)"]
    same = [each for each, why in found.skipped.items() if why.startswith("the same as")]
    if same:
        lines.append(f"Left out, because they give the same explanations as another rule on this model: {', '.join(same)}.")
    others = [f"{each} ({why})" for each, why in found.skipped.items() if each not in same]
    if others:
        lines.append(f"Left out: {'; '.join(others)}.")
    return "\n\n".join(lines)


def _limits(test: Mapping[str, Evaluation]) -> str:
    first = next(iter(test.values())).settings
    limits, options = first["limits"], first["options"]
    return "\n\n".join(
        [
            "## Limits",
            _explained(test) + f"LIME with {options['LIME']['samples']} samples, SHAP with {options['SHAP']['rounds']} "
            f"permutation and its "
            "reverse, integrated gradients with 50 steps, SmoothGrad with 25 samples; every table compares "
            "methods on the same texts "
            f"alone. Random sets are drawn for {limits['probes']} texts, stability and randomisation are measured on "
            f"{limits['stability']} (costly methods: a quarter). Deletion asks the network about texts nobody would write; "
            "that is why *leave out*, *zero* and random sets stand side by side. Separation and AOPC are measured by deletion, "
            "as occlusion, LIME and SHAP explain by deletion: they are judged on their own ground. The lexicon "
            "(`scripts/sentiment_lexicon.csv`, some 160 words) was written by hand before the study; it knows no context, so "
            "agreement with it says how plausible an explanation looks, not how true it is. No rationales marked "
            "by people were "
            "at hand.",
        ]
    )


def _explained(test: Mapping[str, Evaluation]) -> str:
    fewer = {name: most for name, each in test.items() if (most := each.settings["limits"]["costly"]) < each.settings["texts"]}
    if not fewer:
        return "Every method explains every text: "
    counts = ", ".join(f"{name} {most:,}" for name, most in fewer.items())
    return f"Methods that ask the network many times explain the first texts of the sample alone ({counts}): "
