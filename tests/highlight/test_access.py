"""Who can read the page: by keyboard, without colours, without script, on paper; axe-core, and simulated colour blindness."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textlrp.explanation import Explanation
from textlrp.highlight.html import page
from textlrp.highlight.scale import DARK, LIGHT, Theme, rgb, shades

from .conftest import explained

LEVELS = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
TEXT = "A warm, funny film with a dull middle part and one wonderful scene on the harbour, which I shall not forget."

#: Machado, Oliveira & Fernandes (IEEE TVCG 2009), severity 1.0, on linear RGB.
BLINDNESS = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def lab(colour: str, seen: list[list[float]] | None) -> np.ndarray:
    """Give CIE L*a*b* (D65) of #rrggbb, as it is or as somebody with that colour blindness sees it."""
    c = np.array(rgb(colour)) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    if seen is not None:
        linear = np.clip(np.array(seen) @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    f = np.array([v ** (1 / 3) if v > 216 / 24389 else (24389 / 27 * v + 16) / 116 for v in xyz / [0.95047, 1.0, 1.08883]])
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("kind", [None, *BLINDNESS])
def test_the_two_sides_stay_apart_for_colour_blind_readers(theme: Theme, kind: str | None) -> None:
    seen = None if kind is None else BLINDNESS[kind]
    pairs = list(zip(shades(theme, 1), shades(theme, -1), strict=True))
    apart = [float(np.linalg.norm(lab(a, seen) - lab(b, seen))) for a, b in pairs]
    assert apart[-1] >= 35  # full colours; 2 is just noticeable
    assert min(apart[3:]) >= 12
    assert apart == sorted(apart)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_shades_grow_evenly_from_the_ground_on_both_sides(theme: Theme) -> None:
    for sign in (1, -1):
        away = [float(np.linalg.norm(lab(each, None) - lab(theme.ground, None))) for each in shades(theme, sign)]
        assert away == sorted(away)
        assert away[0] < 7  # the weakest is hardly there


def cut(e: Explanation) -> Explanation:
    """Give the explanation as if the model had read six tokens."""
    return replace(e, tokens=e.tokens[:6], relevance=e.relevance[:6], known=e.known[:6], read_to=e.tokens[5].end)


def opened(browser: Any, tmp_path: Path, found: Explanation | list[Explanation], **options: Any) -> Any:
    file = tmp_path / "page.html"
    file.write_text(page(found), "utf-8")
    tab = browser.new_page(**options)
    tab.goto(file.as_uri())
    return tab


def weighed(values: list[float]) -> Explanation:
    """Give an explanation whose first words have these relevances, the rest none."""
    e = explained(TEXT)
    return replace(e, relevance=np.array(values + [0.0] * (len(e.tokens) - len(values))))


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("which", ["several", "cut", "empty"])
def test_axe_finds_no_violation(browser: Any, tmp_path: Path, which: str, width: int, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    e = explained(TEXT)
    found = {"several": [e, explained("dull", seed=3)], "cut": cut(e), "empty": explained("")}[which]
    tab = opened(browser, tmp_path, found, color_scheme=scheme, viewport={"width": width, "height": 900})
    result = axe.run(tab, options=LEVELS)
    assert result.violations_count == 0, result.generate_report()
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    tab.close()


@pytest.mark.browser
def test_the_keyboard_reaches_every_word_and_shows_what_hovering_shows(browser: Any, tmp_path: Path) -> None:
    e = explained(TEXT)
    tab = opened(browser, tmp_path, e)
    words = tab.locator(".text .t")
    assert words.count() == len(e.tokens)
    tip = "node => getComputedStyle(node, '::after').content"
    words.nth(3).focus()
    focused = words.nth(3).evaluate(tip)
    assert "rank" in focused
    assert "% of all" in focused
    assert e.tokens[3].text in focused
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate("document.activeElement.textContent") == e.tokens[4].text
    words.nth(3).hover()
    assert words.nth(3).evaluate(tip) == focused
    tab.close()


@pytest.mark.browser
def test_without_script_the_text_its_shades_and_its_tips_are_there(browser: Any, tmp_path: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    file = tmp_path / "page.html"
    e = weighed([1.0, -1.0])
    file.write_text(page(e), "utf-8")
    tab = context.new_page()
    tab.goto(file.as_uri())
    assert tab.locator(".text").inner_text() == TEXT
    assert tab.locator(".t.p12").inner_text() == "A"
    assert tab.locator(".t.n12").inner_text() == "warm"
    assert not tab.locator(".weak").is_visible()  # the slider needs the script, so it is not offered
    context.close()


@pytest.mark.browser
def test_the_slider_hides_weak_words_and_keeps_strong_ones(browser: Any, tmp_path: Path) -> None:
    tab = opened(browser, tmp_path, weighed([1.0, 0.25]))
    ground = "node => getComputedStyle(node).backgroundColor"
    strong, weak = tab.locator(".t.p12"), tab.locator(".t.p3")
    assert weak.evaluate(ground) != "rgba(0, 0, 0, 0)"
    slider = tab.locator(".weak input")
    slider.focus()
    for _ in range(4):
        tab.keyboard.press("ArrowRight")
    assert weak.evaluate(ground) == "rgba(0, 0, 0, 0)"
    assert strong.evaluate(ground) != "rgba(0, 0, 0, 0)"
    tab.close()


@pytest.mark.browser
def test_merging_shades_neighbours_of_one_sign_as_one_phrase(browser: Any, tmp_path: Path) -> None:
    e = explained("good good bad")
    tab = opened(browser, tmp_path, replace(e, relevance=np.array([1.0, 1.0, -1.0])))
    assert tab.locator(".f").count() == 2
    first = tab.locator(".f").first
    assert first.inner_text() == "good good"
    tab.locator(".merge").check()
    ground = "node => getComputedStyle(node).backgroundColor"
    assert first.evaluate(ground) != "rgba(0, 0, 0, 0)"
    assert tab.locator(".t").first.evaluate(ground) == "rgba(0, 0, 0, 0)"
    tab.close()


@pytest.mark.browser
def test_the_sign_is_told_by_the_line_and_zero_by_no_colour(browser: Any, tmp_path: Path) -> None:
    tab = opened(browser, tmp_path, weighed([1.0, -1.0, 0.0]))
    line = "node => getComputedStyle(node).textDecorationStyle + ' ' + getComputedStyle(node).textDecorationLine"
    assert tab.locator(".t").nth(0).evaluate(line) == "solid underline"
    assert tab.locator(".t").nth(1).evaluate(line) == "dotted underline"
    assert tab.locator(".t").nth(2).evaluate(line).endswith("none")
    assert tab.locator(".t").nth(2).evaluate("node => getComputedStyle(node).backgroundColor") == "rgba(0, 0, 0, 0)"
    tab.close()


@pytest.mark.browser
def test_on_paper_the_text_and_its_shades_stay_and_the_controls_go(browser: Any, tmp_path: Path) -> None:
    tab = opened(browser, tmp_path, weighed([1.0, -1.0]))
    tab.emulate_media(media="print")
    assert tab.locator(".text").is_visible()
    assert not tab.locator(".controls").is_visible()
    assert tab.locator(".t.p12").evaluate("node => getComputedStyle(node).printColorAdjust") == "exact"
    tab.close()


@pytest.mark.browser
def test_unknown_words_are_outlined_and_what_was_not_read_is_grey(browser: Any, tmp_path: Path) -> None:
    tab = opened(browser, tmp_path, cut(explained(TEXT)))
    assert tab.locator(".text .u").first.evaluate("node => getComputedStyle(node).outlineStyle") == "dashed"
    colour = "node => getComputedStyle(node).color"
    assert tab.locator(".tail").evaluate(colour) != tab.locator(".text").evaluate(colour)
    assert "The model read the first" in tab.locator("article").inner_text()
    tab.close()
