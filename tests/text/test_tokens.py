"""Tokens: nothing is lost, offsets are true, words have the forms that the vectors know."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textlrp.text.tokens import Token, normal_form, tokenise, words


def texts_of(text: str) -> list[str]:
    return [token.text for token in tokenise(text)]


# Any code point at all, lone surrogates among them, mixed with the pieces that the patterns look for.
PIECES = [
    *(
        "<br />",
        "<br",
        "/>",
        "&amp;",
        "&#39;",
        "&",
        ";",
        "http://",
        "www.",
        "@",
        ".com",
        "n't",
        "’s",
        "'",
        "-",
        "--",
        "7/10",
        "*",
    ),
    *("½", "\u200d", "\ufe0f", "\u20e3", "👍", "🏽", "🇫", "🇷", "e\u0301", "\u0301", "\x85", "\u202e", "\xad", "\0", "\ud800"),
    *(
        "日",
        "İ",
        "ß",
        ":",
        ")",
        "^",
        "_",
        "o",
        "A",
        "U.",
        "Mr.",
        "cannot",
        " ",
        "\n",
        "\u3000",
        "\x1c",
        "…",
        "1",
        ",",
        "<i ",
        "<!--",
    ),
]
ANY_TEXT = st.one_of(
    st.text(st.characters(exclude_categories=())),
    st.lists(st.one_of(st.sampled_from(PIECES), st.characters(exclude_categories=())), max_size=12).map("".join),
)


@settings(max_examples=300)
@given(ANY_TEXT)
def test_between_the_tokens_lies_nothing_but_white_space(text: str) -> None:
    position = 0
    for token in tokenise(text):
        assert text[position : token.start].replace("\x85", "x").strip() == ""
        assert token.start < token.end
        assert text[token.start : token.end] == token.text
        position = token.end
    assert text[position:].replace("\x85", "x").strip() == ""


@settings(max_examples=300)
@given(ANY_TEXT)
def test_words_are_the_normal_forms_of_the_tokens(text: str) -> None:
    assert words(text) == [normal_form(token.text) for token in tokenise(text)]


@settings(max_examples=300)
@given(ANY_TEXT)
def test_a_normal_form_is_its_own_normal_form_and_has_something_to_see(text: str) -> None:
    for word in words(text):
        assert normal_form(word) == word
        assert word.strip() == word != ""


@settings(max_examples=300)
@given(ANY_TEXT)
def test_a_token_other_than_markup_holds_no_white_space(text: str) -> None:
    for token in tokenise(text.replace("<", "(").replace("\x85", "…")):
        assert len(token.text.split()) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I don't know", ["I", "do", "n't", "know"]),
        ("DON’T", ["DO", "N’T"]),
        ("can't couldn't've", ["ca", "n't", "could", "n't", "'ve"]),
        ("it's we're I'm you'll he'd they've", ["it", "'s", "we", "'re", "I", "'m", "you", "'ll", "he", "'d", "they", "'ve"]),
        ("cannot Cannot", ["can", "not", "Can", "not"]),
        ("did'nt", ["did", "'nt"]),
        ("the dogs' bones", ["the", "dogs", "'", "bones"]),
        ("O'Brien rock'n'roll", ["O'Brien", "rock'n'roll"]),
        ('"Alien"\'s end', ['"', "Alien", '"', "'s", "end"]),
        ("1950's", ["1950", "'s"]),
        ("well-made, so-so", ["well-made", ",", "so-so"]),
        ("word--word", ["word", "--", "word"]),
        ("wait...what", ["wait", "...", "what"]),
        ("good.I think", ["good", ".", "I", "think"]),
        ("no!!! what?!", ["no", "!", "!", "!", "what", "?", "!"]),
        ("a U.S. film, e.g. this", ["a", "U.S.", "film", ",", "e.g.", "this"]),
        ("Mr. Bean vs. Dr. Who", ["Mr.", "Bean", "vs.", "Dr.", "Who"]),
        ("and/or", ["and", "/", "or"]),
        ("(7/10)", ["(", "7/10", ")"]),
        ("8.5/10, 10/10!", ["8.5/10", ",", "10/10", "!"]),
        ("***1/2 out of ****", ["***1/2", "out", "of", "****"]),
        ("on 9/11/2001", ["on", "9/11/2001"]),
        ("$1,000.50 at 10:30pm, 100%", ["$", "1,000.50", "at", "10:30pm", ",", "100", "%"]),
        ("the 80s, a 3D film of 35mm", ["the", "80s", ",", "a", "3D", "film", "of", "35mm"]),
        ("a B- film, no B-movie", ["a", "B-", "film", ",", "no", "B-movie"]),
        ("(http://a.org/b?c=1).", ["(", "http://a.org/b?c=1", ")", "."]),
        ("on www.imdb.com, me@x.co.uk", ["on", "www.imdb.com", ",", "me@x.co.uk"]),
        ("imdb.com/title/tt1/.", ["imdb.com/title/tt1/", "."]),
        ("a &amp; b&#39;s &bogus;", ["a", "&amp;", "b", "&#39;", "s", "&", "bogus", ";"]),
        ("end.<br /><br />The", ["end", ".", "<br /><br />", "The"]),
        ("a<br>\n <BR/>b", ["a", "<br>\n <BR/>", "b"]),
        ('<a href="x y">it</a>', ['<a href="x y">', "it", "</a>"]),
        ("<sigh> x<y", ["<", "sigh", ">", "x", "<", "y"]),
        (":-) ;) :D :'( <3 =)", [":-)", ";)", ":D", ":'(", "<3", "=)"]),
        ("see:(this)", ["see", ":", "(", "this", ")"]),
        ("f**k *good*", ["f**k", "*", "good", "*"]),
        ("_Titanic_", ["_", "Titanic", "_"]),
        ("naïve cafe\u0301", ["naïve", "cafe\u0301"]),
        ("日本語", ["日", "本", "語"]),
        ("so\x85good", ["so", "\x85", "good"]),
        ("", []),
        (" \n\t\u3000", []),
    ],
)
def test_texts_become_these_tokens(text: str, expected: list[str]) -> None:
    assert texts_of(text) == expected


@pytest.mark.parametrize("emoji", ["👩‍👩‍👧‍👦", "👍🏽", "🇫🇷", "1️⃣", "❤️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "😀", "👩🏽‍🚀"])
def test_an_emoji_sequence_is_one_token(emoji: str) -> None:
    assert texts_of(f"ok {emoji}{emoji}!") == ["ok", emoji, emoji, "!"]


@pytest.mark.parametrize(
    ("token", "form"),
    [
        ("GOOD", "good"),
        ("n’t", "n't"),
        ("“", '"'),
        ("``", '"'),
        ("—", "-"),
        ("--", "-"),
        ("…", "..."),
        (".....", "..."),
        ("\x96", "-"),
        ("&amp;", "&"),
        ("&Eacute;", "é"),
        ("&quot;", '"'),
        ("&nbsp;", "&nbsp;"),
        ("<BR>\n<br/>", "<br />"),
        ('<A HREF="x">', "<a>"),
        ("Mr.", "mr"),
        ("U.S", "u.s."),
        (":-)))", ":)"),
        ("cafe\u0301", "café"),
        ("co\xadoperate", "cooperate"),
        ("❤️", "❤"),
        ("7/10", "7/10"),
    ],
)
def test_tokens_have_these_normal_forms(token: str, form: str) -> None:
    assert texts_of(token) == [token]
    assert normal_form(token) == form


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a.",
        "x's",
        "a@",
        "a.b",
        "a-",
        "<br",
        "<br ",
        "<a x",
        "<!--",
        "&",
        "&#1",
        "http://)",
        "1/",
        "*",
        "o_",
        "é.",
        ":-",
        "<br>",
        "<br> x",
    ],
)
def test_a_word_of_40_000_characters_takes_linear_time(piece: str) -> None:
    def seconds(length: int) -> float:
        """Return this thread's own time, the shortest of three."""
        text, found = piece * (length // len(piece)) + "aa!", []
        for _ in range(3):
            begin = time.thread_time()
            tokenise(text)
            found.append(time.thread_time() - begin)
        return min(found)

    assert seconds(40_000) < 40 * seconds(4_000)  # 10 if time is linear, 100 if it is quadratic


def test_a_token_is_a_plain_tuple() -> None:
    assert tokenise(" film") == [Token("film", 1, 5)]


def test_a_misplaced_apostrophe_is_read_as_not() -> None:
    assert words("Didn't did'nt") == ["did", "n't", "did", "n't"]


def test_long_tokens_are_not_kept_in_memory() -> None:
    tracemalloc.start()
    try:
        for number in range(300):
            words(f"{number}" + "ä" * 50_000)
        assert tracemalloc.get_traced_memory()[0] < 3_000_000  # all of them would be 60 MB
    finally:
        tracemalloc.stop()
