"""The OpenAPI document of the API, made from the table of its addresses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from gancli import __version__
from gancli.studio.calls import Endpoint

TEXT = {"type": "string"}
ERROR = {"type": "object", "properties": {"error": TEXT, "remedy": TEXT}, "required": ["error", "remedy"]}
BEARER = {"type": "http", "scheme": "bearer", "description": "the token in the address that gan studio prints"}
VARIABLE = re.compile(r"\{(\w+)(?::\w+)?\}")


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The document (OpenAPI 3.1).

    Args:
        endpoints: all addresses of the API.
    """
    paths: dict[str, dict[str, Any]] = {}
    for point in endpoints:
        paths.setdefault(VARIABLE.sub(r"{\1}", point.path), {})[point.method.lower()] = _operation(point)
    return {
        "openapi": "3.1.0",
        "info": {"title": "gan studio", "version": __version__, "description": "What the pages of gan studio show and do."},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": BEARER},
            "schemas": {"Error": ERROR},
        },
    }  # fmt: skip


def _operation(point: Endpoint) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in VARIABLE.findall(point.path)
    ]  # fmt: skip
    parameters += [
        {"name": name, "in": "query", "description": text, "schema": {"type": "string"}} for name, text in point.query.items()
    ]  # fmt: skip
    refused = {
        "description": "refused: the cause and what to do",
        "content": _json({"$ref": "#/components/schemas/Error"}),
    }
    streams = point.gives.get("format") == "event-stream"
    content = {"text/event-stream": {"schema": {"type": "string"}}} if streams else _json(point.gives)
    out: dict[str, Any] = {
        "summary": point.about,
        "operationId": f"{point.method.lower()}{re.sub(r'[^A-Za-z0-9]+', '_', point.path)}",
        "parameters": parameters,
        "responses": {"200": {"description": "done", "content": content}, "default": refused},
    }
    if point.method == "PUT":
        out["requestBody"] = {
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
        }
    elif point.method == "POST":
        out["requestBody"] = {"content": _json({"type": "object", "properties": dict(point.body)})}
    return out


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": dict(schema)}}
