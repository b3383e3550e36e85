"""The page itself, its scripts and its sheet, and a description of the endpoint: read once, sent as they are."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Response

from textlrp import __version__
from textlrp.highlight.scale import LEVELS
from textlrp.highlight.templating import environment, style
from textlrp.server.settings import Settings
from textlrp.server.shelf import Shelf

__all__ = ["add"]

_STATIC = files("textlrp.server") / "static"
_KINDS = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}


def add(app: FastAPI, shelf: Shelf, settings: Settings) -> None:
    """Add the routes of the page to `app`."""
    static = {each.name: each.read_bytes() for each in _STATIC.iterdir() if each.name.rpartition(".")[2] in _KINDS}
    static["live.css"] = (str(style()) + "\n").encode() + static["live.css"]
    kept: dict[str, bytes] = {}

    def html(name: str, **values: Any) -> Response:
        if name not in kept:
            template = environment("textlrp.server").get_template(f"{name}.html.j2")
            kept[name] = template.render(levels=LEVELS, version=__version__, **values).encode()
        return Response(kept[name], media_type="text/html; charset=utf-8")

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return html("live", models=shelf.about(), limits=settings.limits())

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return html("docs", endpoints=_endpoints(app.openapi()), limits=settings.limits())

    @app.get("/static/{name}", include_in_schema=False)
    async def file(name: str) -> Response:
        if name not in static:
            from starlette.exceptions import HTTPException

            raise HTTPException(404)
        return Response(static[name], media_type=_KINDS[name.rpartition(".")[2]])


def _endpoints(described: dict[str, Any]) -> list[dict[str, Any]]:
    """What the description of the endpoint lists, from OpenAPI."""
    found = []
    for path, methods in described["paths"].items():
        for method, each in methods.items():
            body = each.get("requestBody", {}).get("content", {}).get("application/json", {})
            answers = [(status, one["description"]) for status, one in each["responses"].items() if status != "200"]
            found.append(
                {
                    "call": f"{method.upper()} {path}",
                    "id": path.strip("/").replace("/", "-"),
                    "path": path,
                    "summary": each["summary"],
                    "fields": _fields(described, body.get("schema", {})),
                    "example": (body.get("schema", {}).get("examples") or body.get("examples") or [None])[0],
                    "problems": answers,
                }
            )
    return found


def _fields(described: dict[str, Any], schema: dict[str, Any]) -> list[tuple[str, str, str]]:
    schema = _resolved(described, schema)
    rows = []
    for name, each in schema.get("properties", {}).items():
        each = _resolved(described, each)
        needed = "required" if name in schema.get("required", ()) else f"default {json.dumps(each.get('default'))}"
        rows.append((name, f"{_kind(described, each)}, {needed}", each.get("description", "")))
    return rows


def _kind(described: dict[str, Any], each: dict[str, Any]) -> str:
    each = _resolved(described, each)
    if "anyOf" in each:
        return " or ".join(_kind(described, one) for one in each["anyOf"])
    if "enum" in each:
        return " or ".join(f'"{one}"' for one in each["enum"])
    if each.get("type") == "array":
        return f"{each['minItems']} to {each['maxItems']} of: {_kind(described, each['items'])}"
    if each.get("type") == "object":
        return f"object with {', '.join(each.get('properties', {}))}"
    most = f" of at most {each['maxLength']:,} characters" if "maxLength" in each else ""
    if "maximum" in each:
        most = f" from {each.get('minimum', 0):,.0f} to {each['maximum']:,.0f}"
    return f"{each.get('type', 'anything')}{most}"


def _resolved(described: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        found = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        assert isinstance(found, dict)
        return found
    return schema
