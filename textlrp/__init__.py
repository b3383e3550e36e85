"""textlrp: which words made the classifier say that?

The public names are imported when they are first used, so that `import textlrp` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from textlrp import errors, lrp
    from textlrp.classifier import TextClassifier, load
    from textlrp.corpus.run import explain_corpus
    from textlrp.explanation import Explanation
    from textlrp.ranking import rank
    from textlrp.text.sources import load_reviews
    from textlrp.text.tokens import tokenise

_HOME = {
    "Explanation": "textlrp.explanation",
    "TextClassifier": "textlrp.classifier",
    "explain_corpus": "textlrp.corpus.run",
    "load": "textlrp.classifier",
    "load_reviews": "textlrp.text.sources",
    "rank": "textlrp.ranking",
    "tokenise": "textlrp.text.tokens",
}
_MODULES = ("errors", "lrp")

__all__ = ["Explanation", "TextClassifier", "errors", "explain_corpus", "load", "load_reviews", "lrp", "rank", "tokenise"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"textlrp.{name}")
    else:
        raise AttributeError(f"module 'textlrp' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
