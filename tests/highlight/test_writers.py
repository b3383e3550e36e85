"""Markdown, LaTeX, SVG and PNG: the text comes out as it went in, and nothing of it is obeyed."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from PIL import Image

from textlrp.errors import InputError
from textlrp.highlight import latex as latex_writer
from textlrp.highlight import plain
from textlrp.highlight.latex import latex
from textlrp.highlight.layout import lines, measure
from textlrp.highlight.markdown import markdown
from textlrp.highlight.picture import png
from textlrp.highlight.scale import DARK, LIGHT
from textlrp.highlight.svg import svg

from .conftest import explained
from .test_html import HOSTILE

MARKUP = [
    "# heading",
    "1. one",
    "1) one",
    "- item",
    "+ item",
    "* item",
    "> quote",
    "    code",
    "```",
    "`code`",
    "***bold***",
    "__b__",
    "~~gone~~",
    "[a](javascript:alert(1))",
    "![i](http://example.com/i.png)",
    "<http://example.com>",
    "https://example.com",
    "| a | b |",
    "---",
    "===",
    "&copy;",
    "\\",
    "$x^2$",
    "\\input{/etc/passwd}",
    "\\end{document}",
    "%",
    "^^M",
    "{",
    "}",
    "#1",
    "``quoted''",
    "?`!`--- ,,",
]
TEXT = (
    HOSTILE
    | st.lists(st.sampled_from(MARKUP), max_size=8).map("\n".join)
    | st.lists(st.sampled_from(MARKUP), max_size=8).map(" ".join)
)
SVG = "{http://www.w3.org/2000/svg}"


def shown(text: str) -> str:
    """Give a text as every writer shows it: control characters as pictures, line breaks alike, tabs as spaces."""
    text = re.sub("\r\n|\r", "\n", text).replace("\t", "    ")
    return "\n".join(plain.visible(line) for line in text.split("\n"))


def words_alone(text: str) -> str:
    return re.sub("[\\s\u00a0]+", " ", text).strip()


@settings(deadline=None)
@given(text=TEXT)
def test_markdown_renders_to_the_text_and_to_no_markup_of_its_own(text: str) -> None:
    e = explained(text, strength=0.0)
    reader = MarkdownIt("commonmark").enable("table").enable("strikethrough")
    html = reader.render(markdown(e, k=0))
    (quoted,) = re.findall(r"<blockquote>\s*<p>(.*?)</p>\s*</blockquote>", html, re.DOTALL)
    assert set(re.findall(r"<[^>]*>", quoted)) <= {"<br />"}
    assert words_alone(unescape(quoted.replace("<br />", ""))) == words_alone(shown(text))
    assert not re.search(r"<(a|img|script|code|pre|h\d|ul|ol|del)\b", html)


@settings(deadline=None)
@given(text=TEXT)
def test_markdown_keeps_every_line_of_the_text(text: str) -> None:
    html = MarkdownIt("commonmark").render(markdown(explained(text, strength=0.0), k=0))
    assert html.count("<br />") == shown(text).count("\n")


def test_markdown_marks_strong_words_by_sign_and_strength() -> None:
    e = replace(explained("good film bad"), relevance=[1.0, 0.1, -0.6])
    assert "> good⁺⁺⁺ film bad⁻⁻\n" in markdown(e)
    assert "| + for positive | − against positive |" in markdown(e) or "| +" in markdown(e)


def test_markdown_of_several_shares_one_scale_unless_told_otherwise() -> None:
    strong, weak = (replace(explained("good"), relevance=[value]) for value in (10.0, 1.0))
    assert markdown([strong, weak]).count("⁺⁺⁺") == 1
    assert markdown([strong, weak], scale="each").count("⁺⁺⁺") == 2


def untex(source: str) -> str:
    """Read what `escaped` writes as TeX would typeset it; anything that TeX would obey otherwise is an error."""
    back = {value: key for key, value in latex_writer._SPECIAL.items()}
    out, at = "", 0
    while at < len(source):
        found = next((each for each in sorted(back, key=len, reverse=True) if source.startswith(each, at)), None)
        if found is not None:
            out += back[found]
            at += len(found)
            continue
        assert source[at] not in "\\{}$&#%_^~", source[at : at + 20]
        out += source[at]
        at += 1
    return out


@settings(deadline=None)
@given(text=TEXT)
def test_latex_escapes_to_what_typesets_as_the_text(text: str) -> None:
    for line in shown(text).split("\n"):
        assert untex(latex_writer.escaped(line)) == line.replace("\u00a0", "\u00a0")


@settings(deadline=None)
@given(text=TEXT)
def test_latex_of_any_text_closes_every_group_and_uses_only_its_own_commands(text: str) -> None:
    source = latex(explained(text), document=True)
    depth = 0
    for brace in re.findall(r"\\.|([{}])", re.sub(r"(?<!\\)%.*", "", source)):
        depth += {"{": 1, "}": -1, "": 0}[brace]
        assert depth >= 0
    assert depth == 0
    known = set(
        re.findall(r"\\([A-Za-z]+)", latex_writer._PREAMBLE + latex_writer._DOCUMENT + " ".join(latex_writer._SPECIAL.values()))
    )
    known |= {"begin", "end", "noindent", "par", "medskip", "leavevmode", "textbf", "textit", "textperiodcentered"}
    known |= {"ensuremath", "color", "textsuperscript", "bigskip"}
    assert set(re.findall(r"\\([A-Za-z]+)", source)) <= known
    assert source.count(r"\end{document}") == 1


def test_latex_colours_strong_words_and_marks_their_sign() -> None:
    e = replace(explained("good film bad"), relevance=[1.0, 0.0, -1.0])
    source = latex(e)
    assert rf"\relevancefor{{{LIGHT.positive[1:].upper()}}}{{good}}{{+}} film" in source
    assert rf"\relevanceagainst{{{LIGHT.negative[1:].upper()}}}{{bad}}{{\ensuremath{{-}}}}" in source


@settings(deadline=None)
@given(text=TEXT)
def test_svg_is_xml_whose_words_are_those_of_the_text(text: str) -> None:
    e = explained(text)
    root = ElementTree.fromstring(svg(e))
    drawn = "".join(each.text or "" for each in root.iter(f"{SVG}text") if "word" in each.get("class", ""))
    assert drawn == "".join(shown(token.text).replace("\n", "") for token in e.tokens)
    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= {
        "svg",
        "title",
        "desc",
        "style",
        "rect",
        "text",
        "g",
        "path",
    }
    assert not [name for each in root.iter() for name in each.attrib if name.startswith("on") or "href" in name]


@settings(deadline=None, max_examples=40)
@given(text=TEXT, width=st.integers(120, 900))
def test_lines_hold_the_whole_text_and_stay_within_the_width(text: str, width: int) -> None:
    e = explained(text)
    rows = lines(e, width=width, wide=lambda part: measure(part, 16), between=1.5)
    joined = "".join(box.text for row in rows for box in row)
    assert joined == shown(text).replace("\n", "")
    for row in rows:
        for box in row:
            assert box.left + box.width <= width + 0.01 or box.text.isspace() or len(box.text) == 1


def test_svg_has_a_title_tips_and_both_appearances() -> None:
    source = svg(replace(explained("good film bad"), relevance=[1.0, 0.0, -1.0]))
    assert '<title id="title">Words for and against positive</title>' in source
    assert "<title>+1 · 50.0 % of all · rank 1 of 3</title>" in source
    assert LIGHT.positive in source
    assert DARK.positive in source
    assert "prefers-color-scheme:dark" in source
    assert 'class="nl"' in source  # the sign is told by the line as well


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("positive", ". Strongest words for positive: good +1; against positive: bad −1."),
        ("positive - negative", ". Strongest words for positive: good +1; for negative: bad −1."),
    ],
)
def test_the_description_of_an_svg_names_each_side_once(target: str, said: str) -> None:
    e = replace(explained("good film bad"), relevance=[1.0, 0.0, -1.0], target=target)
    description = ElementTree.fromstring(svg(e)).findtext(f"{SVG}desc")
    assert description is not None
    assert description.endswith(said)


def test_a_picture_shows_full_colour_where_the_strongest_word_is() -> None:
    e = replace(explained("good film bad"), relevance=[1.0, 0.0, -1.0])
    for dark, theme in ((False, LIGHT), (True, DARK)):
        image = Image.open(io.BytesIO(png(e, dark=dark))).convert("RGB")
        colours = {f"#{r:02x}{g:02x}{b:02x}" for _, (r, g, b) in image.getcolors(1 << 24)}  # type: ignore[union-attr, misc]
        assert {theme.ground, theme.positive, theme.negative} <= colours


@settings(deadline=None, max_examples=25)
@given(text=TEXT)
def test_any_text_can_be_drawn_as_a_picture(text: str) -> None:
    assert Image.open(io.BytesIO(png(explained(text), zoom=1.0))).size[0] == 760


def test_a_word_of_100_000_letters_is_drawn_whole_or_refused() -> None:
    e = explained("x" * 100_000)
    root = ElementTree.fromstring(svg(e))
    assert sum(len(each.text or "") for each in root.iter(f"{SVG}text") if "word" in each.get("class", "")) == 100_000
    assert latex(e).count("x") >= 100_000
    with pytest.raises(InputError, match="pixels tall"):
        png(e)


def test_a_word_that_no_font_measures_at_once_is_drawn_whole() -> None:
    source = svg(explained("x" * 1_000_001))
    assert sum(len(each) for each in re.findall("(?<=>)x+(?=</text>)", source)) == 1_000_001


def test_what_was_not_read_is_told_and_quiet() -> None:
    e = explained("one two three four")
    cut = replace(e, tokens=e.tokens[:2], relevance=e.relevance[:2], known=e.known[:2], read_to=7)
    assert "the rest had no part" in markdown(cut)
    assert r"{\color{gray}" in latex(cut)
    assert 'class="quiet"' in svg(cut)
