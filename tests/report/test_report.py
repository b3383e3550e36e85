"""The report: what stands in it is so, and nothing in it runs."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textlrp.errors import InputError
from textlrp.report.gather import gather
from textlrp.report.write import Report, report


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def elements(path: Path) -> list[tuple[str, dict[str, str | None]]]:
    parser = Elements()
    parser.feed(path.read_text("utf-8"))
    return parser.found


def test_memory_and_order_do_not_matter_to_what_is_gathered(hostile: Any) -> None:
    classifier, texts, labels = hostile
    found = gather(classifier, texts, labels)
    assert np.allclose(found.probabilities, classifier.predict_proba(texts), atol=1e-5)
    assert found.tokens == sum(len(e.tokens) for e in classifier.explain_many(texts))
    assert sum(found.ledger.values()) == pytest.approx(found.score, rel=1e-4)


def test_the_words_of_a_class_are_its_own(hostile: Any) -> None:
    classifier, texts, labels = hostile
    words = {side.name: {row.word for row in side.words.top(4)} for side in gather(classifier, texts, labels).sides()}
    assert "warm" in words["<b>good</b>"]
    assert "dull" in words['bad & "worse"']


def test_the_most_confident_errors_come_first(hostile: Any) -> None:
    classifier, texts, labels = hostile
    wrong = gather(classifier, texts, labels, most_wrong=5).wrong
    sure = [e.probabilities[e.prediction] for _, e in wrong]
    assert len(wrong) == 5
    assert sure == sorted(sure, reverse=True)
    proba = classifier.predict_proba(texts)
    missed = proba.argmax(axis=1) != np.array(labels)
    assert sure[0] == pytest.approx(proba.max(axis=1)[missed].max(), abs=1e-5)


def test_no_text_or_name_becomes_an_element(hostile_report: Report) -> None:
    found = elements(hostile_report.path)
    tags = [tag for tag, _ in found]
    assert tags.count("script") == 1
    assert not {"img", "b", "u", "iframe", "form", "link", "object"} & set(tags)
    assert not [name for _, attributes in found for name in attributes if name.startswith("on") or name == "style"]


def test_links_lead_only_to_its_own_pages(hostile_report: Report) -> None:
    links = [attributes["href"] or "" for tag, attributes in elements(hostile_report.path) if tag == "a"]
    inside = [link for link in links if link.startswith("#")]
    beside = [link for link in links if not link.startswith("#")]
    ids = {attributes.get("id") for _, attributes in elements(hostile_report.path)}
    assert all(link[1:] in ids for link in inside)
    assert beside
    assert all((hostile_report.path.parent / link).is_file() for link in beside)


def test_no_id_stands_twice(bundled_report: Report) -> None:
    ids = [attributes["id"] for _, attributes in elements(bundled_report.path) if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_template_syntax_in_a_text_is_not_run(hostile_report: Report) -> None:
    page = hostile_report.path.read_text("utf-8")
    assert "{{ 7*7 }}" in page
    assert not re.search(r"so-so\s+49", page)


def test_the_policy_forbids_everything_but_the_two_own_parts(bundled_report: Report) -> None:
    policy = next(a["content"] for tag, a in elements(bundled_report.path) if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_the_page_stays_small_and_its_examples_lie_beside_it(bundled_report: Report) -> None:
    assert bundled_report.path.stat().st_size < 400_000
    assert bundled_report.folder is not None
    assert len(list(bundled_report.folder.glob("*.html"))) >= 2


def test_labels_that_do_not_fit_are_refused(hostile: Any, tmp_path: Path) -> None:
    classifier, texts, labels = hostile
    with pytest.raises(InputError, match="indices from 0 to 2"):
        report(classifier, texts, [9] * len(texts), tmp_path / "r.html")
    with pytest.raises(InputError, match="one label for each"):
        report(classifier, texts, labels[:-1], tmp_path / "r.html")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["precious.txt", "errors-1.html.bak", "errors-one.html"])
def test_a_folder_that_holds_what_no_report_wrote_is_left_alone(
    name: str, hostile: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier, texts, labels = hostile
    monkeypatch.setattr("textlrp.report.write.gather", lambda *_, **__: pytest.fail("the texts were explained"))
    (tmp_path / "r-examples").mkdir()
    (tmp_path / "r-examples" / name).write_text("thesis")
    with pytest.raises(InputError, match=f"holds '{name}', which no report wrote.*move it away"):
        report(classifier, texts, labels, tmp_path / "r.html")
    assert (tmp_path / "r-examples" / name).read_text() == "thesis"


def test_the_pages_of_an_earlier_report_are_replaced(hostile: Any, tmp_path: Path) -> None:
    classifier, texts, labels = hostile
    for examples in (20, 3):
        written = report(classifier, texts, labels, tmp_path / "r.html", audited=False, compared=0, examples=examples)
        assert written.folder is not None
    assert sorted(each.name for each in written.folder.iterdir()) == ["errors-1.html", "right-1.html"]
    assert "Errors 1 to 3" in written.path.read_text("utf-8")


def test_without_errors_audit_or_examples_there_is_still_a_page(hostile: Any, tmp_path: Path) -> None:
    classifier, texts, _ = hostile
    right = classifier.predict_proba(texts).argmax(axis=1).tolist()
    written = report(classifier, texts[:6], right[:6], tmp_path / "r.html", audited=False, examples=0)
    assert "There are none." in written.path.read_text("utf-8")
    assert [each.name for each in tmp_path.iterdir()] == ["r.html"]


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_opens_it_without_a_request_or_a_foreign_script(
    browser: Any, hostile_report: Report, bundled_report: Report, scheme: Any
) -> None:
    for written in (hostile_report, bundled_report):
        page = browser.new_page(color_scheme=scheme, viewport={"width": 390, "height": 800})
        requests: list[str] = []
        said: list[str] = []
        page.on("request", lambda request, to=requests: to.append(request.url))
        page.on("console", lambda message, to=said: to.append(message.text))
        page.on("pageerror", lambda error, to=said: to.append(str(error)))
        page.on("dialog", lambda dialog, to=said: to.append(dialog.message))
        page.goto(written.path.as_uri())
        for summary in page.locator("summary").all():
            summary.evaluate("each => each.parentElement.open = true")
        assert requests == [written.path.as_uri()]
        assert said == []
        assert page.title() not in ("run", "1")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
