"""The application: all addresses, behind the guard."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from gancli.core.errors import GanError, ResourceError, UsageError
from gancli.studio import api, data, evaluating, live, newrun, openapi, pages, trying
from gancli.studio.calls import Call, Endpoint, as_json, route
from gancli.studio.guard import Guard
from gancli.studio.render import HERE, as_page
from gancli.studio.studio import Studio

WAKE = 2.0  # seconds between looks whether the queue needs a runner
STREAM = Endpoint("GET", "/api/runs/{run}/events", "What changes, as server-sent events.", api.alive,
                  {"rows": "rows of the journal that are known already"}, gives={"format": "event-stream"})  # fmt: skip

RECEIVE = Endpoint("PUT", "/api/uploads/{upload}/{path}", "A file of an upload.", api.alive)

PAGES = (
    ("GET", "/", pages.runs),
    ("GET", "/runs/{run}", pages.waiting),
    ("GET", "/runs/{run}/samples/{file}", pages.sample),
    ("GET", "/runs/{run}/pictures/{file}", pages.picture),
    ("POST", "/runs/{run}/stop", pages.stop),
    ("POST", "/runs/{run}/resume", pages.resume),
    ("POST", "/runs/{run}/notes", pages.note),
    ("POST", "/runs/{run}/delete", pages.delete),
    ("POST", "/trash/{kept}", pages.trash),
    ("GET", "/made/{file}", pages.made),
    ("GET", "/about", pages.about),
    *newrun.PAGES,
    *trying.PAGES,
    *evaluating.PAGES,
)


def endpoints() -> list[Endpoint]:
    """All addresses of the API."""
    return [*api.ENDPOINTS, *newrun.ENDPOINTS, *trying.ENDPOINTS, *evaluating.ENDPOINTS]


def make(studio: Studio, token: str, names: tuple[str, ...] = (), anywhere: bool = False) -> Guard:
    """The application of a studio.

    Args:
        studio: what it shows.
        token: the secret that requests must have.
        names: further hosts by which it may be called.
        anywhere: whether any IP address will do as Host.
    """
    known = endpoints()
    routes: list[BaseRoute] = [route(p.method, p.path, p.handle, studio, as_json) for p in known]
    routes += [route(method, path, handle, studio, as_page) for method, path, handle in PAGES]

    async def receive(request: Request) -> Response:
        length = request.headers.get("content-length", "")
        try:
            upload = data.Upload(studio, request.path_params["upload"])
            size = await upload.receive(
                request.path_params["path"], int(length) if length.isdigit() else None, request.stream()
            )
        except GanError as error:
            return as_json(Call(studio, {}, {}), error)
        except (OSError, ClientDisconnect) as error:
            return as_json(
                Call(studio, {}, {}), ResourceError(f"the file could not be received: {type(error).__name__}")
            )
        return JSONResponse({"size": size})

    async def events(request: Request) -> Response:
        return await live.events(studio, request)

    def described(_request: Request) -> Response:
        return JSONResponse(openapi.document([*known, STREAM, RECEIVE]))

    def missing(request: Request, _error: Exception) -> Response:
        error = UsageError(f"no page {request.url.path[:200]}", "the page Runs links to all others")
        call = Call(studio, {}, {})
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": error.cause, "remedy": error.remedy}, 404)
        answer = as_page(call, error)
        answer.status_code = 404
        return answer

    routes += [
        Route("/api/runs/{run}/events", events),
        Route("/api/uploads/{upload}/{path:path}", receive, methods=["PUT"]),
        Route("/api/openapi.json", described),
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ]
    app = Starlette(
        routes=routes, lifespan=_lifespan(studio), exception_handlers={404: missing, 405: missing, GanError: _failed},
    )  # fmt: skip
    return Guard(app, token, names, anywhere)


def _failed(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error), "remedy": ""}, 500)


def _lifespan(studio: Studio) -> Any:
    """While the server runs it sees that the queue has a runner; what was started for pages ends with it."""

    @contextlib.asynccontextmanager
    async def span(_app: Starlette) -> AsyncIterator[None]:
        ended = threading.Event()

        def wake() -> None:
            while not ended.wait(WAKE):
                with contextlib.suppress(OSError):
                    studio.queue.wake()
                studio.commands.rest()

        threading.Thread(target=wake, daemon=True, name="queue").start()
        studio.warm()
        try:
            yield
        finally:
            ended.set()
            studio.stopping.set()
            studio.commands.stop()

    return span
