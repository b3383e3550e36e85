"""Review data sets: IMDB, the bundled reviews, and a person's own files."""

from __future__ import annotations

from textlrp.text.sources.load import SourceInfo, list_sources, load_reviews
from textlrp.text.sources.splits import train_validation

__all__ = ["SourceInfo", "list_sources", "load_reviews", "train_validation"]
