"""The pages Runs and Run, and what their buttons do."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import FileResponse, Response

from gancli import __version__
from gancli.core.config import flat
from gancli.core.errors import CheckpointError, UsageError
from gancli.runs.folder import CONFIG, Run
from gancli.studio import actions
from gancli.studio.calls import Call, see
from gancli.studio.render import page
from gancli.studio.runs import MEDIA
from gancli.studio.warnings import standing

ROWS = 50  # runs of a page
SEARCHED = ("name", "data", "preset", "state", "notes", "broken")
SORTS = ("begun", "name", "data", "preset", "state", "images", "value")


def matching(call: Call) -> list[dict[str, Any]]:
    """The runs that the query asks for, in its order."""
    words = call.query.get("find", "").lower().split()
    every = call.studio.runs.listed()
    texts = {r["name"]: " ".join(str(r.get(k, "")) for k in SEARCHED).lower() for r in every}
    found = [r for r in every if all(word in texts[r["name"]] for word in words)]
    key = call.query.get("sort", "begun")
    if key not in SORTS:
        raise UsageError(f"runs cannot be sorted by {key[:40]!r}", f"by {', '.join(SORTS)}")
    down = call.query.get("down", "1" if key == "begun" else "0") == "1"
    with_value = [r for r in found if r.get(key) is not None]
    without = [r for r in found if r.get(key) is None]
    with_value.sort(key=lambda r: r[key] if isinstance(r[key], int | float) else str(r[key]).lower(), reverse=down)
    return with_value + without


def ordered(call: Call) -> list[str]:
    """The names of the runs that the query asks for; where their order needs no more than their folders, nothing is read."""
    key = call.query.get("sort", "begun")
    if call.query.get("find", "").strip() or key not in ("begun", "name"):
        return [run["name"] for run in matching(call)]
    names, down = call.studio.runs.names(), call.query.get("down", "1" if key == "begun" else "0") == "1"
    if key == "name":
        return sorted(names, key=str.lower, reverse=down)
    return sorted(names, key=call.studio.runs.begun, reverse=down)


def runs(call: Call) -> Response:
    """All runs; in an empty folder the first steps."""
    studio = call.studio
    every = ordered(call)
    empty = not every and not call.query.get("find") and not call.studio.queue.entries()
    first = (call.whole("page", 1, 100_000, 1) or 1) - 1
    shown = [
        {**studio.runs.brief(name), "spark": studio.runs.spark(name), "size": studio.runs.size(name)}
        for name in every[first * ROWS : (first + 1) * ROWS]
    ]
    values: dict[str, Any] = {
        "runs": shown, "count": len(every), "page": first + 1, "pages": -(-len(every) // ROWS), "query": dict(call.query),
        "link": lambda **more: "?" + urlencode({**call.query, **more}), "trash": call.studio.runs.trash(),
    }  # fmt: skip
    template = "first.html" if empty else "runs_table.html" if call.fragment else "runs.html"
    return page(template, call, **values)


def configuration(call: Call, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A run's configuration and what of it departs from its preset's settings."""
    config = actions.config_of(call.studio.place.run(name))
    now = flat(config)
    preset = call.studio.presets().get(str(config.get("preset")), {}).get("settings", {})
    changed = {k: v for k, v in now.items() if k in preset and preset[k] != v and not isinstance(v, dict | list)}
    return config, changed


def run(call: Call) -> Response:
    """A run, live."""
    name = call.path["run"]
    path = call.studio.place.run(name)
    config: dict[str, Any] = {}
    broken = ""
    try:
        config, changed = configuration(call, name)
    except CheckpointError as error:
        broken, changed = error.cause, {}
    task = call.studio.task_of(config)
    facts = {}
    for file in ("data.json", "environment.json"):
        try:
            facts[file] = Run(path).json(file)
        except CheckpointError:
            facts[file] = {}
    values: dict[str, Any] = {
        "name": name, "brief": call.studio.runs.brief(name), "config": flat(config), "changed": changed, "broken": broken,
        "facts": facts, "previews": call.studio.runs.previews(name), "warnings": standing(call.studio, path),
        "entries": call.studio.queue.of_run(name), "task": task, "size": call.studio.runs.size(name),
        "steps": call.studio.runs.steps(name), "shell": call.studio.place.shell(call.studio.place.command("resume", name)),
    }  # fmt: skip
    return page("run.html", call, **values)


def waiting(call: Call) -> Response:
    """The page of a run that the queue has not begun yet, or that was refused before it had a folder."""
    name = call.path["run"]
    entries = call.studio.queue.of_run(name)
    begins = any(not e.over for e in entries) and not (call.studio.place.runs / name / CONFIG).is_file()
    if name in call.studio.runs.names() and not begins:
        return run(call)
    if not entries:
        call.studio.place.run(name)  # raises
    return page("waiting.html", call, name=name, entry=entries[0], log=call.studio.queue.log(entries[0]))


def sample(call: Call) -> Response:
    """A preview."""
    file = call.path["file"]
    kind = MEDIA.get(file.rpartition(".")[2], "")
    if not kind:
        raise UsageError(f"no preview {file[:100]!r}")
    content = call.studio.runs.file(call.path["run"], "samples", file)
    return Response(content, media_type=kind, headers={"cache-control": "private, max-age=60"})


def picture(call: Call) -> Response:
    """A picture that a verb left in the run folder."""
    file = call.path["file"]
    if file not in ("evaluation.png", "curves.png", "learning.gif"):
        raise UsageError(f"no picture {file[:100]!r}")
    content = call.studio.runs.file(call.path["run"], "", file)
    return Response(content, media_type=MEDIA[file[-3:]], headers={"cache-control": "no-cache"})


def made(call: Call) -> Response:
    """A file that was made for a page."""
    file = call.path["file"]
    folder = call.studio.place.folder("made")
    kind = MEDIA.get(file.rpartition(".")[2], "application/octet-stream")
    if folder.entries().get(file) != "file":
        raise UsageError(f"no file {file[:100]!r}", "it was made anew, or too long ago")
    headers = {"cache-control": "private, max-age=600"}
    if kind not in MEDIA.values():
        headers["content-disposition"] = f"attachment; filename*=UTF-8''{quote(file)}"
    return FileResponse(folder.path / file, media_type=kind, headers=headers)


def to_run(call: Call) -> Response:
    """Back to the run's page."""
    return see(f"/runs/{quote(call.path['run'])}")


def stop(call: Call) -> Response:
    """The button Stop."""
    actions.stop(call)
    return to_run(call)


def resume(call: Call) -> Response:
    """The buttons Resume and Longer."""
    actions.resume(call)
    return to_run(call)


def note(call: Call) -> Response:
    """The notes."""
    call.studio.runs.write_notes(call.path["run"], call.text("notes"))
    return to_run(call)


def delete(call: Call) -> Response:
    """The button Delete, with the name typed as a confirmation."""
    actions.delete(call)
    return see("/")


def trash(call: Call) -> Response:
    """The buttons of the trash."""
    actions.trash(call)
    return see("/")


def about(call: Call) -> Response:
    """Where everything is."""
    return page("about.html", call, version=__version__)
