"""Templates, the style sheet and the policy of the pages: autoescape everywhere, and no word of a user's in style or script."""

from __future__ import annotations

import base64
import hashlib
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from textlrp.highlight import plain
from textlrp.highlight.scale import DARK, LEVELS, LIGHT, shades

__all__ = ["environment", "policy", "script", "style"]


@cache
def environment(package: str = "textlrp.highlight") -> Environment:
    """Return the environment of a package's templates: what is undefined is an error, what no page can hold is replaced."""
    made = Environment(
        loader=PackageLoader(package), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.finalize = lambda value: plain.encodable(value) if type(value) is str else value
    made.filters["written"] = _written
    return made


def policy(css: str, js: str) -> str:
    """Return the content-security policy of a page that holds this one style sheet and this one script, and nothing else.

    >>> policy("", "").split("; ")[0]
    "default-src 'none'"
    """
    return (
        f"default-src 'none'; style-src 'sha256-{_digest(css)}'; script-src 'sha256-{_digest(js)}'; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def style(further: str = "") -> Markup:
    """Return the style sheet of all pages, with the sheet called `further` after it."""
    colours = {name: list(zip(shades(LIGHT, sign), shades(DARK, sign), strict=True)) for name, sign in (("p", +1), ("n", -1))}
    css = environment().get_template("style.css.j2").render(light=LIGHT, dark=DARK, colours=colours, levels=LEVELS)
    if further:
        css += "\n" + str(script(further))
    return Markup("\n".join(line.strip() for line in css.splitlines() if line.strip()))  # noqa: S704


@cache
def script(name: str) -> Markup:
    """Return a script (or a sheet) that lies among the templates, as it is."""
    source, _, _ = environment().loader.get_source(environment(), name)  # type: ignore[union-attr]
    return Markup(source.strip())  # noqa: S704


def _written(text: str) -> Markup:
    """A text so that the browser's DOM holds it character by character: escaped, carriage returns by number."""
    return Markup(str(escape(plain.encodable(text))).replace("\r", "&#13;"))  # noqa: S704


def _digest(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
