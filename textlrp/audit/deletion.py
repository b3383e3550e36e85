"""What deleting words everywhere does to predictions, measured by the network itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from textlrp.audit.record import Effect
from textlrp.progress import shown, track
from textlrp.text.tokens import words as words_of

if TYPE_CHECKING:
    from textlrp.classifier import TextClassifier

__all__ = ["deletion_effects", "insertion_effects"]

WINDOW = 512  # texts whose variants are predicted together


def deletion_effects(
    classifier: TextClassifier,
    texts: Sequence[str],
    labels: Sequence[int],
    groups: Mapping[str, frozenset[str]],
    *,
    most_texts: int = 2000,
) -> dict[str, Effect]:
    """Delete each group of words from all texts that hold one of them, and see what becomes of the predictions.

    Of more than about `most_texts` texts that hold a group's words, every second, third, … is measured. Words are normal forms.
    """
    member: dict[str, list[int]] = {}
    for number, group in enumerate(groups.values()):
        for word in group:
            member.setdefault(word, []).append(number)
    every = _steps(texts, member, len(groups), most_texts)
    sums = np.zeros((len(groups), 5))  # texts, measured, flipped, right before, right after
    most = classifier.config_.max_tokens
    for begin in track(range(0, len(texts), WINDOW), "deleting words"):
        plain, variants, owners = [], [], []
        for i in range(begin, min(begin + WINDOW, len(texts))):
            found = words_of(texts[i])
            held = sorted({number for word in set(found) for number in member.get(word, ())})
            chosen = [number for number in held if int(sums[number, 0]) % every[number] == 0]
            for number in held:
                sums[number, 0] += 1
            if not chosen:
                continue
            plain.append(found[:most])
            for number in chosen:
                variants.append([word for word in found if number not in member.get(word, ())][:most])
                owners.append((len(plain) - 1, number, int(labels[i])))
        if not plain:
            continue
        winners = _winners(classifier, plain + variants)
        for k, (row, number, label) in enumerate(owners):
            before, after = winners[row], winners[len(plain) + k]
            sums[number, 1:] += (1, before != after, before == label, after == label)
    return {name: _effect(row) for name, row in zip(groups, sums, strict=True)}


def _steps(texts: Sequence[str], member: Mapping[str, list[int]], count: int, most: int) -> list[int]:
    """Of how many texts that hold a group one is measured: 1 where there are few."""
    held = np.zeros(count, dtype=np.int64)
    for text in texts:
        held[list({number for word in set(words_of(text)) for number in member.get(word, ())})] += 1
    return [max(1, -(-int(each) // most)) for each in held]


def _effect(row: np.ndarray) -> Effect:
    texts, measured, flipped, before, after = row.tolist()
    n = max(measured, 1.0)
    return Effect(int(texts), int(measured), flipped / n, before / n, after / n)


def insertion_effects(
    classifier: TextClassifier, texts: Sequence[str], words: Mapping[str, int], *, most_texts: int = 300
) -> dict[str, float]:
    """Put each word at the end of texts that are not predicted as its class (an index), and return the share that then are."""
    if not words:
        return {}
    count = min(len(texts), most_texts)
    plain = [words_of(texts[i * len(texts) // count])[: classifier.config_.max_tokens] for i in range(count)]
    base = _winners(classifier, plain)
    shares = {}
    for word, number in words.items():
        others = [row for row, winner in zip(plain, base, strict=True) if winner != number]
        limit = None if classifier.config_.max_tokens is None else classifier.config_.max_tokens - 1
        turned = _winners(classifier, [[*row[:limit], word] for row in others]) if others else np.zeros(0)
        shares[word] = float((turned == number).mean()) if others else 0.0
    return shares


def _winners(classifier: TextClassifier, rows: Sequence[Sequence[str]]) -> np.ndarray:
    """The predicted class of texts that are given as words, [n]."""
    from textlrp.models.batches import Encoded, predict_logits

    encoded = Encoded.of(classifier.vocabulary.encode(row) for row in rows)
    with shown(False):
        return predict_logits(classifier.module, encoded).argmax(axis=1)
