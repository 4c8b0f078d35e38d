"""The page Try it: samples, mappings of pictures and text of a model, at any checkpoint, by what its task can be asked for."""

from __future__ import annotations

import re
import secrets
import time
from pathlib import Path
from typing import Any

from starlette.responses import Response

from gancli.core.errors import UsageError
from gancli.studio import data
from gancli.studio.calls import Call, Endpoint
from gancli.studio.render import page
from gancli.studio.studio import Studio

MOST_SEEDS = 400
MOST_STEPS = 12  # checkpoints that are drawn at once
KEPT = 400  # files that were made
FILE = re.compile(r"([0-9a-f]{16})/([^/]{1,150})")
FORMS = ("grid", "walk", "mix")


def describe(studio: Studio, name: str, step: int | None = None) -> dict[str, Any]:
    """What a model can be asked for."""
    path = studio.place.run(name)
    steps = studio.runs.steps(name)
    at = step if step is not None else (steps[0] if steps else None)
    request = {"do": "describe", "run": str(path), "step": step, "plugins": _plugins(studio)}
    found: dict[str, Any] = studio.once(f"describe {path} {at}", lambda: studio.commands.make(request))
    return found


def _plugins(studio: Studio) -> list[str]:
    return [str(file) for file in studio.place.plugins]


def numbers(text: str, most: int = MOST_SEEDS) -> list[int]:
    """ "0-63,99" -> [0, ..., 63, 99]. Raises UsageError."""
    out: list[int] = []
    for piece in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,18})(?:-(\d{1,18}))?\s*", piece, re.ASCII)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise UsageError(f"{text[:60]!r} is not a list of numbers", "for instance 0-63,99")
        first, last = int(match[1]), int(match[2] or match[1])
        if len(out) + last - first >= most:
            raise UsageError(f"{text[:60]!r} is more than {most} numbers", "gan sample takes more")
        out += range(first, last + 1)
    return out


def given(call: Call, known: dict[str, Any]) -> dict[str, Any]:
    """The options of a request that were filled in. Raises UsageError."""
    out: dict[str, Any] = {}
    for option in known["options"]:
        name, kind = option["name"], option["type"]
        text = call.text(f"a.{name}")
        if text == "" and not (kind == "text" and f"a.{name}" in call.body):
            continue
        if kind in ("number", "whole"):
            value = call.number(f"a.{name}", -1e300, 1e300)
            out[name] = None if value is None else round(value) if kind == "whole" else value
        elif kind == "bool":
            out[name] = text in ("true", "on", "1")
        elif kind == "choice":
            out[name] = next((c for c in option["choices"] if str(c) == text), text)
        else:
            out[name] = text[:10_000]
    return {name: value for name, value in out.items() if value is not None}


def labels(call: Call, known: dict[str, Any]) -> list[int] | None:
    """The classes that were chosen, by number or name."""
    text = call.text("labels").strip()
    if not text:
        return None
    if text in known["classes"]:
        return [known["classes"].index(text)]
    return numbers(text)


def requests(call: Call) -> list[dict[str, Any]]:
    """What is to be drawn: one request, or one for each checkpoint."""
    studio, name = call.studio, call.path["run"]
    step = call.whole("step", 0, 2**62)
    known = describe(studio, name, step)
    form = call.text("shape") or "grid"
    if form not in FORMS:
        raise UsageError(f"{form[:40]!r} is no form", f"there are: {', '.join(FORMS)}")
    prefix = "attribute."
    attributes = {k.removeprefix(prefix): call.number(k, -1e6, 1e6) for k in call.body if k.startswith(prefix)}
    seeds = numbers(call.text("seeds") or "0-15")
    request = {
        "do": "draw", "run": str(studio.place.run(name)), "plugins": _plugins(studio), "seeds": seeds,
        "labels": labels(call, known), "attributes": {k: v for k, v in attributes.items() if v is not None},
        "options": given(call, known), "form": form, "columns": call.whole("columns", 1, 64),
        "best_of": call.whole("best_of", 1, 64, 1), "ema": call.text("ema") != "raw", "step": step,
        "mix": numbers(call.text("mix") or "100-103", 16) if form == "mix" else None,
        "frames": call.whole("frames", 2, 400, 40) if form == "walk" else None,
    }  # fmt: skip
    if call.text("all_steps"):
        steps = studio.runs.steps(name)
        picked = (
            steps
            if len(steps) <= MOST_STEPS
            else [steps[i * (len(steps) - 1) // (MOST_STEPS - 1)] for i in range(MOST_STEPS)]
        )
        return [{**request, "step": s} for s in sorted(picked)]
    return [request]


def draw(call: Call) -> dict[str, Any]:
    """Samples of a model."""
    made, form = [], call.text("page")
    key = f"draw {form}" if re.fullmatch(r"[0-9a-f]{12}", form) else ""
    for request in requests(call):
        out = call.studio.made() / secrets.token_hex(8)
        made.append(call.studio.commands.make({**request, "out": str(out)}, key))
    sweep(call.studio)
    return {"made": made}


def apply(call: Call) -> dict[str, Any]:
    """A picture that was dropped, mapped by a model."""
    studio, name = call.studio, call.path["run"]
    step = call.whole("step", 0, 2**62)
    known = describe(studio, name, step)
    request = {
        "do": "apply", "run": str(studio.place.run(name)), "plugins": _plugins(studio), "step": step,
        "picture": str(_uploaded(studio, call.text("picture"))), "direction": call.text("direction"),
        "options": given(call, known), "seed": call.whole("seed", 0, 2**62, 0), "ema": call.text("ema") != "raw",
        "mask": str(_uploaded(studio, call.text("mask"))) if call.text("mask") else None,
        "out": str(studio.made() / secrets.token_hex(8)),
    }  # fmt: skip
    found = studio.commands.make(request)
    sweep(studio)
    return found


def _uploaded(studio: Studio, text: str) -> Path:
    """A file of an upload. Raises UsageError."""
    match = FILE.fullmatch(text)
    if match is None:
        raise UsageError("no picture was given", "drop one")
    top = studio.place.folder("uploads") / match[1]
    if not data.UPLOAD.fullmatch(match[1]) or top.entries().get(match[2]) != "file":
        raise UsageError(f"no picture {text[:60]!r}", "drop it again")
    return top.path / match[2]


def sweep(studio: Studio) -> None:
    """Remove the oldest of the files that were made for pages."""
    folder = studio.place.folder("made")
    found = sorted((s.st_mtime, n) for n in folder.names() if (s := folder.stat(n)) is not None)
    folder.remove(name for when, name in found[:-KEPT] if when < time.time() - 60)


def described(call: Call) -> dict[str, Any]:
    """What a model can be asked for."""
    return {
        **describe(call.studio, call.path["run"], call.whole("step", 0, 2**62)),
        "steps": call.studio.runs.steps(call.path["run"]),
    }


# Pages


def try_page(call: Call) -> Response:
    """The page; its form comes when the model has been read."""
    name = call.path["run"]
    call.studio.place.run(name)
    return page("try.html", call, name=name, tab="/draw")


def form_part(call: Call) -> Response:
    """The form, by what the model can be asked for."""
    name = call.path["run"]
    known, steps = describe(call.studio, name), call.studio.runs.steps(name)
    template = "try_apply.html" if known["maps"] else "try_draw.html"
    return page(template, call, name=name, known=known, steps=sorted(steps), page_id=secrets.token_hex(6))


def draw_part(call: Call) -> Response:
    """What was drawn."""
    asked = requests(call)[0]
    return page("try_made.html", call, made=draw(call)["made"], shell=shell(call, asked))


def shell(call: Call, asked: dict[str, Any]) -> str:
    """The same as a command, where a command can say it."""
    name, form = call.path["run"], asked["form"]
    known = describe(call.studio, name, asked["step"])
    usual = {option["name"]: option["default"] for option in known["options"]}
    options = {k: v for k, v in asked["options"].items() if v not in ("", usual[k])}
    words = [name, "--seeds", call.text("seeds") or "0-15"]
    if asked["labels"]:
        words += ["--labels", ",".join(map(str, asked["labels"]))]
    if asked["attributes"]:
        words += ["--attr", ",".join(f"{k}={v:g}" for k, v in asked["attributes"].items())]
    words += [w for k, v in options.items() for w in (f"--{k.replace('_', '-')}", *([] if v is True else [str(v)]))]
    words += ["--best-of", str(asked["best_of"])] if asked["best_of"] > 1 else []
    words += ["--mix", call.text("mix") or "100-103"] if form == "mix" else []
    words += ["--frames", str(asked["frames"])] if form == "walk" else []
    words += ["--step", str(asked["step"])] if asked["step"] is not None else []
    words += [] if asked["ema"] else ["--no-ema"]
    if not known["from_seeds"]:
        return ""
    suffix = ".gif" if form == "walk" else ".png" if known["latent"] or form == "mix" else ".txt"
    return call.studio.place.shell(call.studio.place.command("sample", *words, "--out", f"samples{suffix}"))


def apply_part(call: Call) -> Response:
    """The picture that came of it, over the one that was given."""
    return page("try_applied.html", call, made=apply(call), shell="")


ASK = {
    "seeds": {"type": "string", "description": "0-63,99"}, "labels": {"type": "string", "description": "a class or numbers"},
    "attribute.NAME": {"type": "number"}, "shape": {"enum": [*FORMS]}, "mix": {"type": "string"}, "frames": {"type": "integer"},
    "best_of": {"type": "integer"}, "step": {"type": "integer"}, "all_steps": {"type": "string"}, "ema": {"enum": ["", "raw"]},
    "columns": {"type": "integer"}, "a.NAME": {"description": "an option of the request, such as a.truncation"},
}  # fmt: skip
ENDPOINTS = (
    Endpoint("GET", "/api/runs/{run}/asks", "What a model can be asked for.", described, {"step": "of the checkpoint"}),
    Endpoint("POST", "/api/runs/{run}/draw", "Samples of a model, as files under /made/.", draw, body=ASK),
    Endpoint("POST", "/api/runs/{run}/apply", "A picture of an upload, mapped by a model.", apply,
             body={"picture": {"type": "string", "description": "UPLOAD/FILE"}, "mask": {"type": "string"},
                   "direction": {"type": "string"}, "seed": {"type": "integer"}, "step": {"type": "integer"}}),
)  # fmt: skip
PAGES = (
    ("GET", "/runs/{run}/draw", try_page), ("POST", "/runs/{run}/draw/form", form_part),
    ("POST", "/runs/{run}/draw", draw_part), ("POST", "/runs/{run}/apply", apply_part),
)  # fmt: skip
