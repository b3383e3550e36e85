"""Documents of many classes after Arras 2017: the words of each class, and vectors that relevance makes of documents."""

from textlrp.documents.neighbours import Neighbours, neighbours
from textlrp.documents.plot import plot
from textlrp.documents.report import TopicsReport, report_topics
from textlrp.documents.targets import TargetsCompared, compare_targets
from textlrp.documents.vectors import WEIGHTINGS, document_vectors
from textlrp.documents.words import class_words

__all__ = [
    "WEIGHTINGS",
    "Neighbours",
    "TargetsCompared",
    "TopicsReport",
    "class_words",
    "compare_targets",
    "document_vectors",
    "neighbours",
    "plot",
    "report_topics",
]
