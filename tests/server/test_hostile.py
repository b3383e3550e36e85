"""Hostile texts through the endpoint: an answer that holds the text exactly, or a sentence; never a failure."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

import textlrp

PIECES = [
    "<script>window.pwned = 1</script>",
    "<img src=x onerror='window.pwned = 1'>",
    "</script>",
    "<!--",
    "javascript:alert(1)",
    "{{ 7*7 }}",
    "{% for x in y %}",
    "${7*7}",
    "\u202e",
    "\u2066",
    "\u061c",
    "\x00",
    "\x1b[31m",
    "\ud800",
    "\udc00",
    "e" + "\u0301" * 50,
    "\u2028",
    "\ufeff",
    "\uffff",
    "\r\n",
    "\t \n",
    '"',
    "\\",
    "\\ud800",
    "\U0001f469\u200d\U0001f4bb",
    "good",
    "<br /><br />",
    "x" * 2_000,
]
HOSTILE = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(st.characters(codec=None), max_size=80)
JSON = {"content-type": "application/json"}


def refuse(constant: str) -> Any:
    raise AssertionError(f"the answer holds {constant}")


def ask(client: TestClient, path: str, asked: Any) -> Any:
    answer = client.post(f"/api/{path}", content=json.dumps(asked).encode("ascii"), headers=JSON)
    assert answer.status_code in (200, 400, 413, 422)
    assert answer.content.isascii()
    return answer.status_code, json.loads(answer.content, parse_constant=refuse)


@settings(max_examples=60)
@given(HOSTILE)
def test_an_explanation_holds_the_text_exactly(client: TestClient, text: str) -> None:
    text = json.loads(json.dumps(text))  # two halves side by side become the character that they stand for
    status, answer = ask(client, "explain", {"text": text})
    assert status == 200
    assert textlrp.Explanation.from_dict(answer["explanation"]).text == text
    assert "".join(piece["text"] for piece in answer["view"]["pieces"]) == text


@settings(max_examples=25)
@given(HOSTILE, HOSTILE)
def test_other_calls_answer_too(client: TestClient, one: str, other: str) -> None:
    assert ask(client, "predict", {"texts": [one, other]})[0] == 200
    assert ask(client, "compare", {"text": one, "choices": [{}, {"rule": "alpha-beta"}]})[0] == 200
    answer = client.post("/api/export", content=json.dumps({"text": one, "choices": [{}]}), headers=JSON)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")


@settings(max_examples=60)
@given(HOSTILE, st.sampled_from(["model", "rule", "gates", "target"]))
def test_hostile_names_are_answered_with_a_sentence(client: TestClient, name: str, field: str) -> None:
    known = {"model": ["imdb-dense"], "rule": ["default"], "gates": ["all"], "target": ["predicted", "positive"]}[field]
    if name not in known:
        status, problem = ask(client, "explain", {"text": "x", field: name})
        assert status == 422
        assert len(problem["detail"]) < 4_000


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | HOSTILE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HOSTILE, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60)
@given(st.sampled_from(["explain", "compare", "predict", "export"]), VALUES)
def test_any_json_is_answered(client: TestClient, path: str, asked: Any) -> None:
    ask(client, path, asked)


@settings(max_examples=40)
@given(st.sampled_from(["text", "choices", "top", "format", "texts", "model", "target"]), VALUES)
def test_any_value_of_a_field_is_answered(client: TestClient, field: str, value: Any) -> None:
    for path in ("explain", "compare", "predict", "export"):
        answer = client.post(f"/api/{path}", content=json.dumps({"text": "x", "choices": [{}, {}], field: value}), headers=JSON)
        assert answer.status_code in (200, 400, 413, 422)


@pytest.mark.parametrize("word", ["x" * 100_000, "e" + "\u0301" * 100_000, "<" * 100_000, "\u202e" * 100_000])
def test_a_word_of_100000_characters_is_explained_where_it_is_allowed(client_for: Any, word: str) -> None:
    client = client_for(max_characters=200_000, max_tokens=200_000, max_body=2_000_000, seconds=60.0)
    status, answer = ask(client, "explain", {"text": word})
    assert status == 200
    assert textlrp.Explanation.from_dict(answer["explanation"]).text == word


@pytest.mark.parametrize("word", ["x" * 100_000, "<" * 20_000, "\U0001f600" * 20_000, "a.b" * 6_000])
def test_a_long_word_is_refused_where_it_is_not(client: TestClient, word: str) -> None:
    status, problem = ask(client, "explain", {"text": word})
    assert (status, problem["status"]) == (413, 413)
