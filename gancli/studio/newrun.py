"""The pages New run and Queue: data first, then a preset, then what departs from it; and the command for a shell."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from gancli.core.config import parse_set
from gancli.core.errors import GanError, UsageError
from gancli.runs.folder import NAME as RUN_NAME
from gancli.studio import actions, data, forms
from gancli.studio.calls import TOO_LONG, Call, Endpoint, see
from gancli.studio.render import page

FLAGS = {  # field -> option, and whether it is a whole number
    "epochs": ("--epochs", False), "minutes": ("--max-minutes", False), "batch": ("--batch-size", True),
    "seed": ("--seed", True), "evaluate": ("--evaluate-every", True),
}  # fmt: skip
DEVICE = re.compile(r"auto|cpu|cuda(:\d{1,2})?|mps")
RESULT = ("minutes", "images", "steps", "images_per_s", "memory_mb", "expect", "parameters")
PAGE = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Wish:
    """What a form of New run asks for.

    Attributes:
        words: arguments of `gan train`.
        base: the arguments without departures, which say which configuration the form departs from.
        name: of the run.
        lane: of the queue.
        given: departures by key.
    """

    words: tuple[str, ...]
    base: tuple[str, ...]
    name: str
    lane: str
    given: dict[str, str]


def wish(call: Call) -> Wish:
    """Read a form. Raises UsageError for a value that is none."""
    studio, words = call.studio, []
    clone = call.text("clone")
    text = chosen(call)
    if clone:
        words += ["--config", str(studio.place.run(clone) / "config.json")]
    if text and not (clone and text == f"as in {clone}"):
        words += ["--data", data.named(studio, text)]
    elif not clone:
        data.named(studio, "")
    words += data.options(call.text("size"), call.text("channels")) + data.data_dir(studio.place)
    preset = call.text("preset")
    if preset and not clone:
        if preset not in studio.presets():
            raise UsageError(f"no preset {preset[:60]!r}", "choose one of the list")
        words += ["--preset", preset]
    base = tuple(words)
    for field, (option, whole) in FLAGS.items():
        low = 0 if field == "seed" else 1 if whole else 1e-6
        value = call.whole(field, int(low), 2**62) if whole else call.number(field, low, 1e9)
        if value is not None:
            words += [option, f"{value:g}" if not whole else str(value)]
    device = call.text("device")
    if device and not DEVICE.fullmatch(device):
        raise UsageError(f"device {device[:40]!r}", "auto, cpu, cuda or cuda:1")
    words += ["--device", device] if device else []
    given = forms.given_in(call.body)
    words += [word for item in forms.sets(given) for word in ("--set", item)]
    name = call.text("name").strip()
    if name and (not RUN_NAME.fullmatch(name) or len(name) > TOO_LONG):
        raise UsageError(f"{name[:60]!r} cannot be a run's name", "use letters, digits, blanks, dots and dashes")
    return Wish(tuple(words), base, name, actions.lane_of(device), given)


def chosen(call: Call) -> str:
    """The data that a form names; what was dropped on the page by its upload."""
    text, upload = call.text("data"), call.text("upload")
    return f"{data.LABEL}{upload}" if upload and text.startswith(data.DROPPED) else text


def free_name(call: Call, stem: str) -> str:
    """A name that no run and no entry of the queue has. Raises UsageError for a name that is taken."""
    taken = {*call.studio.runs.names(), *(e.run for e in call.studio.queue.entries() if not e.over)}
    if call.text("name").strip():
        if stem in taken:
            raise UsageError(f"there is a run {stem!r} already", "choose another name")
        return stem
    numbers = [int(m[1]) for name in taken if (m := re.fullmatch(r".*-(\d{4,18})", name))]
    return f"{stem}-{max(numbers, default=0) + 1:04d}"


def stem_of(call: Call) -> str:
    """The beginning of a run's name: data and preset."""
    text = call.text("data").removeprefix(data.DROPPED).rpartition("/")[2].rpartition("\\")[2]
    if text.startswith(data.LABEL):
        text = data.upload_of(call.studio.place, text.removeprefix(data.LABEL)).name
    shown = re.sub(r"\.[A-Za-z0-9]{2,5}$", "", text)
    shown = re.sub(r"[^A-Za-z0-9._-]+", "-", call.text("clone") or shown).strip("-.")[:60] or "run"
    return f"{shown}-{call.text('preset')}" if call.text("preset") else shown


def check(call: Call) -> dict[str, Any]:
    """A dry run: minutes, memory, what to expect, the resolved configuration, and the command for a shell."""
    asked = wish(call)
    train = call.studio.place.command("train", *asked.words, *(["--name", asked.name] if asked.name else []))
    dry = call.studio.place.command("train", *asked.words, "--dry-run", "--json")
    form = call.text("page")
    key = f"check {form}" if PAGE.fullmatch(form) else ""
    answer = call.studio.once(f"dry {dry}", lambda: _dried(call, dry, key))
    if len(asked.words) == len(asked.base):
        call.studio.remember(f"base {asked.base}", answer["config"])
    return {**answer, "command": call.studio.place.shell(train)}


def _dried(call: Call, command: list[str], key: str) -> dict[str, Any]:
    answer = call.studio.commands.gan(command, key)
    found = answer.json()
    notes = [
        line
        for line in answer.err.splitlines()
        if line.startswith(("chose ", "preset ", "warning: ", "data ", "task "))
    ]
    return {**{k: found.get(k) for k in RESULT}, "config": found.get("config", {}), "notes": notes}


def start(call: Call) -> dict[str, Any]:
    """Put a training into the queue."""
    asked = wish(call)
    name = free_name(call, asked.name or stem_of(call))
    command = call.studio.place.command("train", *asked.words, "--name", name, "--json")
    entry = call.studio.queue.add("train", name, command, asked.lane)
    return {"run": name, "id": entry.id, "command": call.studio.place.shell(command)}


def sources(call: Call) -> dict[str, Any]:
    """The data sets by name, and the folders and archives that may be named."""
    defs = call.studio.schema()["$defs"]
    found = {k.removeprefix("data."): v for k, v in defs.items() if k.startswith("data.")}
    known = {name: part["description"] for name, part in found.items() if "path" not in part["properties"]}
    return {"sets": known, "paths": data.offered(call.studio.place)}


def inspected(call: Call) -> dict[str, Any]:
    """What `gan data` says of data."""
    return data.inspect(call.studio, chosen(call), call.text("size"), call.text("channels"), call.text("label"))


def _uploaded(_call: Call) -> dict[str, Any]:
    return {"upload": data.new_upload(_call.studio)}


def _renamed(call: Call) -> dict[str, Any]:
    name = call.text("name")
    data.rename(call.studio.place, call.path["upload"], name)
    return {"upload": call.path["upload"], "name": name}


def schema(call: Call) -> dict[str, Any]:
    """The JSON Schema of the configuration."""
    return call.studio.schema()


# Pages


def new(call: Call) -> Response:
    """The form."""
    clone = call.query.get("clone", "")
    config: dict[str, Any] = {}
    if clone:
        config = actions.config_of(call.studio.place.run(clone))
    given: dict[str, str] = {}
    for text in [call.query["set"]] if "set" in call.query else []:
        parse_set(text)
        key, _, value = text.partition("=")
        given[key] = value
    chosen = call.query.get("data", "") or (f"as in {clone}" if clone else "")
    values: dict[str, Any] = {
        "clone": clone,
        "config": config,
        "given": given,
        "chosen": chosen,
        "form": secrets.token_hex(6),
    }
    return page("new.html", call, **values, paths=data.offered(call.studio.place), sets=_known_sets(call))


def _known_sets(call: Call) -> list[str]:
    """The data sets by name, read from the source where the schema is not there yet."""
    found = call.studio.known("schema")
    if found is not None:
        return [*sources(call)["sets"]]
    from gancli.core import outline

    return [*outline.parts("data")]


def data_part(call: Call) -> Response:
    """What `gan data` says, and the presets that fit."""
    found = inspected(call)
    presets = call.studio.presets()
    fit = {name: p for name, p in presets.items() if p["settings"].get("task.name", "") in found.get("tasks", ())}
    return page(
        "new_data.html", call, found=found, presets=fit or presets, label=call.text("label"), chosen=call.text("preset")
    )


def options_part(call: Call) -> Response:
    """The fields of all options of the task."""
    asked = wish(call)
    base = call.studio.known(f"base {asked.base}")
    if base is None and call.text("clone"):
        base = actions.config_of(call.studio.place.run(call.text("clone")))
    if base is None:
        base = forms.nested(call.studio.presets().get(call.text("preset"), {}).get("settings", {}))
    return page("new_options.html", call, fields=forms.fields(call.studio.schema(), base, asked.given))


def check_part(call: Call) -> Response:
    """The result of a dry run."""
    asked = wish(call)
    try:
        found = check(call)
    except GanError as error:
        command = call.studio.place.command("train", *asked.words, *(["--name", asked.name] if asked.name else []))
        return page(
            "new_check.html", call, found=None, error=error, command=call.studio.place.shell(command), given=asked.given
        )
    return page("new_check.html", call, found=found, error=None, command=found["command"], given=asked.given)


def start_page(call: Call) -> Response:
    """The button Start."""
    return see(f"/runs/{quote(start(call)['run'])}")


def queue(call: Call) -> Response:
    """The queue."""
    entries = call.studio.queue.entries()
    template = "queue_table.html" if call.fragment else "queue.html"
    shells = {e.id: call.studio.place.shell(e.command) for e in entries}
    return page(template, call, entries=entries, shells=shells, names=call.studio.runs.names())


def entry(call: Call) -> Response:
    """What an entry said."""
    found = call.studio.queue.get(call.path["id"])
    return page(
        "entry.html", call, entry=found, log=call.studio.queue.log(found), shell=call.studio.place.shell(found.command)
    )


def queue_button(call: Call) -> Response:
    """The buttons of the queue."""
    what = call.text("what")
    if what in ("up", "down"):
        call.studio.queue.move(call.path["id"], -1 if what == "up" else 1)
    elif what == "cancel":
        call.studio.queue.cancel(call.path["id"])
    else:
        raise UsageError(f"{what[:40]!r} cannot be done in the queue")
    return see("/queue")


FORM = {
    name: {"type": "string"} for name in ("data", "size", "channels", "preset", "clone", "name", "device", *FLAGS)
} | {"o.KEY": {"type": "string", "description": "any key of the configuration, such as o.task.loss"}}
ENDPOINTS = (
    Endpoint("GET", "/api/schema", "The JSON Schema of the configuration, with every part.", schema),
    Endpoint("GET", "/api/data", "Data sets by name, and folders and archives that may be named.", sources),
    Endpoint("POST", "/api/data/inspect", "What gan data says of data.", inspected,
             body={k: {"type": "string"} for k in ("data", "size", "channels", "label")}),
    Endpoint("POST", "/api/uploads", "The name of a new upload; its files are sent by PUT.", _uploaded),
    Endpoint("POST", "/api/uploads/{upload}/name", "Rename the only file or folder of an upload.", _renamed,
             body={"name": {"type": "string"}}),
    Endpoint("POST", "/api/train/check", "A dry run: minutes, memory, the resolved configuration.", check, body=FORM),
    Endpoint("POST", "/api/train", "Put a training into the queue.", start, body=FORM),
)  # fmt: skip
PAGES = (
    ("GET", "/new", new), ("POST", "/new/data", data_part), ("POST", "/new/options", options_part),
    ("POST", "/new/check", check_part), ("POST", "/new", start_page), ("GET", "/queue", queue),
    ("GET", "/queue/{id}", entry), ("POST", "/queue/{id}", queue_button),
)  # fmt: skip
