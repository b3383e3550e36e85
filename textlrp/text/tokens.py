"""Text to tokens that keep their character offsets: `text[start:end]` is the token as it was written."""

from __future__ import annotations

import html.entities
import re
from functools import lru_cache
from typing import NamedTuple

import regex

from textlrp.text.normal import APOSTROPHES, DASHES, TITLES, normal_form

__all__ = ["Token", "normal_form", "tokenise", "tokens_and_words", "words"]


class Token(NamedTuple):
    """A token: `source[start:end] == text`; offsets count characters (code points).

    >>> Token("film", 2, 6).text
    'film'
    """

    text: str
    start: int
    end: int


# Names of HTML elements, so that "<sigh>" and "x <y" stay words. A run of <br /> with white space between is one token.
_ELEMENTS = (
    "a|abbr|article|aside|audio|b|big|blockquote|body|button|caption|center|cite|code|col|dd|del|details|dfn|div|dl|dt|em|embed|font"
    "|footer|form|frame|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|kbd|label|li|link|main|mark|meta|nav|object|ol|option|p"
    "|pre|q|s|samp|script|section|select|small|span|strike|strong|style|sub|summary|sup|svg|table|tbody|td|textarea|tfoot|th|thead"
    "|title|tr|tt|u|ul|var|video"
)
_BR = r"</?br\s*/?>"
MARKUP = re.compile(rf"{_BR}(?:\s*{_BR})*|</?(?:{_ELEMENTS})(?:\s[^<>]{{0,1000}})?/?>|<!--[^<>]{{0,1000}}-->", re.IGNORECASE)

# The tokens inside a chunk without white space, first match wins. Every repetition is possessive or bounded: linear time.
_APOSTROPHE = f"[{APOSTROPHES}]"
_HYPHEN = f"[{regex.escape(DASHES[:3])}\xad]"
_LETTER = r"[\p{L}\p{M}--\p{Han}]"
_WORD = r"[\p{L}\p{M}\p{N}\u200c\u200d--\p{Han}]"
_PART = rf"(?:\p{{N}}|{_LETTER}){_WORD}*+"
_END = r"(?![\p{L}\p{N}])"
_PATTERNS = (
    # URL, address without scheme, e-mail: without the punctuation that follows them in a sentence
    r"(?:https?|ftp)://[^\s<>\"“”]*[^\s<>\"“”'’.,;:!?)\]}]",
    r"www\.\p{L}[^\s<>\"“”]*[^\s<>\"“”'’.,;:!?)\]}]",
    r"[\w.+-]{1,64}+@(?:[\p{L}\p{N}-]{1,63}+\.){1,8}+[\p{L}]{2,24}+",
    rf"(?:[a-zA-Z0-9-]{{1,63}}+\.){{1,8}}(?:com|org|net|edu|gov|info|co\.uk){_END}(?:/[^\s<>\"“”]*[^\s<>\"“”'’.,;:!?)\]}}])?",
    # HTML entities
    r"&(?:(?=[a-zA-Z0-9]{2,32}+;)\L<entities>|#\d{1,7}+|#[xX][0-9a-fA-F]{1,6}+);",
    # emoji: keycaps, flags, pictures with skin tone, variation selector or tag sequence, joined by zero-width joiners
    r"[0-9#*]\ufe0f?\u20e3",
    r"\p{Regional_Indicator}{2}",
    r"{picture}(?:\u200d{picture})*+".replace(
        "{picture}", r"\p{Extended_Pictographic}(?:[\U0001f3fb-\U0001f3ff]|\p{M})*+[\U000e0020-\U000e007f]{0,32}+"
    ),
    # faces
    rf"[:;=]['’]?[-o^]?(?:[)(\]\[])++{_END}|[:;=]-?(?:[DPpOob|\\]|/(?!/)){_END}|8-[)(]++",
    r"<3(?!\d)|</3|\^_*+\^|[oO]_+[oO](?!\w)|-_+-",
    # ratings, fractions, dates; stars
    r"\d{1,4}(?:[.,]\d{1,2}|½)?(?:/\d{1,4}(?:[.,]\d{1,2})?){1,2}(?![\p{L}\p{N}/])",
    r"[*★☆]{2,}+(?:\d/\d(?!\d)|½)?(?:/[*★☆]{2,}+|/\d{1,2}+)?|\*½|\*1/2",
    # grades, abbreviations, titles
    r"(?-i:[A-F])[-+](?![\p{L}\p{N}+-])",
    r"(?:\p{L}\.){2,12}(?![\p{L}\p{N}])(?!\.\p{L})|(?:\p{L}\.){1,12}\p{L}(?![\p{L}\p{M}\p{N}.'’])",
    rf"(?i:{'|'.join(TITLES)})\.(?![\p{{L}}\p{{N}}.])",
    # numbers with separators, and what is glued to them
    rf"\d++(?:[.,:]\d++)++{_WORD}*+",
    # words, with inner hyphens, apostrophes (contractions are split off afterwards) and stars (f**k)
    rf"{_PART}(?:(?:{_APOSTROPHE}|{_HYPHEN}|(?<=\p{{L}})\*{{1,6}}+){_PART})*+",
    r"\p{Han}\p{M}*+",
    # 's after a quotation mark; runs of stops, dashes, quotation marks; any other character with its combining marks
    rf"{_APOSTROPHE}(?i:s|m|d|ll|re|ve)(?![\p{{L}}\p{{N}}])",
    r"\.{2,}+|[-–—\x96\x97]{2,}+|''|``|´´",
    r".\p{M}*+",
)
_ENTITIES = sorted({name.rstrip(";") for name in html.entities.html5 if name.endswith(";")})
_TOKEN = regex.compile("|".join(_PATTERNS), regex.VERSION1 | regex.DOTALL, entities=_ENTITIES)

# Penn Treebank: the clitic is a token of its own; "cannot" is two words. "did'nt" is a typing error seen hundreds of times.
_CLITIC = regex.compile(rf"(?r)(?:n{_APOSTROPHE}t|{_APOSTROPHE}(?:s|m|d|ll|re|ve|nt))\Z", regex.IGNORECASE)
_LONGEST_CLITIC = 3
_MOST_CLITICS = 3  # "shouldn't've's": a bound, so that a word of nothing but clitics takes linear time


def _parts(word: str) -> list[str]:
    """Split the contractions off one word.

    >>> _parts("couldn't've"), _parts("Cannot")
    (['could', "n't", "'ve"], ['Can', 'not'])
    """
    tail: list[str] = []
    for _ in range(_MOST_CLITICS):
        clitic = _CLITIC.search(word, max(1, len(word) - _LONGEST_CLITIC))
        if clitic is None:
            break
        tail.append(clitic[0])
        word = word[: -len(clitic[0])]
    head = [word[:3], word[3:]] if len(word) == 6 and word.lower() == "cannot" else [word]
    return head + tail[::-1]


def _split(chunk: str) -> tuple[str, ...]:
    """Split a chunk without white space into the texts of its tokens."""
    if chunk.isalpha() and chunk.isascii() and len(chunk) != 6:
        return (chunk,)
    found: list[str] = []
    for piece in _TOKEN.findall(chunk):
        found += _parts(piece) if len(piece) > 2 else (piece,)
    return tuple(found)


_CACHED_LENGTH = 40


def _split_both(chunk: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the texts of a chunk's tokens, and their normal forms."""
    pieces = _split(chunk)
    return pieces, tuple(map(normal_form, pieces))


_both = lru_cache(maxsize=1 << 17)(_split_both)


def _plain(text: str) -> str:
    """Make U+0085 (the … of Windows-1252 read as Latin-1) a character that is not white space; lengths stay."""
    return text.replace("\x85", "…") if "\x85" in text else text


def tokenise(text: str) -> list[Token]:
    """Return the tokens of `text` in order; between them lies nothing but white space. Any string is allowed; linear time.

    >>> [t.text for t in tokenise("I don't like it.<br /><br />2/10 :-(")]
    ['I', 'do', "n't", 'like', 'it', '.', '<br /><br />', '2/10', ':-(']
    """
    return tokens_and_words(text)[0]


def tokens_and_words(text: str) -> tuple[list[Token], list[str]]:
    """Return what `tokenise` and what `words` say of a text, at the price of one.

    >>> tokens_and_words("GREAT film")
    ([Token(text='GREAT', start=0, end=5), Token(text='film', start=6, end=10)], ['great', 'film'])
    """
    tokens: list[Token] = []
    found: list[str] = []
    plain = _plain(text)
    position = 0
    for markup in MARKUP.finditer(plain) if "<" in plain else ():
        _append_tokens(tokens, found, plain[position : markup.start()], position)
        position = markup.end()
        tokens.append(Token(markup[0], markup.start(), position))
        found.append(normal_form(markup[0]))
    _append_tokens(tokens, found, plain[position:], position)
    if plain is not text:
        tokens = [Token(text[start:end], start, end) for _, start, end in tokens]
    return tokens, found


def _append_tokens(tokens: list[Token], found: list[str], text: str, offset: int) -> None:
    """Append the tokens of a stretch of text without markup that begins at `offset`, and their normal forms."""
    make, append = tuple.__new__, tokens.append  # twice as fast as Token(…), which matters for millions of tokens
    position, index = 0, text.index
    for chunk in text.split():
        position = index(chunk, position)
        start, length = offset + position, len(chunk)
        position += length
        pieces, forms = _both(chunk) if length <= _CACHED_LENGTH else _split_both(chunk)
        found += forms
        if len(pieces) == 1:
            append(make(Token, (chunk, start, start + length)))
            continue
        for piece in pieces:
            end = start + len(piece)
            append(make(Token, (piece, start, end)))
            start = end


def words(text: str) -> list[str]:
    """Return the normal forms of the tokens of `text`: what the vocabulary counts and the model reads.

    >>> words("It’s GREAT &amp; I CANNOT wait…")
    ['it', "'s", 'great', '&', 'i', 'can', 'not', 'wait', '...']
    """
    plain = _plain(text)
    if "<" not in plain:
        return _words(plain)
    found: list[str] = []
    position = 0
    for markup in MARKUP.finditer(plain):
        found += _words(plain[position : markup.start()])
        found.append(normal_form(markup[0]))
        position = markup.end()
    return found + _words(plain[position:])


def _words(text: str) -> list[str]:
    """Return the normal forms of text without markup."""
    found: list[str] = []
    for chunk in text.split():
        found += (_both(chunk) if len(chunk) <= _CACHED_LENGTH else _split_both(chunk))[1]
    return found
