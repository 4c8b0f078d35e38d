"""Server-sent events: what changes in a run folder while somebody looks at it.

The id of an event says how far the journals were read, so that a browser that comes back goes on from there (Last-Event-ID).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gancli.core.errors import GanError
from gancli.core.files import Folder
from gancli.runs import status
from gancli.runs.folder import Run
from gancli.studio.queue import Entry, tail
from gancli.studio.studio import Studio
from gancli.studio.warnings import standing

LOOK = 1.0  # seconds between looks
ALIVE = 15  # looks after which a sign of life is sent
MOST_ROWS = 4000  # that are sent at once; for more the page reads the whole again
LOG = 12_000  # bytes of the log that a page shows


class Watch:
    """What a page has been told."""

    def __init__(self, studio: Studio, name: str, rows: int) -> None:
        self.studio, self.name = studio, name
        self.path = studio.place.run(name)
        self.rows = rows
        self.before: dict[str, Any] = {}

    def look(self) -> dict[str, Any]:
        """What is new; empty if nothing is."""
        folder, run = Folder(self.path), Run(self.path)
        columns = self.studio.journals.read(folder, "metrics.jsonl")
        out: dict[str, Any] = {}
        if columns.rows < self.rows or columns.rows - self.rows > MOST_ROWS:
            out["reset"] = True
        elif columns.rows > self.rows:
            out["lines"] = columns.lines(self.rows)
        self.rows = columns.rows
        said = self._status(run)
        found = {
            "status": said,
            "samples": [[p.file, p.step, p.name, p.media] for p in self.studio.runs.previews(self.name)],
            "scores": self.studio.journals.read(folder, "scores.jsonl").rows,
            "warnings": standing(self.studio, self.path),
            "log": tail(folder, "log.txt", LOG),
            "queue": [[e.what, _shown(e, said), e.said] for e in self.studio.queue.of_run(self.name)][:4],
        }
        changed = {key: value for key, value in found.items() if self.before.get(key) != value}
        self.before = found
        return {**out, **changed}

    @staticmethod
    def _status(run: Run) -> dict[str, Any]:
        found = status.read(run)
        return {k: found.get(k) for k in ("state", "reason", "step", "images", "total", "rate", "minutes_left", "pid")}


def _shown(entry: Entry, status: dict[str, Any]) -> str:
    """The state of an entry; "said" where the run's own status comes from the same process, and is what counts."""
    return "said" if entry.state == "running" and entry.pid == status["pid"] else entry.state


async def events(studio: Studio, request: Request) -> Response:
    """The stream of a run."""
    said = request.headers.get("last-event-id") or request.query_params.get("rows", "0")
    rows = int(said) if said.isascii() and said.isdigit() and len(said) < 12 else 0
    try:
        watch = await run_in_threadpool(Watch, studio, request.path_params["run"], rows)
    except GanError as error:
        return Response(error.cause, 404)

    async def stream() -> AsyncIterator[str]:
        quiet = 0
        yield "retry: 2000\n\n"
        while not studio.stopping.is_set():
            try:
                found = await run_in_threadpool(watch.look)
            except (GanError, OSError):
                yield f"event: gone\ndata: {json.dumps(watch.name)}\n\n"
                return
            quiet += 1
            if found or quiet >= ALIVE:
                quiet = 0
                yield f"id: {watch.rows}\ndata: {json.dumps(found)}\n\n"
            for _ in range(4):  # ends soon when the server does
                await asyncio.sleep(LOOK / 4)
                if studio.stopping.is_set() or await request.is_disconnected():
                    return

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)
