"""What is fuzzed of texts and records: the tokeniser, the vocabulary, stored explanations, and what draws them."""

from __future__ import annotations

import json
import random
import tempfile
import zlib
from collections import Counter
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from textlrp.encoding import read
from textlrp.explanation import Explanation
from textlrp.text.normal import normal_form
from textlrp.text.tokens import tokenise, words
from textlrp.text.vocabulary import Vocabulary

__all__ = ["TEXTS", "explained", "folder", "highlight", "stored_explanation", "stored_vocabulary", "text_of", "tokeniser"]

PIECES = (
    *(
        "I don't like it.<br /><br />2/10 :-(",
        "It’s GREAT &amp; I CANNOT wait…",
        "shouldn't've's 'twas d'ye",
        "U.S.A. Mr. Smith",
    ),
    *("http://example.com/a?b=c). www.x.org", "me@example.com", "👩‍👩‍👧 🇩🇪🇫🇷 👍🏽 1️⃣", "😀" * 20, "f**k **½ ★★★☆ A+ 7.5/10"),
    *(
        "<a href='x'>y</a><!-- z --><sigh> <3 </3",
        "naïve Straße ﬁ İstanbul",
        "中文電影 映画 영화",
        "e\u0301\u0302\u0303 \u0301",
        "a\x85b\x1cc\u2028d",
    ),
    *(
        "\u202eabc\u202c \u2066x\u2069",
        "a\u200db\u200c\ufeff",
        "\x00\x1b[31mred\x07",
        "&#0; &#x110000; &nbsp; &notanentity; &",
        "'''\"\"``´´----....!!!",
    ),
    *(
        "1,000,000.50:30 3rd 1980s",
        "<br>" * 30,
        "don't" * 40,
        "\ud800 \udc00 \ud83d\ude00",
        "AT&T R2-D2 o'neill rock'n'roll",
        " \t\r\n\x0b\x0c ",
    ),
)
TEXTS = st.lists(
    st.sampled_from(PIECES) | st.text(max_size=30) | st.text(st.characters(codec=None), max_size=10), max_size=8
).map("".join)


@lru_cache(maxsize=1)
def folder() -> Path:
    """A folder of this process for the files that are tried."""
    memory = Path("/dev/shm")  # noqa: S108 - only where it is there, and in a folder of its own
    return Path(tempfile.mkdtemp(prefix="textlrp-fuzz-", dir=memory if memory.is_dir() else None))


def text_of(data: bytes) -> str:
    """Any bytes as a text; bytes that are no UTF-8 become lone surrogates."""
    return data.decode("utf-8", "surrogatepass" if b"\xed" in data and _passes(data) else "surrogateescape")


def _passes(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def bytes_of(text: str) -> bytes:
    """The bytes of a text, lone surrogates too."""
    return text.encode("utf-8", "surrogatepass")


def tokeniser(data: bytes) -> None:
    """Each token stands where it says, nothing but white space is left out, and words() says the same as tokenise()."""
    text = text_of(data)
    tokens = tokenise(text)
    end = 0
    for token in tokens:
        assert text[token.start : token.end] == token.text
        assert end <= token.start < token.end
        assert not text[end : token.start].strip()
        end = token.end
    assert not text[end:].strip()
    forms = [normal_form(token.text) for token in tokens]
    assert words(text) == forms
    assert all(form and form.strip() for form in forms)
    vocabulary = Vocabulary.from_counts(Counter(forms), min_count=1)
    reading = read(text, vocabulary, max_tokens=50)
    known = [len(form) <= 200 for form in forms[:50]]
    assert (reading.ids > 1).tolist() == known
    assert reading.read_to == (tokens[49].end if len(tokens) > 50 else len(text))


def stored_vocabulary(data: bytes) -> None:
    """A file that is read is a vocabulary: each word once, found under its number, and written back the same."""
    path = folder() / "vocabulary.json"
    path.write_bytes(data)
    found = Vocabulary.load(path)
    assert found.encode(found.words).tolist() == list(range(len(found)))
    assert all(found[word] == number for number, word in enumerate(found.words))
    found.save(path)
    assert Vocabulary.load(path) == found


def stored_explanation(data: bytes) -> None:
    """What is read is a sound explanation: it is written back the same, and its parts fit each other."""
    found = Explanation.from_json(data)
    again = Explanation.from_json(found.to_json())
    assert again == found
    assert again.to_json() == found.to_json()
    assert Explanation.from_dict(found.to_dict()) == found
    assert all(found.text[token.start : token.end] == token.text for token in found.tokens)
    assert len(found.tokens) == len(found.relevance) == len(found.known)
    top = found.top(3)
    assert all(value > 0 for _, value in top.positive)
    assert all(value < 0 for _, value in top.negative)
    assert len(found.sides) == 2
    assert isinstance(found.truncated, bool)


def explained(data: bytes) -> Explanation:
    """An explanation of any bytes: a text, and numbers and names that its checksum chooses."""
    text = text_of(data)[:3_000]
    random_ = random.Random(zlib.crc32(data))
    tokens = tuple(tokenise(text))[: random_.choice((1, 20, 10_000))]
    odd = (0.0, -0.0, 1e100, -1e100, 5e-324, -5e-324, 1e-300, 1.0, -1.0)
    plain = random_.random() < 0.5
    relevance = [random_.gauss(0, 1) if plain else random_.choice(odd) for _ in tokens]
    name = text[:60].encode("utf-8", "replace").decode()
    classes = [name, "negative"] if name != "negative" else ["a", "b"]
    share = random_.choice((0.0, 1.0, 0.25, 1e-12))
    return Explanation(
        text,
        tokens,
        relevance,
        random_.choice((classes[0], f"{classes[0]} - {classes[1]}", "")),
        max(-1e100, min(1e100, sum(relevance))),
        {"words": random_.choice(odd), name[:20]: 0.5},
        classes[0],
        {classes[0]: share, classes[1]: 1 - share},
        tuple(random_.random() < 0.9 for _ in tokens),
        random_.choice((-1, tokens[-1].end if tokens else 0)),
        model=name,
        rule=random_.choice(("epsilon", name)),
    )


class Read(HTMLParser):
    """The text in the element of the review, and the names of all elements."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Count an element."""
        self.tags[tag] += 1
        self.attributes |= {name for name, _ in attributes}


@lru_cache(maxsize=2)
def _harmless(kind: str) -> tuple[set[str], set[str]]:
    """The elements and attributes that the page of a harmless text has, with everything that a page may show."""
    reader = Read()
    for text in ("A good, bad film", ""):
        for each in (explained(text.encode()), _plain(text)):
            reader.feed(_drawn(each, kind))
    return set(reader.tags), reader.attributes


def _plain(text: str) -> Explanation:
    tokens = tuple(tokenise(text))
    relevance = [1.0, -0.5, 0.0, 2.0, 0.25][: len(tokens)]
    known = tuple(bool(i % 2) for i in range(len(tokens)))
    scores = {"p": 0.5, "n": 0.5}
    return Explanation(
        text + " \u202e more", tokens, relevance, "p", 1.0, {"words": 1.0}, "p", scores, known, len(text), "m", "r", "g"
    )


def _drawn(e: Explanation, kind: str) -> str:
    from textlrp.highlight.html import fragment, page

    return page([e]) if kind == "page" else fragment(e)


def highlight(data: bytes) -> None:
    """What is drawn of any explanation can be written, holds no element that its text brought along, and steers no terminal."""
    from rich.console import Console

    from textlrp.highlight.terminal import render

    e = explained(data)
    for kind in ("page", "fragment"):
        drawn = _drawn(e, kind)
        drawn.encode("utf-8")
        reader = Read()
        reader.feed(drawn)
        tags, attributes = _harmless(kind)
        assert set(reader.tags) <= tags, set(reader.tags) - tags
        assert reader.attributes <= attributes, reader.attributes - attributes
    console = Console(width=100, force_terminal=False, markup=False, emoji=False, highlight=False)
    with console.capture() as captured:
        console.print(render(e))
    steering = {chr(i) for i in (*range(0x20), *range(0x7F, 0xA0))} - {"\n"}
    assert not set(captured.get()) & steering
    for name in sorted(
        name for name in dir(e) if name.startswith("to_") and name not in ("to_html", "to_dict", "to_json", "to_png")
    ):
        drawn = getattr(e, name)()
        if isinstance(drawn, str):
            drawn.encode("utf-8")
    assert Explanation.from_json(e.to_json()) == e


def explanation_seeds() -> list[bytes]:
    """Stored explanations, one of each kind of text."""
    return [explained(bytes_of(text)).to_json().encode() for text in ("A good film, not bad.", *PIECES[:6], "")]


def vocabulary_seeds() -> list[bytes]:
    """Stored vocabularies."""
    lists = (["good", "bad", "film"], [], ["İ", "\ud800", "a\x85b", "<br />"], [f"word{i}" for i in range(50)])
    made = [json.dumps({"format": "textlrp vocabulary", "version": 1, "words": ["<pad>", "<unk>", *each]}) for each in lists]
    return [each.encode() for each in made]


def text_seeds() -> list[bytes]:
    """Texts of every kind."""
    return [bytes_of(piece) for piece in PIECES] + [bytes_of(" ".join(PIECES))]


def generated_texts() -> Any:
    """A strategy of texts."""
    return TEXTS.map(bytes_of)


def generated_explanations() -> Any:
    """A strategy of stored explanations."""
    return TEXTS.map(lambda text: explained(bytes_of(text)).to_json().encode())


def generated_vocabularies() -> Any:
    """A strategy of stored vocabularies."""
    start = st.just(["<pad>", "<unk>"])
    entries = st.tuples(start, st.lists(st.text(st.characters(codec=None), max_size=8), max_size=8)).map(
        lambda pair: pair[0] + pair[1]
    )
    return entries.map(lambda each: json.dumps({"format": "textlrp vocabulary", "version": 1, "words": each}).encode())
