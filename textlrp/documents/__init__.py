"""Documents of many classes after Arras 2017: the words of each class, and vectors that relevance makes of documents."""

from textlrp.documents.neighbours import Neighbours, neighbours
from textlrp.documents.vectors import WEIGHTINGS, document_vectors
from textlrp.documents.words import class_words

__all__ = ["WEIGHTINGS", "Neighbours", "class_words", "document_vectors", "neighbours"]
