"""The JSON API: everything that the pages show and do."""

from __future__ import annotations

from typing import Any

from gancli.core.config import flat
from gancli.core.errors import UsageError
from gancli.core.files import Folder
from gancli.studio import actions
from gancli.studio.calls import Call, Endpoint
from gancli.studio.pages import matching
from gancli.studio.queue import tail
from gancli.studio.series import AXES, thinned
from gancli.studio.warnings import standing

JOURNALS = {"metrics": "metrics.jsonl", "scores": "scores.jsonl", "monitor": "monitor.jsonl"}
TEXT = {"type": "string"}
NUMBER = {"type": "number"}


def alive(_call: Call) -> dict[str, Any]:
    """The server is there."""
    return {"alive": True}


def runs(call: Call) -> dict[str, Any]:
    """The runs that the query asks for."""
    return {"runs": matching(call)}


def run(call: Call) -> dict[str, Any]:
    """A run."""
    name = call.path["run"]
    path = call.studio.place.run(name)
    return {
        **call.studio.runs.brief(name),
        "config": actions.config_of(path),
        "steps": call.studio.runs.steps(name),
        "previews": [vars(p) for p in call.studio.runs.previews(name)],
        "warnings": standing(call.studio, path),
        "size": call.studio.runs.size(name),
    }


def series(call: Call) -> dict[str, Any]:
    """The columns of a journal, thinned."""
    journal = call.query.get("journal", "metrics")
    if journal not in JOURNALS:
        raise UsageError(f"no journal {journal[:40]!r}", f"there are: {', '.join(JOURNALS)}")
    axis = call.query.get("axis", "step")
    if axis not in AXES:
        raise UsageError(f"no axis {axis[:40]!r}", f"there are: {', '.join(AXES)}")
    points = call.whole("points", 2, 200_000, 3000) or 3000
    low, high = call.number("low", -1e300, 1e300), call.number("high", -1e300, 1e300)
    folder = Folder(call.studio.place.run(call.path["run"]))
    columns = call.studio.journals.read(folder, JOURNALS[journal])
    return {**thinned(columns, points, axis, low, high), "total": columns.rows}


def log(call: Call) -> dict[str, Any]:
    """The end of a run's log."""
    return {"log": tail(Folder(call.studio.place.run(call.path["run"])), "log.txt", 100_000)}


def note(call: Call) -> dict[str, Any]:
    """The notes of a run."""
    call.studio.runs.write_notes(call.path["run"], call.text("notes"))
    return {"run": call.path["run"], "notes": call.text("notes")}


def differences(configs: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The keys whose values are not the same in all configurations."""
    flats = {name: flat(config) for name, config in configs.items()}
    keys = dict.fromkeys(key for table in flats.values() for key in table)
    return {
        key: {name: table.get(key) for name, table in flats.items()}
        for key in keys
        if any(table.get(key) != next(iter(flats.values())).get(key) for table in flats.values())
    }


def queue(call: Call) -> dict[str, Any]:
    """The queue."""
    return {"entries": [actions.described(call, e) for e in call.studio.queue.entries()]}


def entry(call: Call) -> dict[str, Any]:
    """An entry, what it said and what it printed."""
    found = call.studio.queue.get(call.path["id"])
    result = call.studio.queue.result(found)
    return {**actions.described(call, found), "log": call.studio.queue.log(found), "result": result}


def move(call: Call) -> dict[str, Any]:
    """Move a waiting entry."""
    by = {"up": -1, "down": 1}.get(call.text("to"))
    if by is None:
        raise UsageError(f"{call.text('to')[:40]!r} is no direction", "up or down")
    call.studio.queue.move(call.path["id"], by)
    return queue(call)


def cancel(call: Call) -> dict[str, Any]:
    """Stop or remove an entry."""
    call.studio.queue.cancel(call.path["id"])
    return queue(call)


ENDPOINTS = (
    Endpoint("GET", "/api/alive", "Whether the server is there.", alive),
    Endpoint("GET", "/api/runs", "The runs, newest first.", runs,
             {"find": "words that name, data, preset, state or notes must have", "down": "1: descending",
              "sort": "begun, name, data, preset, state, images or value"}),
    Endpoint("GET", "/api/runs/{run}", "A run: state, configuration, checkpoints, previews, warnings.", run),
    Endpoint("GET", "/api/runs/{run}/series", "A journal as columns; of a long one every interval keeps its extremes.", series,
             {"journal": "metrics (default), scores or monitor", "points": "most rows",
              "axis": "step, images, epoch or seconds", "low": "from this value of the axis", "high": "up to this value"}),
    Endpoint("GET", "/api/runs/{run}/log", "The end of the log.", log),
    Endpoint("POST", "/api/runs/{run}/stop", "Stop the training: it saves a checkpoint and ends.", actions.stop),
    Endpoint("POST", "/api/runs/{run}/resume", "Continue a run, perhaps longer, by the queue.", actions.resume,
             body={"epochs": NUMBER, "images": NUMBER, "minutes": NUMBER}),
    Endpoint("POST", "/api/runs/{run}/notes", "Replace the notes, which are in the run folder.", note, body={"notes": TEXT}),
    Endpoint("POST", "/api/runs/{run}/delete", "Move a run into the trash.", actions.delete,
             body={"confirm": {**TEXT, "description": "the run's name"}}),
    Endpoint("POST", "/api/trash/{kept}", "Restore a run from the trash, or delete what gan wrote of it.", actions.trash,
             body={"what": {"enum": ["restore", "destroy"]}}),
    Endpoint("GET", "/api/queue", "The queue.", queue),
    Endpoint("GET", "/api/queue/{id}", "An entry of the queue, with what it said.", entry),
    Endpoint("POST", "/api/queue/{id}/move", "Move an entry that waits.", move, body={"to": {"enum": ["up", "down"]}}),
    Endpoint("POST", "/api/queue/{id}/cancel", "Remove an entry, or stop the one that runs.", cancel),
)  # fmt: skip
