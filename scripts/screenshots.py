"""Draw the pictures that the README shows, by a Chromium: python scripts/screenshots.py [--only highlight compare report]

Needs what the tests install, and a Chromium on this machine. Reviews are bundled ones.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import textlrp
from textlrp.compare import compare
from textlrp.files import write_bytes, write_text
from textlrp.highlight.html import page

REPORTS = Path(__file__).resolve().parent.parent / "reports"
REVIEW = 7  # of the bundled ones


def main() -> None:
    """Draw them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=["highlight", "compare", "report"])
    chosen = parser.parse_args().only or ["highlight", "compare", "report"]
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if binary is None:
        sys.exit("there is no Chromium on this machine; install one, and run this again")
    from playwright.sync_api import sync_playwright

    reviews = textlrp.load_reviews("bundled")["text"][:]
    classifier = textlrp.load("imdb-lstm")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        if "highlight" in chosen:
            html = Path(folder) / "highlight.html"
            write_text(html, page(classifier.explain(reviews[REVIEW], target="margin")))
            draw(browser, html, "highlight.png", selector="article", width=900)
        if "compare" in chosen:
            html = REPORTS / "compare.html"
            write_text(html, compare(classifier, reviews[REVIEW], target="margin").to_html())
            draw(browser, html, "compare.png", selector="main, body", width=1200, height=1500)
        if "report" in chosen:
            draw(browser, REPORTS / "bundled.html", "report.png", selector="body", width=1100, height=1250)
        browser.close()


def draw(browser: Any, html: Path, name: str, *, selector: str, width: int, height: int = 0) -> None:
    """Write a picture of an element, or of the top of a page where a height is given."""
    tab = browser.new_page(viewport={"width": width, "height": height or 900}, device_scale_factor=1.5)
    tab.goto(html.as_uri())
    found = tab.screenshot() if height else tab.locator(selector).first.screenshot()
    write_bytes(REPORTS / name, found)
    print(f"written: {REPORTS / name}")
    tab.close()


if __name__ == "__main__":
    main()
