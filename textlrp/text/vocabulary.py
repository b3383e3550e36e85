"""The vocabulary: which words a model knows, and their numbers."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from textlrp.errors import CheckpointError, InputError
from textlrp.files import write_text
from textlrp.progress import track
from textlrp.strict_json import parse
from textlrp.text.normal import normal_form
from textlrp.text.tokens import words as words_of

__all__ = ["Vocabulary"]

PAD_WORD, UNK_WORD = "<pad>", "<unk>"  # no text has these tokens: "<", "pad" and ">" are three
FORMAT, VERSION = "textlrp vocabulary", 1
MOST_WORDS = 5_000_000
LONGEST_WORD = 200
MOST_BYTES = 512 * 1024**2
MOST_PARTS = 100_000  # "[" and "{" in its file; one of both is not part of a word


class Vocabulary:
    """The words a model knows, each with its number; 0 is padding, 1 stands for every unknown word.

    Words are looked up by their normal form, so "Film" and "film" are one entry. Equal words make equal vocabularies.

    >>> vocabulary = Vocabulary(["film", "good"])
    >>> vocabulary.words, vocabulary["GOOD"], "bad" in vocabulary
    (('<pad>', '<unk>', 'film', 'good'), 3, False)
    >>> vocabulary.encode(["a", "good", "film"])
    array([1, 3, 2])
    """

    PAD = 0
    UNK = 1
    words: tuple[str, ...]

    def __init__(self, words: Iterable[str]) -> None:
        """Take `words` in order, without or with the two fixed entries in front; duplicates and empty words are refused."""
        if isinstance(words, str):
            raise InputError(
                "a vocabulary is made of a list of words, not of one string; split it with textlrp.text.tokens.words"
            )
        entries = list(words)
        if entries[:2] != [PAD_WORD, UNK_WORD]:
            entries = [PAD_WORD, UNK_WORD, *entries]
        if len(entries) > MOST_WORDS + 2:
            raise InputError(f"{len(entries) - 2:,} words are too many for a vocabulary; at most {MOST_WORDS:,}: give max_size")
        table: dict[str, int] = {}
        for number, word in enumerate(entries):
            if not isinstance(word, str) or not word or len(word) > LONGEST_WORD:
                shown = repr(word)[:60]
                raise InputError(
                    f"entry {number} of the vocabulary is {shown}; allowed are words of 1 to {LONGEST_WORD} characters"
                )
            if word in table:
                raise InputError(
                    f"the word {word!r} is in the vocabulary twice, as entries {table[word]} and {number}; drop one"
                )
            table[word] = number
        self.words = tuple(entries)
        self._numbers = table

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], *, min_count: int = 2, max_size: int | None = None) -> Vocabulary:
        """Keep the words seen at least `min_count` times, the most frequent `max_size` of them, most frequent first.

        Words of one count stand in alphabetical order; words of over 200 characters stay unknown.

        >>> Vocabulary.from_counts({"b": 2, "a": 2, "c": 5, "d": 1}).words
        ('<pad>', '<unk>', 'c', 'a', 'b')
        """
        if min_count < 1:
            raise InputError(f"min_count is {min_count}; it must be 1 or more")
        if max_size is not None and max_size < 1:
            raise InputError(f"max_size is {max_size}; it must be 1 or more, or None for no limit")
        kept = [
            (-count, word)
            for word, count in counts.items()
            if count >= min_count and 0 < len(word) <= LONGEST_WORD and word not in (PAD_WORD, UNK_WORD)
        ]
        kept.sort()
        return cls(word for _, word in kept[:max_size])

    @staticmethod
    def count(texts: Iterable[str]) -> Counter[str]:
        """Count the words (normal forms) of `texts`.

        >>> Vocabulary.count(["A film, a film!"]).most_common(2)
        [('a', 2), ('film', 2)]
        """
        counts: Counter[str] = Counter()
        for text in track(texts, "counting words"):
            counts.update(words_of(text))
        return counts

    def encode(self, words: Iterable[str]) -> np.ndarray:  # [n] int64
        """Return the numbers of `words` (normal forms, or as written), 1 for an unknown word; int64 [n]."""
        if isinstance(words, str):
            raise InputError("encode takes a list of words, not a string; split it with textlrp.text.tokens.words first")
        number, rare = self._numbers.get, self._number
        return np.array([found if (found := number(word)) else rare(word) for word in words], dtype=np.int64)

    def known(self, words: Iterable[str]) -> tuple[bool, ...]:
        """Say of each word whether it is in the vocabulary.

        >>> Vocabulary(["film"]).known(["Film", "flim"])
        (True, False)
        """
        return tuple((self.encode(words) > self.UNK).tolist())

    def _number(self, word: str) -> int:
        number = self._numbers.get(word)
        return self._numbers.get(normal_form(word), self.UNK) if number is None else number

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and (word in self._numbers or normal_form(word) in self._numbers)

    def __getitem__(self, word: str) -> int:
        """Return the number of `word`, 1 if it is unknown."""
        return self._number(word)

    def __eq__(self, other: object) -> bool:
        return self.words == other.words if isinstance(other, Vocabulary) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.words)

    def __repr__(self) -> str:
        return f"Vocabulary of {len(self) - 2:,} words"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the vocabulary as one JSON file, whole or not at all."""
        value = {"format": FORMAT, "version": VERSION, "words": self.words}
        write_text(path, json.dumps(value, ensure_ascii=True, indent=0) + "\n")  # ASCII: lone surrogates come back as they were

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Vocabulary:
        """Read what `save` wrote; raises CheckpointError where the file is missing, damaged or something else."""
        where = repr(str(path))
        try:
            if Path(path).exists() and not Path(path).is_file():
                raise CheckpointError(f"{where} cannot be read: it is not an ordinary file; give the file of a vocabulary")
            if Path(path).stat().st_size > MOST_BYTES:
                raise CheckpointError(
                    f"{where} is over {MOST_BYTES // 1024**2} MiB, too large for a vocabulary; is it the right file?"
                )
            value = parse(Path(path).read_bytes(), most_parts=MOST_PARTS)
        except FileNotFoundError:
            raise CheckpointError(
                f"the vocabulary {where} is missing; save the model again, or copy the whole folder"
            ) from None
        except OSError as error:
            raise CheckpointError(f"the vocabulary {where} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise CheckpointError(f"the vocabulary {where} is damaged, it is not JSON in UTF-8: {str(error)[:200]}") from error
        return cls._from_json(value, where)

    @classmethod
    def _from_json(cls, value: Any, where: str) -> Vocabulary:
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise CheckpointError(f'{where} is no vocabulary of textlrp: it lacks "format": "{FORMAT}"')
        version = value.get("version")
        if type(version) is not int or version != VERSION:
            raise CheckpointError(
                f"{where} has version {str(version)[:20]}; this textlrp reads version {VERSION}: upgrade textlrp"
            )
        extra = sorted(set(value) - {"format", "version", "words"})
        if extra:
            raise CheckpointError(f"{where} has an unknown field {extra[0][:60]!r}; allowed are format, version, words")
        entries = value.get("words")
        if not isinstance(entries, list) or entries[:2] != [PAD_WORD, UNK_WORD]:
            raise CheckpointError(f"the words of {where} must be a list that begins with {PAD_WORD!r}, {UNK_WORD!r}")
        try:
            return cls(entries)
        except InputError as error:
            raise CheckpointError(f"{where} is damaged: {error}") from error
