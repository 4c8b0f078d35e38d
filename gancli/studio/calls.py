"""Requests and answers: what a handler gets and may return, and the table of all addresses, from which OpenAPI is made too."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from gancli.core.descriptors import ForeignError
from gancli.core.errors import CheckpointError, DataError, GanError, InUseError, ResourceError, UsageError
from gancli.core.printable import printable

if TYPE_CHECKING:
    from gancli.studio.studio import Studio

MOST_BODY = 1 << 20  # bytes of a form
MOST_FIELDS = 2000
TOO_LONG = 100  # characters of a run's name
STATUS = ((UsageError, 400), (DataError, 422), (CheckpointError, 422), (InUseError, 409), (ResourceError, 507))


@dataclass(frozen=True)
class Call:
    """A request.

    Attributes:
        studio: what the server knows.
        path: the variables of the address.
        query: after the question mark; the last value of each.
        body: the fields of a form, or a JSON object.
        lists: all values of fields that were sent several times.
        fragment: whether htmx asks for a part of a page.
    """

    studio: Studio
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any] = field(default_factory=dict)
    lists: Mapping[str, list[str]] = field(default_factory=dict)
    fragment: bool = False

    def text(self, name: str, default: str = "") -> str:
        """A field of the body or the query."""
        value = self.body.get(name, self.query.get(name, default))
        return value if isinstance(value, str) else default if value is None else json.dumps(value)

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float | None:
        """A number. Raises UsageError if it is none, or out of range."""
        said = self.text(name).strip()
        if not said:
            return default
        try:
            value = float(said)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise UsageError(f"{name} {said[:40]!r} is not a number from {low:g} to {high:g}")
        return value

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> int | None:
        """A whole number. Raises UsageError."""
        said = self.text(name).strip()
        if not said:
            return default
        if not said.isascii() or not said.isdigit() or len(said) > 20 or not low <= int(said) <= high:
            raise UsageError(f"{name} {said[:40]!r} is not a whole number from {low} to {high}")
        return int(said)


Handler = Callable[[Call], Any]


@dataclass(frozen=True)
class Endpoint:
    """An address of the API, with its description.

    Attributes:
        method: GET, POST or PUT.
        path: with variables in braces.
        about: one sentence.
        handle: in a thread; returns JSON values, or a Response.
        query: name -> description of parameters.
        body: name -> JSON schema of the fields of the body.
        gives: JSON schema of the answer.
    """

    method: str
    path: str
    about: str
    handle: Handler
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    gives: Mapping[str, Any] = field(default_factory=lambda: {"type": "object"})


def status_of(error: GanError) -> int:
    """The HTTP status of an error."""
    return next((code for kind, code in STATUS if isinstance(error, kind)), 500)


async def read_body(request: Request) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The fields of a form or JSON object. Raises UsageError."""
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > MOST_BODY:
            raise UsageError(f"a form of more than {MOST_BODY:,} bytes", "files are sent to /api/uploads")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not content:
        return {}, {}
    try:
        if kind == "application/json":
            found = json.loads(bytes(content))
            if not isinstance(found, dict):
                raise UsageError("the body is not a JSON object")
            return found, {}
        if kind == "application/x-www-form-urlencoded":
            lists = parse_qs(content.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
            return {name: values[-1] for name, values in lists.items()}, lists
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the body cannot be read: {error}") from None
    raise UsageError(f"a body of type {kind[:60]!r}", "send application/json or a form")


def route(method: str, path: str, handle: Handler, studio: Studio, fail: Callable[[Call, GanError], Response]) -> Route:
    """A route of Starlette whose handler runs in a thread, and whose errors are answered by `fail`."""

    async def serve(request: Request) -> Response:
        call = Call(studio, request.path_params, dict(request.query_params), fragment="hx-request" in request.headers)
        try:
            body, lists = await read_body(request) if method not in ("GET", "HEAD") else ({}, {})
            call = Call(studio, call.path, call.query, body, lists, call.fragment)
            found = await run_in_threadpool(handle, call)
        except GanError as error:
            return fail(call, error)
        except OSError as error:
            kind = CheckpointError if isinstance(error, ForeignError) else ResourceError
            return fail(call, kind(printable(f"{error.filename or ''}: {error.strerror or error}")))
        return found if isinstance(found, Response) else JSONResponse(found, headers={"cache-control": "no-store"})

    return Route(path, serve, methods=[method])


def as_json(_call: Call, error: GanError) -> Response:
    """An error of the API."""
    found = {"error": printable(error.cause), "remedy": printable(error.remedy)}
    return JSONResponse(found, status_of(error), headers={"cache-control": "no-store"})


def see(address: str) -> Response:
    """After a form: the page that shows what came of it."""
    return RedirectResponse(address, 303, headers={"cache-control": "no-store"})
