"""Texts that say the same in other words, letters or spaces, token for token; and how much of an explanation stays."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from textlrp.encoding import Reading, read
from textlrp.errors import RelevanceError
from textlrp.text.tokens import Token, normal_form
from textlrp.text.vocabulary import Vocabulary

__all__ = ["KINDS", "Neighbours", "replaced", "variants"]

#: The kinds of noise; every one keeps the number and order of tokens, so that explanations can be compared token by token.
KINDS = {
    "surface": "all capitals, two spaces for one, curly apostrophes and quotation marks",
    "contractions": "contractions written out: n't not, 's is (after it, he, she, that, what, there…), 're are, 'll will…",
    "neighbours": "one word in ten replaced by its nearest neighbour (cosine ≥ 0.5) among the network's own word vectors",
}
NEAR = 0.5  # least cosine of a neighbour
SHARE = 0.1  # words that are replaced by a neighbour

_WRITTEN_OUT = {"n't": "not", "'re": "are", "'ve": "have", "'ll": "will", "'m": "am", "ca": "can", "wo": "will", "sha": "shall"}
_BEFORE_IS = frozenset(("it", "he", "she", "that", "there", "here", "what", "who", "where", "how"))


class Neighbours:
    """The nearest other word of each word, by the cosine of a network's own vectors; tags, numbers and marks are no words."""

    def __init__(self, module: nn.Module, vocabulary: Vocabulary) -> None:
        tables = [each for each in module.modules() if isinstance(each, nn.Embedding)]
        if not tables or tables[0].num_embeddings < len(vocabulary):
            raise RelevanceError("the module has no nn.Embedding with a vector for each word, so words have no neighbours")
        vectors = tables[0].weight.detach().float()[: len(vocabulary)].clone()
        self._words = vocabulary.words
        plain = [word.isalpha() for word in self._words]
        vectors[[i for i, each in enumerate(plain) if not each]] = 0.0
        self._vectors: Tensor = nn.functional.normalize(vectors, dim=1)
        self._known: dict[int, str | None] = {}

    def of(self, number: int) -> str | None:
        """Return the neighbour of the word with this number, None where there is none that is near."""
        if number not in self._known:
            likeness = self._vectors @ self._vectors[number]
            likeness[number] = -1.0
            best = int(likeness.argmax())
            self._known[number] = self._words[best] if float(likeness[best]) >= NEAR else None
        return self._known[number]


def variants(
    reading: Reading, vocabulary: Vocabulary, neighbours: Neighbours | None, generator: np.random.Generator
) -> dict[str, Reading]:
    """Return the variants of a text by kind; a kind that would change nothing, or the number of tokens, is left out."""
    found: dict[str, Reading] = {}
    surface = read(_surface(reading.text[: reading.read_to]), vocabulary)
    if len(surface.ids) == len(reading.ids):
        found["surface"] = surface
    out = _contractions(reading)
    if out:
        found["contractions"] = replaced(reading, out, vocabulary)
    if neighbours is not None:
        wanted = max(1, round(SHARE * len(reading.ids)))
        near: dict[int, str] = {}
        for place in generator.permutation(len(reading.ids)).tolist():
            word = neighbours.of(int(reading.ids[place])) if reading.ids[place] > 1 else None
            if word is not None:
                near[place] = word
            if len(near) == wanted:
                break
        if near:
            found["neighbours"] = replaced(reading, near, vocabulary)
    return found


def replaced(reading: Reading, words: dict[int, str], vocabulary: Vocabulary) -> Reading:
    """Return the reading with other words at some places; a word that was glued to the one before it gets a space.

    >>> from textlrp.text.vocabulary import Vocabulary
    >>> vocabulary = Vocabulary(["do", "n't", "not", "go"])
    >>> replaced(read("I don't go", vocabulary), {2: "not"}, vocabulary).text
    'I do not go'
    """
    text, end, tokens = "", 0, []
    for place, token in enumerate(reading.tokens):
        gap = reading.text[end : token.start]
        word = words.get(place, token.text)
        changed = place in words or place - 1 in words
        if changed and not gap and text[-1:].isalnum() and word[:1].isalnum():
            gap = " "
        text += gap
        tokens.append(Token(word, len(text), len(text) + len(word)))
        text, end = text + word, token.end
    ids = np.asarray(vocabulary.encode([normal_form(each.text) for each in tokens]), dtype=np.int64)
    return Reading(text, tuple(tokens), ids, len(text))


def _surface(text: str) -> str:
    raised = "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in text)
    return raised.replace("'", "’").replace(' "', " “").replace(" ", "  ")


def _contractions(reading: Reading) -> dict[int, str]:
    forms = [normal_form(token.text) for token in reading.tokens]
    found = {}
    for place, form in enumerate(forms):
        after = forms[place + 1] if place + 1 < len(forms) else ""
        before = forms[place - 1] if place else ""
        if form == "'s" and before in _BEFORE_IS:
            found[place] = "is"
        elif form in ("ca", "wo", "sha"):
            if after == "n't":
                found[place] = _WRITTEN_OUT[form]
        elif form in _WRITTEN_OUT:
            found[place] = _WRITTEN_OUT[form]
    return found
