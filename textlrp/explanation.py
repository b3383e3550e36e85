"""Explanation: which token carried how much of a score, as a plain record that is written to JSON and read back."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from operator import le, lt
from typing import Any, NamedTuple

import numpy as np

from textlrp.errors import ExplanationError, InputError
from textlrp.text.tokens import Token, normal_form

__all__ = ["Explanation", "Top"]

LARGEST = 1e100  # numbers beyond it could overflow when they, or their squares, are summed
LONGEST_NAME = 1_000  # characters in the name of a class, a target, a rule, …
_SURROGATE = re.compile("[\ud800-\udfff]")


class Top(NamedTuple):
    """The strongest words on both sides, strongest first, each with its relevance."""

    positive: list[tuple[str, float]]
    negative: list[tuple[str, float]]


@dataclass(frozen=True, eq=False)
class Explanation:
    """One text, the tokens that the model read, and the relevance of each for the explained score.

    `relevance` is float64 [len(tokens)] in the unit of the score (a logit or a difference of logits) and cannot be
    written to. `ledger` says where the score went: words, bias, stabiliser, initial_state, padding; its entries sum to
    `score`. `known` (left out: all) is False where the model did not know the token; the model read the text up to the
    character `read_to` (left out: to its end). `target` is a class name, or "positive - negative" for a margin.

    Lengths that disagree, offsets that do not cut the tokens out of the text, tokens that overlap and numbers that are
    not finite raise ExplanationError.

    >>> e = Explanation(
    ...     text="A good film",
    ...     tokens=(Token("A", 0, 1), Token("good", 2, 6), Token("film", 7, 11)),
    ...     relevance=np.array([0.0, 1.5, -0.25]),
    ...     target="positive",
    ...     score=1.5,
    ...     ledger={"words": 1.25, "bias": 0.25},
    ... )
    >>> e.top(1)
    Top(positive=[('good', 1.5)], negative=[('film', -0.25)])
    >>> Explanation.from_json(e.to_json()) == e
    True
    """

    text: str
    tokens: tuple[Token, ...]
    relevance: np.ndarray
    target: str
    score: float
    ledger: dict[str, float]
    prediction: str = ""
    probabilities: dict[str, float] = field(default_factory=dict)
    known: tuple[bool, ...] = ()
    read_to: int = -1
    model: str = ""
    rule: str = ""
    gates: str = ""

    def __post_init__(self) -> None:
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731
        if not isinstance(self.text, str):
            raise ExplanationError(f"the text of an explanation must be a string, not {type(self.text).__name__}")
        put("tokens", _tokens(self.text, self.tokens))
        put("relevance", _relevance(self.relevance, len(self.tokens)))
        put("known", _known(self.known, len(self.tokens)))
        put("read_to", _read_to(self.read_to, self.text, self.tokens))
        for name in ("target", "prediction", "model", "rule", "gates"):
            put(name, _name(name, getattr(self, name)))
        put("score", _number("score", self.score))
        for name in ("ledger", "probabilities"):
            put(name, _numbers(name, getattr(self, name)))
        if not all(-1e-6 <= each <= 1 + 1e-6 for each in self.probabilities.values()):
            raise ExplanationError("a probability of an explanation lies outside 0 to 1")
        if self.probabilities and self.prediction not in self.probabilities:
            raise ExplanationError(f"the prediction {self.prediction!r} is none of the classes {list(self.probabilities)}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Explanation):
            return NotImplemented
        names = (each.name for each in fields(self) if each.name != "relevance")
        return np.array_equal(self.relevance, other.relevance) and all(getattr(self, n) == getattr(other, n) for n in names)

    __hash__ = None  # type: ignore[assignment]

    @property
    def truncated(self) -> bool:
        """Whether the model stopped reading before the end of the text (trailing white space does not count)."""
        return bool(self.text[self.read_to :].strip())

    @property
    def sides(self) -> tuple[str, str]:
        """What positive and negative relevance speak for: ("for A", "against A"), of a margin A - B ("for A", "for B")."""
        if self.target not in self.probabilities:
            for place in re.finditer("(?= - )", self.target):
                one, other = self.target[: place.start()], self.target[place.start() + 3 :]
                if one in self.probabilities and other in self.probabilities:
                    return f"for {one}", f"for {other}"
        return f"for {self.target}", f"against {self.target}"

    def top(self, k: int = 5) -> Top:
        """Give the `k` strongest words for and against the target, strongest first.

        The relevances of a word's occurrences are summed; occurrences are the same word when their normal form is
        ("Good", "good"), and the word is given as it was first written. Words whose sum is exactly 0 are on neither
        side; equal sums keep the order of the text. A `k` that is not a whole number from 0 raises InputError.
        """
        if isinstance(k, bool) or not isinstance(k, int) or k < 0:
            raise InputError(f"top(k) needs a whole number of words from 0, not {k!r}")
        sums: dict[str, float] = {}
        written: dict[str, str] = {}
        for token, relevance in zip(self.tokens, self.relevance.tolist(), strict=True):
            form = normal_form(token.text)
            written.setdefault(form, token.text)
            sums[form] = sums.get(form, 0.0) + relevance
        words = [(written[form], relevance) for form, relevance in sums.items()]
        positive = sorted((each for each in words if each[1] > 0), key=lambda each: -each[1])
        negative = sorted((each for each in words if each[1] < 0), key=lambda each: each[1])
        return Top(positive[:k], negative[:k])

    def to_dict(self) -> dict[str, Any]:
        """Give the explanation as lists, numbers and strings that JSON holds exactly; `from_dict` reads it back."""
        from textlrp.explanation_json import to_dict

        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Explanation:
        """Make the explanation that `to_dict` wrote; anything else raises ExplanationError."""
        from textlrp.explanation_json import from_dict

        return from_dict(data)

    def to_json(self, *, indent: int | None = None) -> str:
        """Give the explanation as JSON in ASCII, so that even a text that is not valid Unicode survives a file."""
        from textlrp.explanation_json import to_json

        return to_json(self, indent=indent)

    @classmethod
    def from_json(cls, data: str | bytes) -> Explanation:
        """Read the explanation that `to_json` wrote; anything else raises ExplanationError."""
        from textlrp.explanation_json import from_json

        return from_json(data)

    def to_html(self, **options: Any) -> str:
        """Give a self-contained HTML page that shows the text with its relevance; see `textlrp.highlight.html.page`."""
        from textlrp.highlight.html import page

        return page([self], **options)

    def to_markdown(self, **options: Any) -> str:
        """Give the text as Markdown, with marks for sign and strength; see `textlrp.highlight.markdown.markdown`."""
        from textlrp.highlight.markdown import markdown

        return markdown(self, **options)

    def to_latex(self, **options: Any) -> str:
        """Give the text as LaTeX, a fragment or a document; see `textlrp.highlight.latex.latex`."""
        from textlrp.highlight.latex import latex

        return latex(self, **options)

    def to_svg(self, **options: Any) -> str:
        """Give a picture of the text as SVG; see `textlrp.highlight.svg.svg`."""
        from textlrp.highlight.svg import svg

        return svg(self, **options)

    def to_png(self, **options: Any) -> bytes:
        """Give a picture of the text as PNG; see `textlrp.highlight.picture.png`."""
        from textlrp.highlight.picture import png

        return png(self, **options)

    def _repr_html_(self) -> str:
        from textlrp.highlight.html import fragment

        return fragment(self)


def _tokens(text: str, tokens: Any) -> tuple[Token, ...]:
    if type(tokens) is tuple and _sound(text, tokens):
        return tokens
    try:
        tokens = tuple(each if type(each) is Token else Token(*each) for each in tokens)
    except TypeError as error:
        raise ExplanationError("the tokens of an explanation must be (text, start, end) each") from error
    end = 0
    for token in tokens:
        if type(token.start) is not int or type(token.end) is not int:
            raise ExplanationError(f"the offsets of {_shown(token)} must be whole numbers")
        if not end <= token.start < token.end <= len(text):
            raise ExplanationError(f"{_shown(token)} is out of order: tokens are sorted, not empty, and do not overlap")
        if text[token.start : token.end] != token.text:
            raise ExplanationError(f"{_shown(token)} is not what the text says there: {text[token.start : token.end][:40]!r}")
        end = token.end
    return tokens


def _sound(text: str, tokens: tuple[Any, ...]) -> bool:
    """Tell quickly whether tokens are all that they have to be; what is not gets its message in `_tokens`."""
    if not tokens or set(map(type, tokens)) != {Token}:
        return False
    texts, starts, ends = zip(*tokens, strict=True)
    if set(map(type, starts)) != {int} or set(map(type, ends)) != {int}:
        return False
    inside = starts[0] >= 0 and ends[-1] <= len(text) and all(map(lt, starts, ends)) and all(map(le, ends, starts[1:]))
    return inside and tuple(map(text.__getitem__, map(slice, starts, ends))) == texts


def _shown(token: Token) -> str:
    return f"the token {str(token.text)[:40]!r} at {token.start!r} to {token.end!r}"


def _relevance(relevance: Any, count: int) -> np.ndarray:
    try:
        array = np.asarray(relevance)
    except (TypeError, ValueError) as error:
        raise ExplanationError("the relevance of an explanation must be a list of numbers") from error
    if array.dtype.kind not in "fiu" and array.size:
        raise ExplanationError("the relevance of an explanation must be a list of numbers")
    if array.shape != (count,):
        raise ExplanationError(f"{count} tokens need {count} relevances, one each, not an array of shape {array.shape}")
    array = array.astype(np.float64)
    if not (np.abs(array) <= LARGEST).all():
        raise ExplanationError("a relevance is NaN, infinite or beyond 1e100; such an explanation is not kept")
    array.flags.writeable = False
    return array


def _known(known: Any, count: int) -> tuple[bool, ...]:
    known = tuple(known) or (True,) * count
    if len(known) == count and set(map(type, known)) <= {bool}:
        return known
    if len(known) != count or not all(isinstance(each, bool | np.bool_) for each in known):
        raise ExplanationError(f"{count} tokens need {count} truth values that say which are known")
    return tuple(map(bool, known))


def _read_to(read_to: Any, text: str, tokens: tuple[Token, ...]) -> int:
    if isinstance(read_to, bool) or not isinstance(read_to, int | np.integer):
        raise ExplanationError(f"read_to must be a character offset, not {read_to!r}")
    if read_to == -1:
        return len(text)
    if not (tokens[-1].end if tokens else 0) <= read_to <= len(text):
        raise ExplanationError(f"read_to is {read_to}; it lies between the end of the last token and {len(text)}")
    return int(read_to)


def _name(what: str, name: Any) -> str:
    most = 2 * LONGEST_NAME + 3 if what == "target" else LONGEST_NAME  # a margin names two classes
    if not isinstance(name, str) or len(name) > most or _SURROGATE.search(name):
        raise ExplanationError(f"the {what} of an explanation must be a name of at most {most} characters, valid Unicode")
    return name


def _number(what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise ExplanationError(f"the {what} of an explanation must be a number, not {type(value).__name__}")
    try:
        value = float(value)  # type: ignore[arg-type]
    except OverflowError:
        value = math.inf  # a whole number of hundreds of digits
    if not abs(value) <= LARGEST or not math.isfinite(value):
        raise ExplanationError(f"the {what} of an explanation is NaN, infinite or beyond 1e100; it is not kept")
    return value


def _numbers(what: str, values: Any) -> dict[str, float]:
    if not isinstance(values, Mapping):
        raise ExplanationError(f"the {what} of an explanation must be a dict of names and numbers")
    return {_name(what, name): _number(what, value) for name, value in values.items()}
