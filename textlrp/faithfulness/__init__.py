"""Are the explanations right? Methods compared by word deletion and the other published measures, on a person's own model.

>>> import textlrp
>>> from textlrp import faithfulness
>>> reviews = textlrp.load_reviews("bundled")
>>> found = faithfulness.evaluate(
...     textlrp.load("imdb-dense"), reviews["text"][:30], reviews["label"][:30], methods=["epsilon"], measures=["deletion"]
... )
>>> sorted(found.methods)
['LRP epsilon', 'random']
"""

from __future__ import annotations

from textlrp.faithfulness.agreement import Rationale, read_lexicon, read_rationales
from textlrp.faithfulness.batch import Batch, Method, explain
from textlrp.faithfulness.choose import Recommendation, recommend
from textlrp.faithfulness.columns import COLUMNS
from textlrp.faithfulness.deletion import BINS
from textlrp.faithfulness.measures import MEASURES
from textlrp.faithfulness.methods import GROUPS, known_methods, lrp_method, register
from textlrp.faithfulness.record import Evaluation, Randomisation
from textlrp.faithfulness.run import DEFAULT_LIMITS, evaluate, evaluate_sample
from textlrp.faithfulness.sample import Sample, draw, make_sample

__all__ = [
    "BINS",
    "COLUMNS",
    "DEFAULT_LIMITS",
    "GROUPS",
    "MEASURES",
    "Batch",
    "Evaluation",
    "Method",
    "Randomisation",
    "Rationale",
    "Recommendation",
    "Sample",
    "draw",
    "evaluate",
    "evaluate_sample",
    "explain",
    "known_methods",
    "lrp_method",
    "make_sample",
    "read_lexicon",
    "read_rationales",
    "recommend",
    "register",
]
