"""What a table of methods has as columns, and each column's value for each text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from textlrp.errors import unknown_name
from textlrp.faithfulness.sample import Sample
from textlrp.models.batches import probabilities

__all__ = ["COLUMNS", "CURVES", "Column", "check_columns", "curves", "deletion_values"]


@dataclass(frozen=True)
class Column:
    """A number for each text: its title, whether "high" or "low" is better, and what it is."""

    title: str
    better: str
    description: str

    @property
    def sign(self) -> float:
        """1 where high is better, -1 where low is."""
        return 1.0 if self.better == "high" else -1.0


#: In the order of a table.
COLUMNS: dict[str, Column] = {
    "separation": Column(
        "separation",
        "high",
        "score with only the most relevant words left, minus score without them, mean over the bins; in logits",
    ),
    "aopc": Column("AOPC", "high", "drop of the score as the most relevant words are left out, mean over the bins; in logits"),
    "aopc_least": Column(
        "least first", "low", "drop of the score as all but the most relevant words are left out, mean over the bins; in logits"
    ),
    "accuracy": Column("accuracy", "low", "share of rightly classified texts that stay right, mean over the bins"),
    "recovered": Column("recovered", "high", "share of misclassified texts that become right, mean over the bins"),
    "comprehensiveness": Column("compreh.", "high", "ERASER: drop of the predicted class's probability without those words"),
    "sufficiency": Column("suffic.", "low", "ERASER: drop of the predicted class's probability with those words alone"),
    "zero_aopc": Column("AOPC, zero", "high", "as AOPC, the words' vectors being set to zero instead"),
    "zero_accuracy": Column("accuracy, zero", "low", "as accuracy, with vectors set to zero"),
    "zero_recovered": Column("recovered, zero", "high", "as recovered, with vectors set to zero"),
    "zero_aopc_least": Column("least first, zero", "low", "as least first, with vectors set to zero"),
    "sensitivity": Column("sensitivity-n", "high", "correlation of sums of relevance with drops of the score, random sets"),
    "infidelity": Column("infidelity", "low", "relative squared error of those sums: 0 perfect, 1 as good as no explanation"),
    "infidelity_scaled": Column("infid., scaled", "low", "the same after the best scaling of each text's relevance"),
    "stability": Column("stability", "high", "correlation with the explanation of the text under noise that keeps its meaning"),
    "lexicon_auprc": Column("lexicon AUPRC", "high", "area under precision-recall: words of the lexicon found by relevance"),
    "lexicon_f1": Column("lexicon F1", "high", "F1 of the most relevant words against the lexicon's"),
    "lexicon_pointing": Column("lexicon pointing", "high", "share of texts whose most relevant word is in the lexicon"),
    "lexicon_sign": Column("lexicon sign", "high", "share of the lexicon's words whose relevance has the right sign"),
    "rationale_auprc": Column("rationale AUPRC", "high", "area under precision-recall: words people marked found by relevance"),
    "rationale_f1": Column("rationale F1", "high", "F1 of the most relevant words against those people marked"),
    "rationale_pointing": Column("rationale pointing", "high", "share of texts whose most relevant word was marked"),
    "rationale_sign": Column("rationale sign", "high", "share of marked words whose relevance speaks for the label"),
}

#: The curves over the bins, and what is drawn of them.
CURVES = {
    "deletion": "most relevant words left out",
    "keep": "all but the most relevant words left out",
    "zero": "most relevant words' vectors set to zero",
    "zero keep": "all but the most relevant words' vectors set to zero",
}


def check_columns(names: Sequence[str]) -> list[str]:
    """Return the names, each known and once.

    >>> check_columns(["aopc"])
    ['aopc']
    """
    for name in names:
        if name not in COLUMNS:
            raise unknown_name("column", name, COLUMNS)
    return list(dict.fromkeys(names))


def curves(found: Mapping[str, np.ndarray], sample: Sample) -> dict[str, np.ndarray]:
    """Return, of logits [n,P,C] by curve, three arrays [n,P] each: `… score`, `… probability` (predicted class), `… right`.

    `right` is NaN where the text has no label. The score is the explained one.
    """
    result: dict[str, np.ndarray] = {}
    winners = sample.logits.argmax(axis=1)
    for name, logits in found.items():
        result[f"{name} score"] = (logits.astype(np.float64) * sample.weights[:, None]).sum(axis=2)
        of_class = probabilities(logits)
        result[f"{name} probability"] = np.take_along_axis(of_class, winners[:, None, None], axis=2)[..., 0]
        right = (logits.argmax(axis=2) == sample.labels[:, None]).astype(np.float64)
        right[sample.labels < 0] = (logits.argmax(axis=2) == winners[:, None])[sample.labels < 0]
        result[f"{name} right"] = right
    return result


def deletion_values(drawn: Mapping[str, np.ndarray], sample: Sample) -> dict[str, np.ndarray]:
    """Return each column [n] that follows from the curves of `curves`."""
    score = sample.scores[:, None]
    chance = probabilities(sample.logits).max(axis=1)[:, None]
    wrong = ~sample.right
    found: dict[str, np.ndarray] = {}
    for curve, prefix in (("deletion", ""), ("zero", "zero_")):
        if f"{curve} score" in drawn:
            found[f"{prefix}aopc"] = (score - drawn[f"{curve} score"]).mean(axis=1)
            right = drawn[f"{curve} right"].mean(axis=1)
            found[f"{prefix}accuracy"] = np.where(wrong, np.nan, right)
            found[f"{prefix}recovered"] = np.where(wrong, right, np.nan)
    for curve, prefix in (("keep", ""), ("zero keep", "zero_")):
        if f"{curve} score" in drawn:
            found[f"{prefix}aopc_least"] = (score - drawn[f"{curve} score"]).mean(axis=1)
    if "deletion probability" in drawn:
        found["comprehensiveness"] = (chance - drawn["deletion probability"]).mean(axis=1)
    if "keep probability" in drawn:
        found["sufficiency"] = (chance - drawn["keep probability"]).mean(axis=1)
    if "aopc" in found and "aopc_least" in found:
        found["separation"] = found["aopc"] - found["aopc_least"]
    return found
