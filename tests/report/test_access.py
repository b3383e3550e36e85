"""The report's page and the audit's for every reader: axe-core, light and dark, wide and narrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from textlrp.cli.audit import audit
from textlrp.report.write import Report

LEVELS = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The audit's page of the bundled reviews."""
    out = tmp_path_factory.mktemp("audit") / "audit.html"
    arguments = ["--model", "imdb-dense", "--data", "bundled", "--html", str(out)]
    assert CliRunner().invoke(audit, arguments, catch_exceptions=False).exit_code == 0
    return out


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("which", ["report", "audit"])
def test_axe_finds_no_violation(
    browser: Any, bundled_report: Report, audited: Path, which: str, width: int, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    tab = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
    tab.goto((audited if which == "audit" else bundled_report.path).as_uri())
    tab.evaluate("document.querySelectorAll('details').forEach((each, i) => { each.open = i % 5 === 0 })")
    result = axe.run(tab, options=LEVELS)
    assert result.violations_count == 0, result.generate_report()
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    tab.close()
