"""The bundled reviews: many, balanced, of every style and length, and no two alike."""

from __future__ import annotations

import html
import json
import re
from collections import Counter

import pytest

from textlrp.resources import bundled
from textlrp.text.sources import load_reviews

STYLES = {
    *("plain", "negated", "contrasting", "ironic", "mixed", "markup", "emoji", "caps", "typos", "short", "long"),
    *("rating", "url", "quotes", "names", "list", "question", "story"),
}


@pytest.fixture(scope="module")
def rows():
    lines = bundled("reviews.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _words(text):
    return re.findall(r"\w+", html.unescape(text).casefold())


def _of(rows, style):
    return [row["text"] for row in rows if row["style"] == style]


def test_each_line_has_the_same_four_fields(rows):
    assert {tuple(row) for row in rows} == {("id", "text", "label", "style")}


def test_there_are_more_than_two_hundred(rows):
    assert len(rows) >= 220


def test_ids_are_unique(rows):
    assert len({row["id"] for row in rows}) == len(rows)


def test_half_are_positive(rows):
    assert Counter(row["label"] for row in rows) == {"positive": len(rows) // 2, "negative": len(rows) // 2}


@pytest.mark.parametrize("style", sorted(STYLES))
def test_every_style_has_positive_and_negative_reviews(rows, style):
    labels = Counter(row["label"] for row in rows if row["style"] == style)
    assert min(labels["positive"], labels["negative"]) >= 4


def test_there_are_no_other_styles(rows):
    assert {row["style"] for row in rows} == STYLES


def test_lengths_go_from_a_word_to_hundreds(rows):
    lengths = sorted(len(_words(row["text"])) for row in rows)
    assert lengths[0] <= 3
    assert lengths[-4] >= 400


def test_there_are_short_middling_and_long_reviews(rows):
    lengths = Counter(min(len(_words(row["text"])) // 25, 4) for row in rows)
    assert min(lengths[bin_] for bin_ in range(5)) >= 10


def test_no_two_reviews_share_more_than_two_phrases_of_five_words(rows):
    grams = []
    for row in rows:
        words = _words(row["text"])
        grams.append({tuple(words[start : start + 5]) for start in range(len(words) - 4)})
    shared = {
        (rows[a]["id"], rows[b]["id"]): len(grams[a] & grams[b])
        for a in range(len(rows))
        for b in range(a)
        if len(grams[a] & grams[b]) > max(2, 0.02 * min(len(grams[a]), len(grams[b])))
    }
    assert not shared


def test_no_two_reviews_begin_alike(rows):
    beginnings = Counter(tuple(_words(row["text"])[:4]) for row in rows)
    assert [beginning for beginning, count in beginnings.items() if count > 1] == []


def test_a_word_of_praise_does_not_give_the_label_away(rows):
    with_praise = [
        row["label"] for row in rows if {"good", "great", "funny", "beautiful", "wonderful"} & set(_words(row["text"]))
    ]
    assert min(Counter(with_praise).values()) >= 20


def test_markup_has_tags_or_entities(rows):
    assert all(re.search(r"<\w+|&#?\w+;", text) for text in _of(rows, "markup"))


def test_most_markup_has_line_breaks(rows):
    assert sum("<br />" in text for text in _of(rows, "markup")) >= 8


def test_emoji_are_there(rows):
    assert all(re.search("[\U0001f300-\U0001faff\u2600-\u27bf\u2b50]", text) for text in _of(rows, "emoji"))


def test_caps_are_there(rows):
    assert all(sum(map(str.isupper, text)) > 0.15 * sum(map(str.isalpha, text)) for text in _of(rows, "caps"))


def test_ratings_hold_numbers(rows):
    assert all(re.search(r"\d", text) for text in _of(rows, "rating"))


def test_addresses_are_reserved_for_examples(rows):
    hosts = [host for row in rows for host in re.findall(r"(?:https?://|www\.|@)([\w.-]+\.\w+)", row["text"])]
    assert len(hosts) >= 6
    assert all(host.endswith(".example") or host.startswith("example.") or ".example." in host for host in hosts)


def test_names_are_in_other_scripts(rows):
    assert all(re.search(r"[^\x00-\x7f‘’“”–—…]", text) for text in _of(rows, "names"))


def test_lists_have_lines(rows):
    assert sum(text.count("\n") >= 3 for text in _of(rows, "list")) >= 8


def test_the_loader_gives_the_same_rows(rows):
    data = load_reviews("bundled")
    names = data.features["label"].names
    read = [
        (id_, text, names[label]) for id_, text, label in zip(data["id"][:], data["text"][:], data["label"][:], strict=True)
    ]
    assert read == [(row["id"], row["text"], row["label"]) for row in rows]
