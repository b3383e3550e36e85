"""Measure how faithful explanations of the bundled models are on IMDB, and write reports/faithfulness.md with its figures.

    python scripts/study_faithfulness.py                 # validation, others, test and report; resumes where it stopped
    python scripts/study_faithfulness.py --only report   # the report alone, from what is measured so far
    python scripts/study_faithfulness.py --only table    # print the README's table of methods, from reports/faithfulness.json

The default rule is chosen on validation texts, before and apart from the test, and tried again on other validation texts and,
with --also NAME=DIR, on other networks. What is done is kept in --state: each (method,
measure, chunk of texts) is written whole or not at all, so the program may be stopped at any time and called again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from study_faithfulness_choice import WANTED, chosen
from study_faithfulness_text import readme_table, report

from textlrp.classifier import TextClassifier, load
from textlrp.encoding import read
from textlrp.faithfulness import Evaluation, Sample, draw, evaluate_sample, known_methods, make_sample
from textlrp.faithfulness.state import weights_digest
from textlrp.files import write_json, write_text
from textlrp.memory import keep_freed_memory
from textlrp.progress import shown
from textlrp.text.sources import load_reviews

ROOT = Path(__file__).resolve().parents[1]
MODELS = ("imdb-dense", "imdb-lstm", "imdb-gru", "imdb-cnn")
LEXICON = ROOT / "scripts" / "sentiment_lexicon.csv"
SEED = 0
VALIDATION: dict[str, Any] = {"limit": 80, "methods": ["gates"], "measures": ["deletion"], "seeds": 1}
OTHERS: dict[str, Any] = {
    "limit": 200,
    "methods": [each.removeprefix("LRP ") for each in WANTED],
    "measures": ["deletion"],
    "seeds": 1,
}
GATED = ["epsilon:prop", "epsilon:abs", "epsilon:half", "epsilon:zero"]
TEST: dict[str, Any] = {
    "limit": 2000,
    "methods": ["lrp", *GATED, "baselines"],
    "measures": ["deletion", "zero vector", "sensitivity-n", "infidelity", "stability", "randomisation", "lexicon", "cost"],
    "limits": {"costly": 2000, "probes": 2000, "zero vector": 2000, "stability": 16, "randomisation": 16, "tokens": 3000},
    "options": {"LIME": {"samples": 500}, "SHAP": {"rounds": 1}},
    "seeds": 3,
}


def drawn(classifier: TextClassifier, name: str, data: str, limit: int, state: Path, *, other: bool = False) -> Sample:
    """Draw the sample once; afterwards its rows are kept, so that resuming costs one prediction of each text.

    `other` leaves out what every bundled model's sample for the choice of the default holds.
    """
    kind = "-other" if other else ""
    kept = state / f"sample-{name}-{data.replace(':', '-')}-{limit}{kind}-{weights_digest(classifier.module)}.json"
    reviews = load_reviews(data)
    if kept.exists():
        numbers = np.array(json.loads(kept.read_text())["rows"])
        labels = np.asarray(reviews["label"][:])[numbers]
        most = classifier.config_.max_tokens
        readings = [read(reviews[int(i)]["text"], classifier.vocabulary, max_tokens=most) for i in numbers]
        return make_sample(classifier.module, readings, labels, numbers=numbers)
    seen = {
        row
        for model in (MODELS if other else ())
        for row in drawn(load(model), model, data, VALIDATION["limit"], state).numbers.tolist()
    }
    rows = np.array([row for row in range(len(reviews)) if row not in seen])
    texts, labels = reviews["text"][:], np.asarray(reviews["label"][:])
    sample = draw(classifier, [texts[row] for row in rows], labels[rows].tolist(), limit=limit, seed=SEED)
    state.mkdir(parents=True, exist_ok=True)
    write_json(kept, {"rows": rows[sample.numbers].tolist()})
    return drawn(classifier, name, data, limit, state, other=other)


def measured(
    name: str, data: str, plan: dict[str, Any], state: Path, first: int, folder: str | None = None, *, other: bool = False
) -> Evaluation:
    """Measure one model on one data set, or read what was measured; the `first` texts of the sample, if it holds more."""
    classifier = load(folder or name)
    how = {key: value for key, value in plan.items() if key != "limit"}
    every = [*known_methods(), *(f"random {seed}" for seed in range(plan["seeds"]))]
    how["limit_of"] = dict.fromkeys(every, first)
    sample = drawn(classifier, name, data, plan["limit"], state, other=other)
    return evaluate_sample(classifier, sample, state=state, seed=SEED, lexicon=LEXICON, **how)


def rounded(value: Any) -> Any:
    """Return the figures with five significant digits."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list) else value


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("validation", "others", "test", "report", "table"), help="one stage")
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--also", nargs="+", default=[], metavar="NAME=DIR", help="other networks to try the rules on")
    parser.add_argument("--first", type=int, default=TEST["limit"], help="only so many texts of each sample")
    parser.add_argument("--fewer", nargs="+", default=[], metavar="MODEL=N", help="only so many texts of this model's sample")
    parser.add_argument("--state", type=Path, default=ROOT / ".cache" / "faithfulness", help="where what is done is kept")
    parser.add_argument("--out", type=Path, default=ROOT / "reports")
    options = parser.parse_args()
    keep_freed_memory()
    if options.only == "table":
        print(readme_table(json.loads((options.out / "faithfulness.json").read_text("utf-8"))["test"]["imdb-lstm"][-1]), end="")
        return
    found: dict[str, dict[str, Evaluation]] = {"validation": {}, "test": {}}
    few = {name: int(number) for name, _, number in (each.partition("=") for each in options.fewer)}
    stages = [("validation", "imdb:validation", VALIDATION), ("test", "imdb:test", TEST)]
    with shown():
        for stage, data, plan in stages:
            if options.only in (None, stage, "report"):
                for name in options.models:
                    found[stage][name] = measured(name, data, plan, options.state, few.get(name, options.first))
                    print(f"{stage} {name}: {len(found[stage][name].methods)} methods", flush=True)
        others: dict[str, str | None] = {name: None for name in options.models if name in ("imdb-lstm", "imdb-gru")}
        others |= {name: folder for name, _, folder in (each.partition("=") for each in options.also)}
        again: dict[str, Evaluation] = {}
        if options.only in (None, "others", "report"):
            for name, folder in others.items():
                again[name] = measured(name, "imdb:validation", OTHERS, options.state, options.first, folder, other=True)
                print(f"others {name}: {chosen(again[name])}", flush=True)
    if options.only in (None, "report"):
        for name, evaluation in found["test"].items():
            best = ["LRP epsilon", "LRP gamma", "LRP z-plus", "gradient", "gradient × input", "class activation", "random"]
            evaluation.plot(
                options.out / f"faithfulness_{name}.svg", methods=[each for each in best if each in evaluation.methods]
            )
            every = evaluation.paired(evaluation.methods)
            wanted = [
                "LRP epsilon",
                "gradient × input",
                "integrated gradients",
                "smoothgrad",
                "occlusion",
                "LIME",
                "SHAP",
                "random",
            ]
            every.plot(
                options.out / f"faithfulness_{name}_costly.svg", methods=[each for each in wanted if each in every.methods]
            )
        figures = {
            "validation": {name: each.to_dict() for name, each in found["validation"].items()},
            "others": {name: each.to_dict() for name, each in again.items()},
            "chosen": {name: chosen(each).removeprefix("LRP ") for name, each in found["validation"].items()},
            "test": {name: [group.to_dict() for group in each.groups()] for name, each in found["test"].items()},
        }
        write_json(options.out / "faithfulness.json", rounded(figures), indent=None)
        write_text(options.out / "faithfulness.md", report(found["validation"], again, found["test"]))


if __name__ == "__main__":
    main()
