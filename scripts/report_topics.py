"""Write reports/topics.md and topics.png: a classifier of documents on ten subjects, explained after Arras et al. 2017.

python scripts/topics_data.py --out build/topics
textlrp train --data build/topics --arch dense --embeddings VECTORS --out build/topics-dense   # and the other architectures
python scripts/report_topics.py --data build/topics:test dense=build/topics-dense cnn=build/topics-cnn
"""

from __future__ import annotations

import argparse
import platform
import sys
from pathlib import Path
from typing import Any

import torch

import textlrp
from textlrp import lrp
from textlrp.documents import WEIGHTINGS, Neighbours, TopicsReport, document_vectors, neighbours, report_topics
from textlrp.files import write_bytes, write_text
from textlrp.progress import shown

HEAD = """# Documents of ten subjects

The protocol of Arras et al. (“What is relevant in a text document?”, PLoS ONE 2017) on documents that every installation has:
the prose of the documentation of scipy, networkx, scikit-image, scikit-learn, pandas, matplotlib, numpy and mpmath, whose
package is their subject (`scripts/topics_data.py`; {count:,} test documents, names of packages and examples left out, methods
of one class in one part). Each document is explained for the class it is *predicted* to be of; labels only count what is right.

Made by:

```
{commands}
```

{versions}
"""


def main() -> None:
    """Explain each model, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--data", default="build/topics:test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("reports"))
    options = parser.parse_args()
    reports: dict[str, TopicsReport] = {}
    rules: dict[str, dict[str, Neighbours]] = {}
    for each in options.models:
        name, _, folder = each.partition("=")
        classifier = textlrp.load(folder)
        data = textlrp.load_reviews(options.data, classes=list(classifier.classes_))
        with shown():
            reports[name] = report_topics(classifier, data["text"], data["label"], seed=options.seed)
            rules[name] = {rule: power(classifier, data, rule, options.seed) for rule in lrp.PRESETS}
    best = max(reports, key=lambda name: max(each.power for each in reports[name].neighbours.values()))
    write_bytes(options.out / "topics.png", reports[best].plot())
    first = next(iter(reports.values()))
    commands = [
        "python scripts/topics_data.py --out build/topics",
        *(
            f"textlrp train --data build/topics --arch {name} --embeddings glove.imdb.100d.txt.gz --out build/topics-{name}"
            for name in reports
        ),
        " ".join(["python", *sys.argv]),
    ]
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, seed {options.seed}."
    parts = [HEAD.format(count=len(first.labels), commands="\n".join(commands), versions=versions)]
    parts += [
        neighbours_part(reports, best),
        rules_part(rules),
        targets_part(reports),
        *(words_part(name, reports[name]) for name in reports),
    ]
    write_text(options.out / "topics.md", "\n".join(parts))
    print(f"written: {options.out / 'topics.md'}, {options.out / 'topics.png'}")


def neighbours_part(reports: dict[str, TopicsReport], best: str) -> str:
    """Tell how well vectors of documents tell their subjects."""
    lines = ["## Vectors of documents", ""]
    lines += [f"* *{name}*: {about}" for name, about in WEIGHTINGS.items()]
    lines += [
        "",
        "Accuracy of the k nearest neighbours among half of the documents, at the best k (the explanatory power index), mean ±",
        "standard deviation over ten random splits; beside it the accuracy of the network itself.",
        "",
        "| model | network | " + " | ".join(WEIGHTINGS) + " |",
        "| --- | --- | " + " | ".join("---" for _ in WEIGHTINGS) + " |",
    ]
    for name, report in reports.items():
        cells = []
        for way in WEIGHTINGS:
            found = report.neighbours.get(way)
            if found is None:
                cells.append("(reads n-grams)")
            else:
                cells.append(f"{100 * found.power:.1f} ± {100 * found.deviation[found.best]:.1f} (k={found.k[found.best]})")
        lines.append(f"| {name} | {100 * report.accuracy:.1f} | " + " | ".join(cells) + " |")
    lines += ["", f"![Documents as points, by how their vectors are made; network: {best}](topics.png)", ""]
    return "\n".join(lines)


def power(classifier: textlrp.TextClassifier, data: Any, rule: str, seed: int) -> Neighbours:
    """Return how well the neighbours of relevance vectors tell subjects, if documents are explained by `rule`."""
    return neighbours(document_vectors(classifier, data["text"], rule=rule), data["label"], seed=seed)


def rules_part(rules: dict[str, dict[str, Neighbours]]) -> str:
    """Tell what the rule does to the vectors."""
    names = list(next(iter(rules.values())))
    lines = [
        "The same for *relevance* under each rule:",
        "",
        "| model | " + " | ".join(names) + " |",
        "| --- | " + " | ".join("---" for _ in names) + " |",
    ]
    for model, found in rules.items():
        cells = " | ".join(f"{100 * each.power:.1f} ± {100 * each.deviation[each.best]:.1f}" for each in found.values())
        lines.append(f"| {model} | {cells} |")
    return "\n".join([*lines, ""])


def targets_part(reports: dict[str, TopicsReport]) -> str:
    """Tell which target finds what decides."""
    shares = next(iter(reports.values())).targets.shares
    lines = [
        "## The score of a class, or its margin over the next",
        "",
        "The share of documents, in percent, whose predicted class stays when the most relevant words for a target are deleted",
        "(lower is better). *predicted* explains the score of the predicted class, *winner* its margin over the next class.",
        "",
        "| model | target | " + " | ".join(f"{share:.0%} deleted" for share in shares) + " | mean |",
        "| --- | --- | " + " | ".join("---" for _ in shares) + " | --- |",
    ]
    for name, report in reports.items():
        for target, kept in report.targets.kept.items():
            cells = " | ".join(f"{100 * each:.1f}" for each in kept)
            lines.append(f"| {name} | {target} | {cells} | {100 * report.targets.mean(target):.1f} |")
    lines.append("")
    lines += [f"* {name}: {report.targets.in_words()}" for name, report in reports.items()]
    return "\n".join([*lines, ""])


def words_part(name: str, report: TopicsReport) -> str:
    """List the words of each class."""
    lines = [
        f"## The words of each class: {name}",
        "",
        "By mean relevance for the predicted class; only words in 1 of 33 of its documents.",
        "",
    ]
    lines += ["| class | documents | words |", "| --- | --- | --- |"]
    for subject, ranking in report.words.items():
        words = ", ".join(f"`{each.word.replace('|', '&#124;')}`" for each in ranking.top(12).positive)
        lines.append(f"| {subject} | {ranking.counted} | {words} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
