"""The endpoint: answers that are Explanations, and refusals that are sentences."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

import textlrp
from textlrp.highlight.html import page, review_view
from textlrp.highlight.scale import limits
from textlrp.server import schemas

TEXT = "Not bad at all, but the ending was a mess.\n\n  7/10"


def explain(client: TestClient, **asked: Any) -> Any:
    return client.post("/api/explain", json={"text": TEXT, **asked})


@pytest.mark.parametrize("model", ["imdb-dense", "imdb-lstm"])
@pytest.mark.parametrize(
    ("target", "rule"), [("predicted", "default"), ("margin", "gamma"), (0, "zero"), ("positive", "epsilon")]
)
def test_an_answer_is_the_explanation_that_python_gives(client: TestClient, model: str, target: Any, rule: str) -> None:
    answer = explain(client, model=model, target=target, rule=rule).json()
    expected = textlrp.load(model).explain(TEXT, target=target, rule=rule)
    found = textlrp.Explanation.from_dict(answer["explanation"])
    assert found.tokens == expected.tokens
    assert found.relevance == pytest.approx(expected.relevance, rel=1e-4, abs=1e-6)
    assert (found.target, found.rule, found.model) == (expected.target, expected.rule, expected.model)


def test_the_page_draws_what_an_exported_page_draws(client: TestClient) -> None:
    answer = explain(client, model="imdb-lstm", top=3).json()
    e = textlrp.Explanation.from_dict(answer["explanation"])
    assert answer["view"] == json.loads(json.dumps(review_view(e, limits([e], "each")[0], "", 3)))


@pytest.mark.parametrize(
    ("path", "asked", "schema"),
    [
        ("explain", {"text": TEXT}, schemas.ExplainAnswer),
        ("explain", {"text": ""}, schemas.ExplainAnswer),
        ("compare", {"text": TEXT, "choices": [{}, {"model": "imdb-lstm"}]}, schemas.CompareAnswer),
        ("predict", {"texts": [TEXT, ""]}, schemas.PredictAnswer),
    ],
)
def test_answers_keep_what_openapi_says(client: TestClient, path: str, asked: Any, schema: Any) -> None:
    answer = client.post(f"/api/{path}", json=asked)
    assert answer.status_code == 200
    schema.model_validate(answer.json())
    described = client.get("/openapi.json").json()["paths"][f"/api/{path}"]["post"]
    reference = described["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    assert reference.endswith("/" + schema.__name__)


def test_models_and_health_keep_what_openapi_says(client: TestClient) -> None:
    offered = schemas.Models.model_validate(client.get("/api/models").json())
    assert [each.name for each in offered.models] == ["imdb-dense", "imdb-lstm"]
    assert {each.name for each in offered.rules} == {"default", *textlrp.lrp.PRESETS}
    assert client.get("/api/health").json() == {"status": "ok", "version": textlrp.__version__}


def test_openapi_says_how_long_a_text_may_be(client: TestClient) -> None:
    found = client.get("/openapi.json").json()["components"]["schemas"]
    assert found["ExplainRequest"]["properties"]["text"]["maxLength"] == 20_000
    references = set(_references(client.get("/openapi.json").json()))
    assert {each.rpartition("/")[2] for each in references} <= set(found)


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [each for one in value.values() for each in _references(one)]
    return [each for one in value for each in _references(one)] if isinstance(value, list) else []


def test_the_description_lists_every_call_and_loads_nothing_from_elsewhere(client: TestClient) -> None:
    described = client.get("/docs").text
    for path in client.get("/openapi.json").json()["paths"]:
        assert f" {path}</code>" in described
    assert "://" not in described.replace("http://www.w3.org/", "")
    assert "<script" not in described


def test_compared_explanations_share_a_scale(client: TestClient) -> None:
    choices = [{"model": "imdb-dense"}, {"model": "imdb-lstm", "rule": "gamma"}]
    answers = client.post("/api/compare", json={"text": TEXT, "choices": choices}).json()
    one, other = answers["answers"]
    assert one["view"]["ends"][0] == other["view"]["ends"][0]
    matrix = answers["correlation"]
    assert matrix[0][0] == pytest.approx(1)
    assert matrix[0][1] == matrix[1][0]
    assert -1 <= matrix[0][1] <= 1


def test_the_correlation_of_what_says_nothing_is_null(client: TestClient) -> None:
    answer = client.post("/api/compare", json={"text": "", "choices": [{}, {"rule": "gamma"}]}).json()
    assert answer["correlation"] == [[None, None], [None, None]]


def test_predictions_are_those_of_python(client: TestClient) -> None:
    texts = ["A warm, funny film.", "A dull, lifeless film.", ""]
    found = client.post("/api/predict", json={"texts": texts, "model": "imdb-lstm"}).json()["predictions"]
    expected = textlrp.load("imdb-lstm").predict_proba(texts)
    for each, row in zip(found, expected.tolist(), strict=True):
        assert list(each["probabilities"].values()) == pytest.approx(row, abs=1e-4)


def test_an_exported_page_is_the_page_of_python(client: TestClient) -> None:
    answer = client.post("/api/export", json={"text": TEXT, "choices": [{"model": "imdb-dense"}]})
    e = textlrp.load("imdb-dense").explain(TEXT)
    assert answer.text == page([e])
    assert answer.headers["content-disposition"] == 'attachment; filename="explanation.html"'


def test_exported_markdown_and_pictures_are_those_of_python(client: TestClient) -> None:
    expected = textlrp.load("imdb-dense").explain(TEXT)
    for form, kind, content in (
        ("md", "text/markdown", expected.to_markdown()),
        ("svg", "image/svg+xml", expected.to_svg()),
    ):
        answer = client.post("/api/export", json={"text": TEXT, "choices": [{"model": "imdb-dense"}], "format": form})
        assert answer.headers["content-type"].startswith(kind)
        assert f"explanation.{form}" in answer.headers["content-disposition"]
        assert answer.text == content


def test_a_picture_of_two_explanations_is_refused_with_advice(client: TestClient) -> None:
    answer = client.post("/api/export", json={"text": TEXT, "choices": [{}, {"rule": "zero"}], "format": "svg"})
    assert answer.status_code == 422
    assert "save the page instead" in answer.json()["detail"]


def test_exported_json_is_read_back(client: TestClient) -> None:
    one = client.post("/api/export", json={"text": TEXT, "choices": [{}], "format": "json"})
    assert textlrp.Explanation.from_json(one.content).text == TEXT
    two = client.post("/api/export", json={"text": TEXT, "choices": [{}, {"rule": "zero"}], "format": "json"})
    assert [textlrp.Explanation.from_dict(each).rule for each in two.json()] == ["epsilon", "zero"]


@pytest.mark.parametrize(
    ("asked", "status", "sentence"),
    [
        ({"rule": "epsilom"}, 422, "did you mean 'epsilon'?"),
        ({"model": "imdb-lst"}, 422, "did you mean 'imdb-lstm'?"),
        ({"gates": "al"}, 422, "did you mean 'all'?"),
        ({"target": "positiv"}, 422, "Known: negative, positive"),
        ({"target": 2}, 422, "0 to 1"),
        ({"target": True}, 422, "target"),
        ({"top": 51}, 422, "top: Input should be less than or equal to 50"),
        ({"text": 7}, 422, "text: a text must be a string"),
        ({"text": None}, 422, "text: a text must be a string"),
        ({"texts": []}, 422, "texts: Extra inputs are not permitted"),
        ({"text": "x" * 20_001}, 413, "20,001 characters; this server takes at most 20,000"),
        ({"text": "a " * 4_001}, 413, "4,001 tokens; this server takes at most 4,000"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(client: TestClient, asked: Any, status: int, sentence: str) -> None:
    answer = explain(client, **asked)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = schemas.ProblemAnswer.model_validate(answer.json())
    assert problem.status == status
    assert sentence in problem.detail


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"text": "x", "top": ' + b"9" * 9_000 + b"}", b"null", b'"x"', b"[]"]
)
def test_what_is_no_request_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post("/api/explain", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "given", ["../imdb-dense", "/etc", "data/models/imdb-gru", "imdb-gru", "", ".", "imdb-dense/../imdb-gru"]
)
def test_only_models_named_at_the_start_can_be_had(client: TestClient, given: str) -> None:
    answer = explain(client, model=given)
    assert answer.status_code == 422
    assert "Known: imdb-dense, imdb-lstm" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path", ["/nothing", "/static/nothing.js", "/static/../app.py", "/api/", "/redoc", "/docs/oauth2-redirect"]
)
def test_what_is_not_there_is_a_problem_too(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_several_texts_count_together(client: TestClient) -> None:
    answer = client.post("/api/predict", json={"texts": ["x" * 11_000] * 2})
    assert (answer.status_code, "together 22,000 characters" in answer.json()["detail"]) == (413, True)
