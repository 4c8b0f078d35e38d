"""What there is: parts with their options, presets with their first line, runs with how far they are.

For `gan list` and the reference pages.
"""

from __future__ import annotations

import inspect
import re
from contextlib import suppress
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from gancli.core import migration
from gancli.core.config import flat, merge, presets, read_preset
from gancli.core.errors import CheckpointError
from gancli.core.files import read_capped
from gancli.core.registry import Part
from gancli.runs import checkpoint, history
from gancli.runs.files import MAX_JSON, table
from gancli.runs.folder import Run

PAPER = re.compile(r"(?<![\d.])\d{4}\.\d{4,5}(?![\d.])")  # an arXiv id


def part(cls: type[Part]) -> dict[str, Any]:
    """A part's one-line description (of its module, where the class has none), the papers it names, and its options."""
    text = (cls.__dict__.get("__doc__") or inspect.getmodule(cls).__doc__ or "").strip()
    first = text.split("\n")[0]
    options = {
        name: {
            "type": _type(field.annotation),
            "default": None if field.is_required() else _plain(field.get_default(call_default_factory=True)),
            "required": field.is_required(),
            "description": field.description or "",
        }
        for name, field in cls.model_fields.items()
    }
    return {
        "about": first.removeprefix(f"`{cls.name}`: "),
        "papers": list(dict.fromkeys(PAPER.findall(first) or PAPER.findall(text))),
        "module": cls.__module__,
        "options": options,
    }


def _type(annotation: Any) -> str:
    """In words: `int`, `batch | none`, `list of int`, `loss`."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " | ".join(map(str, inner))
    if origin in (Union, UnionType):
        return " | ".join(_type(a) for a in inner)
    if origin is Annotated:
        return _type(inner[0])
    if origin in (list, tuple):
        each = dict.fromkeys(_type(a) for a in inner if a is not Ellipsis)
        return f"list of {' and '.join(each)}"
    if annotation is NoneType:
        return "none"
    return str(getattr(origin or annotation, "__name__", annotation)).lower()


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def preset_lines() -> dict[str, dict[str, Any]]:
    """Preset -> its first comment line, and what it sets."""
    out: dict[str, dict[str, Any]] = {}
    for name, path in presets().items():
        first = path.read_text().split("\n", 1)[0].lstrip("# ").removeprefix(f"{name}:").strip()
        papers = list(dict.fromkeys(PAPER.findall(first)))
        out[name] = {
            "about": first,
            "papers": papers,
            "file": path.name,
            "options": {},
            "settings": flat(read_preset(name)),
        }
    return out


def runs(folder: Path) -> dict[str, dict[str, Any]]:
    """The runs below a folder by name, newest first; of one that cannot be read the reason, as `broken`."""
    there = [p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")] if folder.is_dir() else []
    return {p.name: run(Run(p)) for p in sorted(there, key=_begun, reverse=True)}


def _begun(path: Path) -> tuple[int, str]:
    """By this `gan sample` without a name finds the newest, too."""
    with suppress(OSError):
        return (path / "config.json").stat().st_mtime_ns, path.name
    return 0, path.name


def run(found: Run) -> dict[str, Any]:
    """What a run is made of, how far it is, and its last FID. Its parts are not imported, nor its checkpoints read through."""
    out: dict[str, Any] = {"path": str(found.path)}
    try:
        layers = [found.json("config.json"), *(line.get("changes", {}) for line in history.read(found.path))]
        cfg = merge(migration.config(layer) for layer in layers)
        source = cfg["data"]["source"]
        name = Path(source["path"]).stem if "path" in source else str(source["name"])
        step, images = reached(found)
        return {**out, "data": name, "preset": str(cfg["preset"]), "step": step, "images": images, **_fid(found)}
    except CheckpointError as error:
        return {**out, "broken": error.cause}
    except (KeyError, TypeError):
        return {**out, "broken": "config.json is not that of a run"}
    except OSError as error:
        return {**out, "broken": error.strerror or str(error)}


def reached(found: Run) -> tuple[int | None, int | None]:
    """Step and images of the newest checkpoint; where there is none, of the model folder."""
    newest = checkpoint.listed(found.checkpoints)[:1]
    for place in [*(p / "model.json" for p in newest), found.model / "config.json"]:
        with suppress(CheckpointError, KeyError, TypeError, ValueError):
            tick = table(read_capped(place, MAX_JSON), str(place))["tick"]
            return int(tick["step"]), int(tick["images"])
    return (checkpoint.step_of(newest[0]) if newest else None), None


def _fid(found: Run) -> dict[str, Any]:
    """The FID of evaluation.json, and the step that it is of."""
    out: dict[str, Any] = {"fid": None, "fid_step": None}
    with suppress(CheckpointError, KeyError, TypeError, AttributeError):
        judged = found.json("evaluation.json")
        scores = [s["value"] for name, s in judged["scores"].items() if name.startswith("fid@")]
        if scores and isinstance(scores[0], int | float):
            out = {"fid": float(scores[0]), "fid_step": judged["protocol"]["fakes"].get("step")}
    return out
