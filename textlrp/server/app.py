"""The application: routes, errors, OpenAPI; `create_app` makes it, guarded."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any

from textlrp import __version__
from textlrp.errors import MissingPackageError
from textlrp.server.settings import Settings

try:
    from fastapi import Body, FastAPI, Request, Response
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException
except ImportError as error:  # pragma: no cover
    raise MissingPackageError("the live page needs FastAPI and uvicorn: pip install 'textlrp[serve]'") from error

from textlrp.highlight.plain import short
from textlrp.server import answers, pages, schemas
from textlrp.server.guards import Guards
from textlrp.server.jobs import Jobs
from textlrp.server.problems import MEDIA_TYPE, Gone, Problem, body_of
from textlrp.server.shelf import Shelf

__all__ = ["create_app"]

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": what, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}}}
    for status, what in {
        400: "The body is not JSON.",
        403: "A page of another site sent it.",
        408: "The body did not arrive in time.",
        413: "The request or its text is too long.",
        415: "It is not application/json.",
        422: "A field or a name is not allowed.",
        429: "Too many requests; Retry-After says when to come back.",
        503: "Too much waits, or it took too long; Retry-After says when to come back.",
    }.items()
}
_ABOUT = (
    "Which words made the classifier say that? Texts are classified and explained by layer-wise relevance propagation. "
    "They are held in memory for as long as their request lasts, and are neither stored nor logged."
)
_EXAMPLE = {"text": "Not bad at all, but the ending was a mess."}
_EXPORTED = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "md": "text/markdown; charset=utf-8",
    "svg": "image/svg+xml",
}


def create_app(settings: Settings | None = None, *, shelf: Shelf | None = None, alone: bool = False) -> Guards:
    """Make the guarded ASGI application of a server; raises what `Shelf` raises where a model is not one.

    `alone` says that the process does nothing else, so that its garbage collector may be told to pass over what is loaded.
    """
    settings = settings or Settings()
    shelf = shelf or Shelf(settings.models)
    jobs = Jobs(
        workers=settings.workers,
        queue=settings.queue,
        seconds=settings.seconds,
        prepare=partial(_few_threads, settings.threads),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        jobs.begin(partial(_warm, shelf, alone))
        yield
        jobs.close()

    app = FastAPI(title="textlrp", version=__version__, description=_ABOUT, lifespan=lifespan, docs_url=None, redoc_url=None)
    _handle_errors(app)
    _add_reading(app, shelf, settings)
    _add_working(app, shelf, settings, jobs)
    pages.add(app, shelf, settings)
    _describe(app, settings)
    return Guards(app, settings)


def _warm(shelf: Shelf, alone: bool) -> None:
    """Explain once, which loads what later explanations need; in a process of its own, spare that from the search for garbage.

    A search through the hundred thousands of objects of torch and a vocabulary stops everything for 0.2 s now and then.
    """
    shelf.get(shelf.names[0]).explain("The first explanation loads what the others need.")
    if alone:
        gc.collect()
        gc.freeze()


def _few_threads(threads: int) -> None:
    """Tell torch how many threads a worker may use; it keeps that for each thread that asks."""
    import torch

    torch.set_num_threads(threads)


def _add_reading(app: FastAPI, shelf: Shelf, settings: Settings) -> None:
    from textlrp import lrp
    from textlrp.explaining import DEFAULT_RULES
    from textlrp.lrp.gates import GATES

    usual = ", ".join(f"{rule} for {arch.upper() if arch != 'dense' else arch}" for arch, rule in DEFAULT_RULES.items())
    offered = answers.dumps(
        {
            "defaults": {"model": shelf.names[0], "target": "predicted", "rule": "default", "gates": "all"},
            "models": shelf.about(),
            "rules": [{"name": "default", "description": f"the most faithful rule of the architecture: {usual}"}]
            + [{"name": each.name, "description": each.description} for each in lrp.PRESETS.values()],
            "gates": [{"name": each.name, "description": each.description} for each in GATES.values()],
            "limits": settings.limits(),
        }
    )

    @app.get("/api/models", response_model=schemas.Models, summary="What a request may name, and the limits")
    async def models() -> Response:
        return Response(offered, media_type="application/json")

    @app.get("/api/health", response_model=schemas.Health, summary="Whether the server answers")
    async def health() -> Response:
        return Response(answers.dumps({"status": "ok", "version": __version__}), media_type="application/json")


def _add_working(app: FastAPI, shelf: Shelf, settings: Settings, jobs: Jobs) -> None:
    async def done(request: Request, work: Callable[..., bytes], asked: Any) -> bytes:
        return await jobs.run(partial(work, shelf, settings, asked), _left(request))

    @app.post("/api/explain", response_model=schemas.ExplainAnswer, responses=_PROBLEMS, summary="Explain one text")
    async def explain(
        request: Request, asked: Annotated[schemas.ExplainRequest, Body(examples=[{**_EXAMPLE, "rule": "gamma"}])]
    ) -> Response:
        return Response(await done(request, answers.explain, asked), media_type="application/json")

    @app.post(
        "/api/compare",
        response_model=schemas.CompareAnswer,
        responses=_PROBLEMS,
        summary="Explain one text in two to four ways, on one colour scale",
    )
    async def compare(
        request: Request,
        asked: Annotated[
            schemas.CompareRequest,
            Body(examples=[{**_EXAMPLE, "choices": [{"rule": "epsilon"}, {"rule": "gamma"}]}]),
        ],
    ) -> Response:
        return Response(await done(request, answers.compare, asked), media_type="application/json")

    @app.post("/api/predict", response_model=schemas.PredictAnswer, responses=_PROBLEMS, summary="Classify texts")
    async def predict(
        request: Request, asked: Annotated[schemas.PredictRequest, Body(examples=[{"texts": ["A dull, lifeless film."]}])]
    ) -> Response:
        return Response(await done(request, answers.predict, asked), media_type="application/json")

    @app.post(
        "/api/export",
        response_class=Response,
        responses={200: {"description": "The file.", "content": {kind: {} for kind in _EXPORTED.values()}}, **_PROBLEMS},
        summary="Explain one text and get a file: a page that stands alone, JSON, Markdown or a picture",
    )
    async def export(
        request: Request,
        asked: Annotated[schemas.ExportRequest, Body(examples=[{**_EXAMPLE, "choices": [{}], "format": "html"}])],
    ) -> Response:
        content = await done(request, answers.export, asked)
        disposition = f'attachment; filename="explanation.{asked.format}"'
        return Response(content, media_type=_EXPORTED[asked.format], headers={"content-disposition": disposition})


async def _left(request: Request) -> None:
    """Wait until the client goes away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _handle_errors(app: FastAPI) -> None:
    async def problem(_: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return _told(error.status, error.detail, dict(error.headers))

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        if any(each["type"] == "json_invalid" for each in error.errors()):
            return _told(400, "The body is not JSON; see /docs for what a request holds.")
        return _told(422, _sentence(error))

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        known = {
            400: "The body cannot be read as JSON; see /docs for what a request holds.",
            404: "There is nothing here; / is the page, /docs describes the endpoint.",
            405: "This address does not take that method; see /docs.",
        }
        detail = known.get(error.status_code, str(error.detail))
        return _told(error.status_code, detail, dict(error.headers or {}))

    async def gone(_: Request, error: Exception) -> Response:
        return _told(408, "The client went away.")

    async def failed(_: Request, error: Exception) -> Response:
        return _told(500, f"The server failed ({type(error).__name__}); its log says where.")

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(RequestValidationError, refused)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Gone, gone)
    app.add_exception_handler(Exception, failed)


def _told(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    return Response(body_of(status, detail), status, headers, MEDIA_TYPE)


def _sentence(error: RequestValidationError) -> str:
    """What is wrong with the fields of a request: where, and what is allowed; never what was sent."""
    wrong = []
    for each in error.errors()[:3]:
        where = ".".join(short(str(part), 40) for part in each["loc"][1:]) or "the body"
        wrong.append(f"{where}: {each['msg'].removeprefix('Value error, ')}")
    return f"{'; '.join(wrong)}. See /docs for what a request holds."


def _describe(app: FastAPI, settings: Settings) -> None:
    """Complete what OpenAPI says: the longest text is a setting, and problems have one schema."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = plain()
            found = described["components"]["schemas"]
            found["ProblemAnswer"] = schemas.ProblemAnswer.model_json_schema()
            for name in ("ExplainRequest", "CompareRequest", "ExportRequest"):
                found[name]["properties"]["text"]["maxLength"] = settings.max_characters
            for unused in ("HTTPValidationError", "ValidationError"):
                found.pop(unused, None)
        return plain()

    app.openapi = openapi  # type: ignore[method-assign]
