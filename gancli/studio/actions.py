"""What can be done to runs and the queue, for pages and the API alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gancli.core import migration
from gancli.core.config import merge
from gancli.core.errors import UsageError
from gancli.runs import history, lock
from gancli.runs.folder import Run
from gancli.studio.calls import Call
from gancli.studio.queue import Entry

LENGTHS = {"epochs": "--epochs", "images": "--images", "minutes": "--max-minutes"}
GPU = Path("/dev/nvidia0")


def lane_of(device: str) -> str:
    """The device that a command will use, as far as it is known without torch."""
    if device in ("", "auto"):
        return "cuda:0" if GPU.exists() else "cpu"
    return "cuda:0" if device == "cuda" else device


def config_of(path: Path) -> dict[str, Any]:
    """A run's configuration, with the changes of its resumes. Raises CheckpointError."""
    run = Run(path)
    layers = [run.json("config.json"), *(line.get("changes", {}) for line in history.read(path))]
    return merge(migration.config(layer) for layer in layers)


def stop(call: Call) -> dict[str, Any]:
    """Stop the training of a run: it saves a checkpoint and ends."""
    name = call.path["run"]
    waiting = [e for e in call.studio.queue.of_run(name) if e.state == "waiting"]
    for entry in waiting:
        call.studio.queue.cancel(entry.id)
    if waiting and (name not in call.studio.runs.names() or not lock.holder(call.studio.place.run(name))):
        return {"run": name, "stopped": "it was waiting in the queue"}
    return {"run": name, "signal": "SIGTERM", "pid": call.studio.runs.stop(name)}


def resume(call: Call) -> dict[str, Any]:
    """Put the continuation of a run into the queue, perhaps with another length."""
    name = call.path["run"]
    path = call.studio.place.run(name)
    if holder := lock.holder(path):
        raise UsageError(f"{name} is being trained by process {holder}", "stop it first")
    words: list[str] = []
    for key, option in LENGTHS.items():
        value = call.number(key, 1e-6, 1e12)
        if value is not None:
            words += [option, f"{value:g}" if key != "images" else str(round(value))]
    runtime = config_of(path).get("runtime", {})
    device = runtime.get("device", "auto") if isinstance(runtime, dict) else "auto"
    command = call.studio.place.command("resume", str(path), *words, "--json")
    entry = call.studio.queue.add("resume", name, command, lane_of(str(device)))
    return {"run": name, "id": entry.id, "command": call.studio.place.shell(command)}


def delete(call: Call) -> dict[str, Any]:
    """Move a run into the trash; its name confirms it."""
    name = call.path["run"]
    if call.text("confirm") != name:
        raise UsageError("the name that was typed is not that of the run", "type it exactly, to delete the run")
    return {"run": name, "kept": call.studio.runs.discard(name)}


def trash(call: Call) -> dict[str, Any]:
    """Take a run out of the trash, or delete it for good."""
    kept, what = call.path["kept"], call.text("what")
    if what == "restore":
        return {"run": call.studio.runs.restore(kept)}
    if what == "destroy":
        return {"left": call.studio.runs.destroy(kept)}
    raise UsageError(f"{what[:40]!r} cannot be done in the trash", "restore or destroy")


def described(call: Call, entry: Entry) -> dict[str, Any]:
    """An entry of the queue, for the API."""
    return {
        "id": entry.id, "what": entry.what, "run": entry.run, "command": call.studio.place.shell(entry.command),
        "lane": entry.lane, "state": entry.state, "created": entry.created, "started": entry.started, "ended": entry.ended,
        "code": entry.code, "said": entry.said,
    }  # fmt: skip
