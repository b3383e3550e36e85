"""The page in a real Chromium against a real server: what is typed is shown exactly, nothing runs, nothing is fetched."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import textlrp
from textlrp.highlight.html import page as exported_page

pytestmark = pytest.mark.browser

HOSTILE = [
    "<script>window.pwned = 1</script>",
    "<img src=x onerror='window.pwned = 1'><svg onload='window.pwned = 1'>",
    "</script></textarea></article></body>",
    "<a href='javascript:window.pwned=1'>y</a> <a href='http://example.com/x'>z</a>",
    "{{ 7*7 }} {% for x in y %} ${window.pwned = 1} <!-- ]]> &amp; &lt;",
    "<style>*{display:none}</style><base href='http://example.com/'>",
    "\u202eright to left\u202c \u2066isolate\u2069 \u200f mark",
    "e" + "\u0301" * 200 + " \U0001f469\u200d\U0001f4bb \ufeff \u2028 \x1b[31m \x00 end",
    "\ud800 alone, and \udc00 too",
    "  two spaces\t\ttabs\n\n\nlines\n",
    "x" * 10_000,
]

CHANGE = "text => { const box = document.getElementById('text'); box.value = text; box.dispatchEvent(new Event('input')); }"


class Tab:
    """A tab that keeps what must not happen: requests, errors, dialogs, violations of the policy."""

    def __init__(self, browser: Any, address: str, *, link: str = "", **options: Any) -> None:
        self.address = address
        self.context = browser.new_context(accept_downloads=True, **{"viewport": {"width": 1280, "height": 800}, **options})
        self.page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.requests: list[str] = []
        self.problems: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", lambda dialog: self.problems.append(f"dialog: {dialog.message}"))
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("console", lambda said: said.type in ("error", "warning") and self.problems.append(said.text))
        self.page.add_init_script(
            "window.violations = []; document.addEventListener('securitypolicyviolation', e => violations.push(e.blockedURI));"
        )
        self.page.goto(address + "/" + link)
        self.settle()

    def settle(self) -> None:
        self.page.wait_for_selector("#answer-1:not([hidden])")
        self.page.wait_for_function("() => !document.getElementById('answers').hasAttribute('aria-busy')")

    def write(self, text: str, *, number: int = 1) -> None:
        """Put a text in as pasting does, and wait until it is explained."""
        self.page.evaluate(CHANGE, text)
        self.page.wait_for_function(
            "([id, text]) => document.querySelector(id + ' > .text').textContent === text"
            " && !document.getElementById('answers').hasAttribute('aria-busy')",
            arg=[f"#answer-{number}", text],
        )

    def shown(self, number: int = 1) -> str:
        text = self.page.locator(f"#answer-{number} > .text").evaluate("node => node.textContent")
        assert isinstance(text, str)
        return text

    def check(self) -> None:
        assert self.problems == []
        assert self.page.evaluate("violations") == []
        assert self.page.evaluate("typeof window.pwned") == "undefined"
        assert all(url.startswith(self.address + "/") or url.startswith("blob:" + self.address) for url in self.requests)

    def close(self) -> None:
        self.context.close()


@pytest.fixture(scope="module")
def tab(browser: Any, server: tuple[str, Path]) -> Iterator[Tab]:
    made = Tab(browser, server[0], link="#model=imdb-dense")
    yield made
    made.check()
    made.close()


@pytest.mark.parametrize("text", [*HOSTILE, "\n".join(HOSTILE)], ids=range(len(HOSTILE) + 1))
def test_hostile_texts_are_shown_exactly_and_do_nothing(tab: Tab, text: str) -> None:
    tab.write(text)
    assert tab.shown() == text
    assert tab.page.locator("#answer-1 > .text *:not(span)").count() == 0
    assert tab.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    tab.check()


def test_an_empty_text_is_explained_too(tab: Tab) -> None:
    tab.write("x")
    tab.write("")
    assert tab.page.locator("#answer-1 > .empty").is_visible()
    assert "Prediction" in tab.page.locator("#answer-1 .verdict").inner_text()
    tab.check()


SPANS = "node => Array.from(node.querySelectorAll('span'), s => [s.className, s.textContent, s.getAttribute('data-tip') || ''])"


def test_the_live_page_shades_exactly_as_an_exported_page(browser: Any, tab: Tab, tmp_path: Path) -> None:
    text = "Not bad at all, but the ending\nwas a zzxxqq mess. It isn't <b>good</b>."
    tab.write(text)
    live = tab.page.locator("#answer-1 > .text").evaluate(SPANS)
    file = tmp_path / "page.html"
    file.write_text(exported_page(textlrp.load("imdb-dense").explain(text)), "utf-8")
    other = browser.new_page(viewport={"width": 1280, "height": 800})
    other.goto(file.as_uri())
    assert live == other.locator(".text").evaluate(SPANS)
    colours = "node => Array.from(node.querySelectorAll('.t'), s => getComputedStyle(s).backgroundColor)"
    found = tab.page.locator("#answer-1 > .text").evaluate(colours)
    assert found == other.locator(".text").evaluate(colours)
    assert len(set(found)) > 3
    other.close()


def test_typing_colours_and_the_latest_answer_wins(browser: Any, server: tuple[str, Path]) -> None:
    tab = Tab(browser, server[0], link="#model=imdb-lstm")
    tab.page.locator("#text").press_sequentially("A dull film, and yet I loved it", delay=15)
    tab.page.wait_for_function(
        "() => document.querySelector('#answer-1 > .text').textContent === 'A dull film, and yet I loved it'"
    )
    assert tab.page.locator("#answer-1 .t").count() == 9
    assert sum("/api/explain" in url for url in tab.requests) < len("A dull film, and yet I loved it")
    tab.check()
    tab.close()


def test_an_answer_that_comes_too_late_is_dropped(browser: Any, server: tuple[str, Path]) -> None:
    tab = Tab(browser, server[0], link="#model=imdb-dense")
    held: list[Any] = []
    tab.page.route("**/api/explain", lambda route: held.append(route) if not held else route.continue_())
    with tab.page.expect_request("**/api/explain"):
        tab.page.evaluate(CHANGE, "first")
    tab.write("second")
    with suppress(Exception):  # the page has broken the request off: better still
        held[0].continue_()
    tab.page.wait_for_timeout(300)
    assert tab.shown() == "second"
    tab.close()


def test_the_link_holds_the_settings_and_no_url_or_log_the_text(browser: Any, server: tuple[str, Path]) -> None:
    address, log = server
    tab = Tab(browser, address)
    secret = "zebrafish unicorn"
    tab.write(secret)
    tab.page.select_option("#choice-1 [name=model]", "imdb-dense")
    tab.page.select_option("#choice-1 [name=rule]", "gamma")
    tab.page.select_option("#choice-1 [name=target]", "margin")
    tab.page.check("#compare")
    tab.page.select_option("#choice-2 [name=model]", "imdb-lstm")
    tab.page.select_option("#choice-2 [name=gates]", "half")
    tab.page.locator("#answer-1 .merge").check()
    tab.page.locator("#answer-1 input[type=range]").fill("3")
    tab.settle()
    with tab.page.expect_download() as waiting:
        tab.page.click("[data-export=json]")
    assert [each["text"] for each in json.loads(Path(waiting.value.path()).read_text())] == [secret, secret]
    link = tab.page.url
    for word in secret.split():
        assert not any(word in url for url in (*tab.requests, link))
        assert word not in log.read_text("utf-8")
    assert "POST /api/explain 200" in log.read_text("utf-8")
    tab.check()
    again = Tab(browser, address, link="#" + link.partition("#")[2])
    again.write("good", number=2)
    settings = (
        "Array.from(document.querySelectorAll('select'), s => s.value).concat(document.querySelector('.merge').checked,"
        "document.querySelector('#answer-2 input[type=range]').value)"
    )
    wanted = ["imdb-dense", "margin", "gamma", "all", "imdb-lstm", "predicted", "default", "half", True, "3"]
    assert again.page.evaluate(settings) == tab.page.evaluate(settings) == wanted
    assert again.page.url == link
    assert again.page.input_value("#text") == "good"
    again.check()
    tab.close()
    again.close()


def test_a_link_with_unknown_settings_is_said_and_does_no_harm(browser: Any, server: tuple[str, Path]) -> None:
    tab = Tab(browser, server[0], link="#model=<script>alert(1)</script>&rule=gamma&hide=-7&gates=__proto__")
    assert "which this server does not have" in tab.page.locator("#problem").inner_text()
    assert tab.page.input_value("#choice-1 [name=rule]") == "gamma"
    tab.check()
    tab.close()


def test_two_settings_stand_side_by_side_on_one_scale(browser: Any, server: tuple[str, Path]) -> None:
    tab = Tab(browser, server[0], link="#model=imdb-dense&rule=epsilon&model2=imdb-lstm&rule2=epsilon")
    tab.write("A dull film, and yet I loved it", number=2)
    boxes = [tab.page.locator(f"#answer-{i}").bounding_box() for i in (1, 2)]
    assert abs(boxes[0]["y"] - boxes[1]["y"]) < 2
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    ends = [tab.page.locator(f"#answer-{i} .ends.single").inner_text() for i in (1, 2)]
    assert ends[0] == ends[1]
    assert re.search(r"rank correlation -?[01]\.\d\d", tab.page.locator("#alike").inner_text())
    assert "imdb-lstm" in tab.page.locator("#answer-2 .label").inner_text()
    tab.page.uncheck("#compare")
    tab.settle()
    tab.page.wait_for_selector("#answer-2", state="hidden")
    tab.check()
    tab.close()


def test_saved_files_hold_what_is_seen(browser: Any, server: tuple[str, Path]) -> None:
    tab = Tab(browser, server[0], link="#model=imdb-dense&rule=gamma")
    tab.write("A dull film")
    with tab.page.expect_download() as waiting:
        tab.page.click("[data-export=html]")
    assert waiting.value.suggested_filename == "explanation.html"
    expected = exported_page(textlrp.load("imdb-dense").explain("A dull film", rule="gamma"))
    assert Path(waiting.value.path()).read_text("utf-8") == expected
    tab.check()
    tab.close()


def test_errors_are_said_in_the_page(browser: Any, server: tuple[str, Path]) -> None:
    tab = Tab(browser, server[0], link="#model=imdb-dense")
    tab.page.evaluate(CHANGE, "x" * 30_000)
    tab.page.wait_for_selector("#problem:not([hidden])")
    assert "30,000 characters; this server takes at most 20,000" in tab.page.locator("#problem").inner_text()
    assert tab.page.locator("#problem").get_attribute("role") == "alert"
    tab.write("short again")
    assert not tab.page.locator("#problem").is_visible()
    tab.page.route("**/api/explain", lambda route: route.abort())
    tab.page.evaluate(CHANGE, "nobody answers")
    tab.page.wait_for_selector("#problem:not([hidden])")
    assert "does not answer" in tab.page.locator("#problem").inner_text()
    tab.close()


def test_everything_can_be_reached_and_used_by_keyboard(browser: Any, server: tuple[str, Path]) -> None:
    tab = Tab(browser, server[0], link="#model=imdb-lstm")
    keys = tab.page.keyboard
    keys.press("Tab")  # the link to the endpoint
    keys.press("Tab")
    keys.type("A dull film")
    tab.page.wait_for_function("() => document.querySelector('#answer-1 > .text').textContent === 'A dull film'")
    reached = []
    for _ in range(30):
        keys.press("Tab")
        reached.append(
            tab.page.evaluate("(e => e.name || e.id || e.dataset.export || e.className || e.type)(document.activeElement)")
        )
        if "t" in reached[-1].split():
            break
    wanted = ["example", "clear", "model", "target", "rule", "gates", "compare", "html", "json", "link", "merge"]
    assert set(wanted) <= set(reached)
    active = "document.activeElement.textContent"
    assert tab.page.evaluate(active) == "A"
    tip = "getComputedStyle(document.activeElement, '::after').content"
    keys.press("ArrowRight")
    assert tab.page.evaluate(active) == "dull"
    assert "rank" in tab.page.evaluate(tip)
    keys.press("Escape")
    assert tab.page.evaluate(tip) == "none"
    keys.press("End")
    assert tab.page.evaluate(active) == "film"
    tab.check()
    tab.close()


LEVELS = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def accessible(tab: Tab) -> bool:
    """Whether axe-core finds nothing to complain of, and nothing stands out of the window."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(tab.page, options=LEVELS)
    assert found.violations_count == 0, found.generate_report()
    return bool(tab.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.parametrize(
    ("scheme", "width", "height"), [("light", 1280, 900), ("dark", 1280, 900), ("light", 360, 740), ("dark", 360, 740)]
)
def test_no_violation_of_wcag_is_found(browser: Any, server: tuple[str, Path], scheme: str, width: int, height: int) -> None:
    tab = Tab(browser, server[0], color_scheme=scheme, viewport={"width": width, "height": height})
    tab.write("")
    assert accessible(tab)
    if not tab.page.locator("#compare").is_visible():
        tab.page.click("summary")
    tab.page.check("#compare")
    tab.write("A dull film, and yet I loved it; zzxxqq!\nNot bad.", number=2)
    assert accessible(tab)
    tab.page.evaluate(CHANGE, "x" * 30_000)
    tab.page.wait_for_selector("#problem:not([hidden])")
    assert accessible(tab)
    tab.page.goto(server[0] + "/docs")
    assert accessible(tab)
    tab.close()


def test_what_the_model_did_not_read_is_grey_and_said(browser: Any, server: tuple[str, Path]) -> None:
    tab = Tab(browser, server[0], link="#model=imdb-dense", color_scheme="dark")
    tab.write("good " * 3_001)
    assert tab.page.locator("#answer-1 .tail").inner_text().strip() == "good"
    assert "read the first 14,999 of 15,005 characters" in tab.page.locator("#answer-1 > .note").inner_text()
    assert "underline" not in tab.page.evaluate("getComputedStyle(document.querySelector('#answer-1 > .note')).textDecoration")
    tab.check()
    tab.close()
