"""The page that compares methods: the text as written under each, nothing runs, nothing is fetched; script only adds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compare.conftest import HOSTILE_NAME, PIECES, compared, visible
from tests.report.test_report import Elements
from textlrp.comparison import Comparison
from textlrp.errors import InputError
from textlrp.highlight.compare_html import profile

TEXT = "A good film with a bad end, and a very good cast. " * 6


def elements(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Elements()
    parser.feed(page)
    return parser.found


@given(st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join) | st.text(st.characters(codec=None), max_size=60))
def test_no_text_or_name_becomes_an_element_or_an_attribute(text: str) -> None:
    found = elements(compared(text, name=HOSTILE_NAME).to_html(title=HOSTILE_NAME))
    allowed = {tag for tag, _ in elements(compared("a, b").to_html())}
    assert {tag for tag, _ in found} <= allowed
    assert not any(name.startswith("on") or name in ("src", "href", "style") for _, given in found for name in given)


def test_all_methods_are_on_one_normalised_scale_or_on_one_of_relevance() -> None:
    found = compared(TEXT)
    each, shared = found.to_html(), found.to_html(scale="shared")
    assert "100 % is" in each
    assert "+100 %" not in shared
    assert each.count('class="t p12') > shared.count('class="t p12')
    with pytest.raises(InputError, match="did you mean 'shared'"):
        found.to_html(scale="shard")  # type: ignore[arg-type]


def test_every_number_stands_on_the_page() -> None:
    found = compared("good film")
    page = found.to_html()
    assert f">{found.correlation()[0, 1]:+.2f}<".replace("-", "−") in page
    assert "no such package positive" in page
    for row in found.rows:
        assert f">{100 * row.conserved:.1f} %<".replace("-", "−") in page


def test_a_comparison_of_nothing_says_so() -> None:
    assert "There is nothing to compare" in Comparison(()).to_html()


def test_a_profile_keeps_the_strongest_word_of_a_long_text() -> None:
    relevance = np.zeros(3000)
    relevance[2345] = -2.0
    count, up, down = profile(relevance, 2.0)
    assert (count, up, down) == (300, "", "M234 10v10h1v-10z")


class Watched:
    """A tab that notes what a page must not do."""

    def __init__(self, browser: Any, file: Path, *, width: int = 1200, scheme: str = "light", script: bool = True) -> None:
        self.tab = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 800}, java_script_enabled=script)
        self.requests: list[str] = []
        self.problems: list[str] = []
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.on("dialog", lambda dialog: self.problems.append("dialog"))
        self.tab.on("pageerror", lambda error: self.problems.append(str(error)))
        self.tab.on("console", lambda message: self.problems.append(message.text))
        self.tab.goto(file.as_uri())

    def texts(self) -> list[str]:
        return [str(each.text_content()) for each in self.tab.locator(".reading .text").all()]


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    text = "\n".join(PIECES) + " " + " ".join(PIECES)
    file = tmp_path_factory.mktemp("compare") / "hostile.html"
    file.write_text(compared(text, name=HOSTILE_NAME).to_html(title=HOSTILE_NAME), "utf-8")
    return text, file


@pytest.fixture(scope="module")
def plain_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("compare") / "plain.html"
    file.write_text(compared(TEXT).to_html(), "utf-8")
    return file


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_in_a_browser_every_text_is_as_written_and_nothing_runs_or_is_fetched(
    browser: Any, hostile_page: tuple[str, Path], width: int, scheme: str
) -> None:
    text, file = hostile_page
    page = Watched(browser, file, width=width, scheme=scheme)
    page.tab.locator("summary").click()
    for head in page.tab.locator(".sortable button").all():
        head.click()
    page.tab.locator(".reading .t").nth(3).hover()
    assert page.tab.evaluate("typeof window.pwned") == "undefined"
    assert page.texts() == [visible(text)] * 4
    assert page.tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.requests == [file.as_uri()]
    assert page.problems == []
    page.tab.close()


@pytest.mark.browser
def test_without_script_all_is_there(browser: Any, hostile_page: tuple[str, Path]) -> None:
    text, file = hostile_page
    page = Watched(browser, file, script=False)
    assert page.texts() == [visible(text)] * 4
    assert page.tab.locator(".readout").is_hidden()
    assert page.tab.locator(".sortable button").count() == 0
    page.tab.locator("summary").click()
    assert page.tab.locator(".values tbody tr").last.is_visible()
    page.tab.close()


@pytest.mark.browser
def test_the_word_at_hand_is_shown_under_every_method(browser: Any, plain_page: Path) -> None:
    page = Watched(browser, plain_page)
    found = compared(TEXT)
    page.tab.locator(".heatmaps section").nth(1).locator(".t").nth(5).hover()
    assert page.tab.locator(".readout .word").text_content() == found.rows[0].explanation.tokens[5].text
    shown = page.tab.locator(".readout .value").all_text_contents()
    for row, value in zip(found.rows, shown, strict=True):
        assert float(value.replace("−", "-")) == pytest.approx(row.explanation.relevance[5], rel=0.01)
    assert page.tab.locator(".same").count() == 4
    page.tab.close()


@pytest.mark.browser
def test_words_can_be_walked_with_the_keyboard(browser: Any, plain_page: Path) -> None:
    page = Watched(browser, plain_page)
    tokens = compared(TEXT).rows[0].explanation.tokens
    page.tab.locator(".heatmaps section").first.locator(".t").first.focus()
    for key, at in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", len(tokens) - 1), ("Home", 0)):
        page.tab.keyboard.press(key)
        assert page.tab.evaluate("document.activeElement.textContent") == tokens[at].text
        assert f"word {at + 1} of {len(tokens)}" in str(page.tab.locator(".readout .where").text_content())
    page.tab.keyboard.press("Tab")
    assert page.tab.evaluate("document.activeElement.closest('section').querySelector('h3 bdi').textContent") == (
        "method 1 positive"
    )
    page.tab.keyboard.press("Escape")
    assert page.tab.locator(".same").count() == 0
    page.tab.close()


@pytest.mark.browser
def test_a_table_is_sorted_by_its_head(browser: Any, plain_page: Path) -> None:
    page = Watched(browser, plain_page)
    time = page.tab.locator(".figures thead th").last
    names = page.tab.locator(".figures tbody th")
    before = names.all_text_contents()
    time.locator("button").click()
    assert time.get_attribute("aria-sort") == "descending"
    assert names.all_text_contents() == before[::-1]
    time.locator("button").click()
    assert time.get_attribute("aria-sort") == "ascending"
    assert names.all_text_contents() == before
    page.tab.locator("summary").click()
    head = page.tab.locator(".values thead th").nth(2)
    head.locator("button").click()
    shown = page.tab.locator(".values tbody tr td:nth-child(3)").all_text_contents()
    numbers = [float(each.replace("−", "-")) for each in shown]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == len(compared(TEXT).rows[0].explanation.tokens)
    page.tab.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_axe_finds_no_violation(browser: Any, plain_page: Path, scheme: str, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = Watched(browser, plain_page, scheme=scheme, width=width)
    page.tab.locator("summary").click()
    page.tab.locator(".reading .t").nth(4).focus()
    levels = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    found = Axe().run(page.tab, options={"runOnly": {"type": "tag", "values": levels}})
    assert found.violations_count == 0, found.generate_report()
    page.tab.close()
