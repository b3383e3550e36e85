"""What an audit finds, as plain records."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Audit", "Cluster", "Duplicates", "Effect", "Finding", "KindEffect"]


@dataclass(frozen=True)
class Effect:
    """What deleting words everywhere does, measured on `measured` of the `texts` that hold them.

    `flipped` is the share of the measured texts whose prediction changes, `flips` that number for all such texts; `before` and
    `after` are the accuracy on the measured texts. `inserted` is the share of texts without the word that come to be predicted
    as the class it speaks for when it is put at their end (None: not tried).
    """

    texts: int
    measured: int
    flipped: float
    before: float
    after: float
    inserted: float | None = None

    @property
    def flips(self) -> int:
        """How many predictions change when the words are deleted everywhere, from the share that was measured."""
        return round(self.flipped * self.texts)


@dataclass(frozen=True)
class Finding:
    """A word that carries decisions: for which class, how strongly, and what speaks against its right to do so.

    `relevance` is its mean in a text that holds it, in the unit of the score. `source` is "held-out" or "training": where it
    was found. `p` is from the test named `test`, `adjusted` corrected for all tests (Holm). An `alarm` has `adjusted` at most
    the level. `evidence` says it in words. Where there was nothing to test, `test` is empty and `p` is 1.
    """

    word: str
    kind: str
    speaks_for: str
    relevance: float
    texts: int
    source: str
    test: str
    p: float
    adjusted: float
    alarm: bool
    evidence: str
    effect: Effect | None = None


@dataclass(frozen=True)
class KindEffect:
    """What deleting all words of a kind (names, numbers, ratings, markup) does."""

    kind: str
    words: int
    relevance_share: float
    effect: Effect
    strongest: tuple[str, ...]


@dataclass(frozen=True)
class Duplicates:
    """Texts that say the same words: how many are copies of an earlier one, how many of these have another label, how many
    stand in the training texts, and the accuracy without copies (None: no text would be left).
    """

    copies: int
    conflicting: int
    in_training: int | None
    accuracy: float
    accuracy_without: float | None


@dataclass(frozen=True)
class Cluster:
    """Explanations that look alike: their number, how often they are right, the classes predicted, their words, examples."""

    size: int
    accuracy: float
    predictions: dict[str, int]
    words: tuple[tuple[str, float], ...]
    examples: tuple[int, ...]


@dataclass(frozen=True)
class Audit:
    """What was found: `alarms` first, then the `watch` list of words that were tested and passed, or could not be tested."""

    alarms: tuple[Finding, ...]
    watch: tuple[Finding, ...]
    kinds: tuple[KindEffect, ...]
    duplicates: Duplicates
    clusters: tuple[Cluster, ...]
    tests: int
    level: float
    texts: int
    training: int | None

    def to_dict(self) -> dict[str, Any]:
        """Give the audit as lists, numbers and strings."""
        return asdict(self)
