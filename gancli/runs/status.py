"""`status.json`: what a run is doing, for whoever looks at its folder (`gan list runs`, the studio, a script).

state         queued, running, saving, finished, stopped, diverged, failed; `interrupted` is said by `read` of a run whose process is gone
reason        why it finished (images, steps, minutes, quality, asked by a callback), which signal stopped it, or the cause of a failure
pid, host     of the process that trains it
started, updated   seconds since 1970
step, images, total   how far it is, and how far it goes
rate          images per second in this session
minutes_left  by that rate; null where it is not known yet
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from typing import TYPE_CHECKING, Any

from gancli.core.errors import CheckpointError
from gancli.core.files import Folder
from gancli.core.sinks import Progress, Sink
from gancli.runs import lock
from gancli.runs.files import MAX_JSON, table
from gancli.runs.folder import Run

if TYPE_CHECKING:
    from gancli.core.contracts import Logs

NAME = "status.json"
INTERVAL = 2.0  # seconds between updates while training
STATES = ("queued", "running", "saving", "finished", "stopped", "diverged", "failed")
KINDS: dict[str, Any] = {  # of the values; others are left out
    "state": str, "reason": str, "pid": int, "host": str, "started": int | float, "updated": int | float, "step": int,
    "images": int, "total": int, "rate": int | float | None, "minutes_left": int | float | None,
}  # fmt: skip
ENDED = ("finished", "stopped", "diverged", "failed")


class Status(Sink):
    """Keeps `status.json` up to date. It is not synced to the disk, and a disk that refuses it is no reason to stop.

    To be made under the run's lock. A session that fails before its first step leaves the progress that an earlier one reported.
    """

    def __init__(self, run: Run) -> None:
        self.path = run.path / NAME
        now, before = round(time.time(), 3), read(run)
        done = {k: n if isinstance(n := before.get(k), int) else 0 for k in ("step", "images", "total")}
        self.facts: dict[str, Any] = {
            "state": "running", "reason": "", "pid": os.getpid(), "host": socket.gethostname(), "started": now,
            "updated": now, **done, "rate": None, "minutes_left": None,
        }  # fmt: skip
        self._begun = (0, time.monotonic())
        self._latest: Progress | None = None
        self._next = 0.0

    def begin(self, progress: Progress) -> None:
        self._begun, self._latest = (progress.images, time.monotonic()), progress
        self._write(state="running", reason="")

    def step(self, progress: Progress, logs: Logs) -> None:  # noqa: ARG002
        self._latest = progress
        if time.monotonic() >= self._next:
            self._write(state="running")

    def event(self, kind: str, **facts: Any) -> None:
        if kind == "saving":
            self._write(state="saving")
        elif kind == "saved":
            self._write(state="running")
        elif kind in ENDED:
            self._write(state=kind, reason=str(facts.get("reason", "")), minutes_left=None)

    def _update(self, progress: Progress) -> None:
        images, since = self._begun
        seconds, done = time.monotonic() - since, progress.images - images
        rate = done / seconds if done and seconds > 0 else None
        left = None if rate is None else max(0, progress.total - progress.images) / rate / 60
        self.facts |= {"step": progress.step, "images": progress.images, "total": progress.total}
        self.facts |= {"rate": rate and round(rate, 1), "minutes_left": left if left is None else round(left, 2)}

    def _write(self, **changes: Any) -> None:
        self._next = time.monotonic() + INTERVAL
        if self._latest is not None:
            self._update(self._latest)
        self.facts |= {**changes, "updated": round(time.time(), 3)}
        with contextlib.suppress(OSError):
            text = json.dumps(self.facts, indent=2) + "\n"
            Folder(self.path.parent).write(self.path.name, text.encode(), synced=False)


def read(run: Run) -> dict[str, Any]:
    """The run's status; of one that says it is running but whose process is gone, `interrupted`. Empty where there is none."""
    try:
        found = table(Folder(run.path).read(NAME, MAX_JSON), NAME)
    except CheckpointError:
        return {}
    found = {key: value for key, value in found.items() if isinstance(value, KINDS.get(key, object))}
    if found.get("state") not in STATES:
        return {}
    if found.get("state") in ("running", "saving") and not lock.holder(run.path):
        found["state"] = "interrupted"
    return found
