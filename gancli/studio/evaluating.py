"""The pages Evaluate, Compare and Export, and the model card."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.responses import FileResponse, Response

from gancli.core.config import flat
from gancli.core.errors import CheckpointError, GanError, UsageError
from gancli.core.files import Folder
from gancli.runs.folder import Run
from gancli.studio import actions
from gancli.studio.api import differences
from gancli.studio.calls import Call, Endpoint, see
from gancli.studio.queue import Entry
from gancli.studio.render import page

MOST_RUNS = 6  # that are compared
FORMAT = re.compile(r"[a-z][a-z0-9_-]{0,30}")
LICENSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .+-]{0,60}")
NOT_COMPARED = ("runtime.",)


def evaluation_of(path: Path) -> dict[str, Any]:
    """evaluation.json of a run; empty if it was not evaluated."""
    try:
        found = Run(path).json("evaluation.json")
    except CheckpointError:
        return {}
    scores = found.get("scores")
    if not isinstance(scores, dict):
        return {}
    shown = {str(name): _score(s) for name, s in scores.items() if isinstance(s, dict)}
    warnings = list(dict.fromkeys(text for score in shown.values() for text in score["warnings"]))
    return {**found, "scores": shown, "warnings": warnings}


def _score(found: dict[str, Any]) -> dict[str, Any]:
    """A score with fields of the types that a page shows: the file may be a stranger's."""
    out: dict[str, Any] = {k: v if _is_number(v := found.get(k)) else None for k in ("value", "error", "reference")}
    baselines, warnings = (v if isinstance(v := found.get(k), dict) else {} for k in ("baselines", "warnings"))
    return {
        **out, **{k: str(found.get(k) or "") for k in ("better", "meaning")}, "alarm": found.get("alarm") is True,
        "baselines": {str(name): value for name, value in baselines.items() if _is_number(value)},
        "warnings": [text for text in warnings.values() if isinstance(text, str)],
    }  # fmt: skip


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def evaluate(call: Call) -> dict[str, Any]:
    """Put an evaluation on the test set into the queue."""
    name = call.path["run"]
    path = call.studio.place.run(name)
    words = [str(path)]
    n, step = call.whole("n", 2, 1_000_000), call.whole("step", 0, 2**62)
    words += [] if n is None else ["--n", str(n)]
    words += [] if step is None else ["--step", str(step)]
    metrics = call.text("metrics").strip()
    if metrics:
        if not re.fullmatch(r"[a-z0-9@,. _-]{1,400}", metrics):
            raise UsageError(f"metrics {metrics[:60]!r}", "names with commas between them: fid,kid")
        words += ["--metrics", metrics]
    command = call.studio.place.command("evaluate", *words, "--json")
    entry = call.studio.queue.add("evaluate", name, command, "evaluate")
    return {"run": name, "id": entry.id, "command": call.studio.place.shell(command)}


def evaluated(call: Call) -> dict[str, Any]:
    """The evaluation of a run."""
    found = evaluation_of(call.studio.place.run(call.path["run"]))
    if not found:
        raise UsageError(f"{call.path['run']} has not been evaluated", "POST /api/runs/{run}/evaluate")
    return found


def chosen(call: Call) -> list[str]:
    """The runs that are to be compared. Raises UsageError."""
    text = call.query.get("runs") or call.text("runs")
    names = [name for name in dict.fromkeys(text.split("\n" if "\n" in text else "|")) if name]
    if len(names) > MOST_RUNS:
        raise UsageError(f"{len(names)} runs at once", f"at most {MOST_RUNS} are compared")
    for name in names:
        call.studio.place.run(name)
    return names


def compare(call: Call) -> dict[str, Any]:
    """Configuration differences of runs, and their scores side by side, unless their protocols differ."""
    names = chosen(call)
    if len(names) < 2:
        raise UsageError("a comparison needs two runs", "choose them")
    configs, broken = {}, {}
    for name in names:
        try:
            configs[name] = actions.config_of(call.studio.place.run(name))
        except CheckpointError as error:
            broken[name] = error.cause
    different = {k: v for k, v in differences(configs).items() if not k.startswith(NOT_COMPARED)} if configs else {}
    scores, refused = {}, {}
    try:
        words = [str(call.studio.place.runs / name) for name in names]
        scores = call.studio.commands.gan(call.studio.place.command("compare", *words, "--json")).json()
    except GanError as error:
        error_of = {"error": error.cause, "remedy": error.remedy}
        refused = {
            key: call.studio.place.near(text.replace(f"{call.studio.place.runs}/", ""))
            for key, text in error_of.items()
        }
    return {"runs": names, "differences": different, "scores": scores, "refused": refused, "broken": broken}


def formats(call: Call) -> dict[str, Any]:
    """The formats of export."""
    return {"formats": {name: part["about"] for name, part in call.studio.parts("export").items()}}


def export(call: Call) -> dict[str, Any]:
    """Put an export into the queue; its file is offered when it is done."""
    name, form = call.path["run"], call.text("format")
    path = call.studio.place.run(name)
    if not FORMAT.fullmatch(form) or form not in formats(call)["formats"]:
        raise UsageError(f"no format {form[:40]!r}", "the page Export lists them")
    words = [str(path), "--to", form]
    step, direction, licence = call.whole("step", 0, 2**62), call.text("direction"), call.text("license").strip()
    words += [] if step is None else ["--step", str(step)]
    if direction:
        if not re.fullmatch(r"[\w-]{1,40}", direction):
            raise UsageError(f"direction {direction[:40]!r}")
        words += ["--direction", direction]
    if licence:
        if not LICENSE.fullmatch(licence):
            raise UsageError(f"license {licence[:60]!r}", "its short name: cc-by-4.0")
        words += ["--license", licence]
    folder = call.studio.place.folder("exports") / name
    folder.make()
    out = folder.path / f"{name}-{form}{'' if step is None else f'-{step}'}{_suffix(form)}"
    if out.is_dir():
        shutil.rmtree(out)
    command = call.studio.place.command("export", *words, "--out", str(out), "--json")
    entry = call.studio.queue.add("export", name, command, "export", out=out.name)
    return {"run": name, "id": entry.id, "file": out.name, "command": call.studio.place.shell(command)}


def _suffix(form: str) -> str:
    """The ending of a format's files, read from its class without importing it; none for a folder."""
    from gancli.core import outline

    found = outline.parts("export").get(form)
    return str(found.constants.get("suffix", "")) if found is not None else ""


def exported(call: Call) -> dict[str, Any]:
    """The files that were exported of a run."""
    name = call.path["run"]
    call.studio.place.run(name)
    folder = call.studio.place.folder("exports") / name
    kinds = folder.entries()
    return {
        "files": [
            {"name": n, "kind": k, "size": _size(folder.path / n)} for n, k in kinds.items() if k in ("file", "folder")
        ]
    }


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file() and not p.is_symlink()]
    return sum(p.stat().st_size for p in files)


def download(call: Call) -> Response:
    """An exported file, or a folder as a zip; never shown as a page of this server."""
    name, file = call.path["run"], call.path["file"]
    call.studio.place.run(name)
    folder = call.studio.place.folder("exports") / name
    kind = folder.entries().get(file)
    if kind not in ("file", "folder"):
        raise UsageError(f"no exported file {file[:100]!r}", "export it again")
    path = folder.path / file
    if kind == "folder":
        packed = call.studio.made() / f"{file}.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            for inner in sorted(path.rglob("*")):
                if inner.is_file() and not inner.is_symlink():
                    archive.write(inner, f"{file}/{inner.relative_to(path)}")
        path = packed
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(path.name)}", "cache-control": "no-store"}
    return FileResponse(path, media_type="application/octet-stream", headers=headers)


# Pages


def latest(call: Call, what: str) -> Entry | None:
    """The newest entry of a kind about the run."""
    found = [e for e in call.studio.queue.of_run(call.path["run"]) if e.what == what]
    live = [e for e in found if not e.over]
    return next(iter(live or found), None)


def evaluate_page(call: Call) -> Response:
    """The evaluation and its picture."""
    name = call.path["run"]
    path = call.studio.place.run(name)
    found = evaluation_of(path)
    values: dict[str, Any] = {
        "name": name, "tab": "/evaluate", "found": found, "entry": latest(call, "evaluate"),
        "picture": Folder(path).stat("evaluation.png"), "steps": call.studio.runs.steps(name),
        "protocol": flat(found.get("protocol", {})) if isinstance(found.get("protocol"), dict) else {},
    }  # fmt: skip
    return page("evaluate_part.html" if call.fragment else "evaluate.html", call, **values)


def evaluate_button(call: Call) -> Response:
    """The button Evaluate."""
    evaluate(call)
    return see(f"/runs/{quote(call.path['run'])}/evaluate")


def compare_page(call: Call) -> Response:
    """Runs to choose from, and the comparison."""
    names = chosen(call)
    if "run" in call.query:
        names = [call.query["run"]]
    every = [r for r in call.studio.runs.listed() if "broken" not in r][:200]
    return page("compare.html", call, runs=every, names=names)


def compare_part(call: Call) -> Response:
    """The table of a comparison."""
    return page("compare_part.html", call, **compare(call))


def export_page(call: Call) -> Response:
    """Formats, exported files and the model card."""
    name = call.path["run"]
    call.studio.place.run(name)
    try:
        text = call.studio.runs.file(name, "model", "README.md", 1 << 20).decode("utf-8", "replace")
    except (CheckpointError, UsageError):
        text = ""
    values: dict[str, Any] = {
        "name": name,
        "tab": "/export",
        "card": text,
        "entry": latest(call, "export"),
        **exported(call),
    }
    if call.fragment:
        return page("export_part.html", call, **values)
    return page("export.html", call, **values, formats=formats(call)["formats"], steps=call.studio.runs.steps(name))


def export_button(call: Call) -> Response:
    """The button Export."""
    export(call)
    return see(f"/runs/{quote(call.path['run'])}/export")


def card(call: Call) -> Response:
    """The model card, to be saved."""
    content = call.studio.runs.file(call.path["run"], "model", "README.md", 1 << 20)
    headers = {"content-disposition": "attachment; filename=README.md"}
    return Response(content, media_type="application/octet-stream", headers=headers)


ENDPOINTS = (
    Endpoint("GET", "/api/runs/{run}/evaluation", "The scores of a run with error, reference and protocol.", evaluated),
    Endpoint("POST", "/api/runs/{run}/evaluate", "Put an evaluation into the queue.", evaluate,
             body={"n": {"type": "integer"}, "metrics": {"type": "string"}, "step": {"type": "integer"}}),
    Endpoint("GET", "/api/compare", "Compare runs: configuration and scores.", compare, {"runs": "names with | between them"}),
    Endpoint("GET", "/api/formats", "The formats of export.", formats),
    Endpoint("POST", "/api/runs/{run}/export", "Put an export into the queue.", export,
             body={k: {"type": "string"} for k in ("format", "direction", "license")} | {"step": {"type": "integer"}}),
    Endpoint("GET", "/api/runs/{run}/exports", "The files that were exported.", exported),
)  # fmt: skip
PAGES = (
    ("GET", "/runs/{run}/evaluate", evaluate_page), ("POST", "/runs/{run}/evaluate", evaluate_button),
    ("GET", "/compare", compare_page), ("GET", "/compare/part", compare_part),
    ("GET", "/runs/{run}/export", export_page), ("POST", "/runs/{run}/export", export_button),
    ("GET", "/runs/{run}/exports/{file}", download), ("GET", "/runs/{run}/card", card),
)  # fmt: skip
