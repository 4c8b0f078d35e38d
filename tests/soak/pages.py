"""Pages of `gan studio` on a run folder, for `attacks.py`: asked for in this process, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

TOKEN = "0" * 32
SECRET = b"private\n"  # in the file that links of the attacks lead to
PATHS = (
    "/", "/?find=x", "/runs/{run}", "/runs/{run}/samples/000010.png", "/runs/{run}/samples/000030.png",
    "/runs/{run}/pictures/curves.png", "/runs/{run}/pictures/evaluation.png", "/api/runs", "/api/runs/{run}",
    "/api/runs/{run}/series", "/api/runs/{run}/log", "/api/queue", "/runs/{run}/evaluate", "/runs/{run}/export",
    "/runs/{run}/card", "/api/runs/{run}/evaluation", "/api/runs/{run}/exports", "/compare?runs={run}|good",
    "/api/compare?runs={run}|good",
)  # fmt: skip


def visit(run: Path) -> None:
    """Ask for every page that shows a run.

    Raises:
        AssertionError: a page fails, or has a character that acts on a terminal.
    """
    from gancli.studio.app import make
    from gancli.studio.place import Place
    from gancli.studio.studio import Studio

    app = make(Studio(Place(run.parent)), TOKEN)
    for path in PATHS:
        address = path.format(run=quote(run.name))
        code, kind, body = asyncio.run(asked(app, address))
        assert code < 500, f"{address}: {code} {body[:500]!r}"
        assert SECRET not in body, f"{address} shows a file of somebody else"
        if not kind.startswith("image/"):
            assert not any(c < 9 or 13 < c < 32 for c in body), f"{address} has control characters"
        print(address, code, body[:300].decode(errors="replace") if code >= 400 else "")


async def asked(app: Any, address: str) -> tuple[int, str, bytes]:
    """Code, media type and body of the answer to a GET."""
    path, _, query = address.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": query.encode(), "root_path": "", "server": ("127.0.0.1", 1),
        "client": ("127.0.0.1", 2), "headers": [(b"host", b"127.0.0.1:1"), (b"authorization", f"Bearer {TOKEN}".encode())],
    }  # fmt: skip
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    head = next(m for m in sent if m["type"] == "http.response.start")
    kind = dict(head["headers"]).get(b"content-type", b"").decode()
    return int(head["status"]), kind, b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
