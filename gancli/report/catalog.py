"""Parts and configuration keys with their options, presets with their descriptions, runs with their states.

For `gan list` and docs/reference.md. Options come from the JSON Schema (`core/schema.py`).
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from gancli.core import migration, outline, registry, schema
from gancli.core.config import Config, flat, merge, presets, read_preset, read_table
from gancli.core.errors import CheckpointError
from gancli.core.files import Folder
from gancli.core.registry import Part
from gancli.core.schema import PAPER, Schema
from gancli.report.text import short
from gancli.runs import checkpoint, history, journal, status
from gancli.runs.files import MAX_JSON, table
from gancli.runs.folder import Run

TYPES = {"integer": "int", "number": "float", "string": "text", "boolean": "bool", "null": "none", "object": "table"}
Options = dict[str, dict[str, Any]]  # key -> type, default, required, description


def part(cls: type[Part]) -> dict[str, Any]:
    """A part's one-line description, the papers it names, and its options."""
    found = schema.of_part(cls)
    return {
        "about": found["description"],
        "papers": found["x-papers"],
        "module": cls.__module__,
        "options": {key: value for key, value in options(found).items() if key != "name"},
    }


def briefly(kind: str) -> dict[str, dict[str, Any]]:
    """The descriptions of all parts of a kind; without plug-ins they are read from the source, which takes no imports."""
    if registry.extended():
        return {name: {"about": schema.of_part(cls)["description"]} for name, cls in registry.parts(kind).items()}
    return {name: {"about": found.about} for name, found in outline.parts(kind).items()}


def top_keys() -> dict[str, dict[str, Any]]:
    """The keys and groups of the configuration, with their descriptions."""
    return {
        name: {"about": field.description or (getattr(field.annotation, "__doc__", "") or "").split("\n")[0]}
        for name, field in Config.model_fields.items()
    }


def options(of: Schema, prefix: str = "") -> Options:
    """The options in an object's schema by key; those of a group by their paths (`schedule.shape`).

    Args:
        of: the schema of a group or a part.
        prefix: what every key begins with.
    """
    out: Options = {}
    for name, found in of.get("properties", {}).items():
        if "properties" in found:
            out |= options(found, f"{prefix}{name}.")
            continue
        out[prefix + name] = {
            "type": words(found),
            "default": found.get("default"),
            "required": name in of.get("required", ()),
            "description": found.get("description", ""),
        }
    return out


def configuration() -> Options:
    """Every key of the configuration. A key that holds a part is followed by the options of the part that it has by default; where
    there is none, and below these, by those that all parts of the kind have."""
    whole = schema.configuration()
    out: Options = {}
    for key, option in options(whole).items():
        out |= {key: option, **(_inside(whole, option, f"{key}.") if option["type"] in whole["$defs"] else {})}
    return out


def _inside(whole: Schema, option: dict[str, Any], prefix: str) -> Options:
    """The options below a key that holds a part."""
    kind, default = option["type"], option["default"]
    if not isinstance(default, dict):
        return _common(whole, kind, prefix)
    out: Options = {}
    for key, own in options(whole["$defs"][f"{kind}.{default['name']}"], prefix).items():
        if key != f"{prefix}name":
            out |= {key: own, **(_common(whole, own["type"], f"{key}.") if own["type"] in whole["$defs"] else {})}
    return out


def _common(whole: Schema, kind: str, prefix: str) -> Options:
    """The options that all parts of a kind have, as the first of them has them; below those that hold parts, theirs."""
    found = [options(whole["$defs"][f"{kind}.{name}"], prefix) for name in registry.parts(kind)]
    out: Options = {}
    for key in found[0] if found else ():
        if all(key in other for other in found) and key != f"{prefix}name":
            option = found[0][key]
            same = all(other[key]["default"] == option["default"] for other in found)
            out[key] = option if same else {**option, "default": None}
            if option["type"] in whole["$defs"]:
                out |= _common(whole, option["type"], f"{key}.")
    return out


def groups(found: Options) -> dict[str, Options]:
    """Keys of the configuration by their first part; those that are alone are in the group `run`."""
    nested = {key.partition(".")[0] for key in found if "." in key}
    out: dict[str, Options] = {}
    for key, option in found.items():
        top = key.partition(".")[0]
        out.setdefault(top if top in nested else "run", {})[key] = option
    return out


def places(kind: str) -> dict[str, str]:
    """The keys of the configuration that hold a part of a kind, or several, with their types: `task.penalties`, `list of penalty`."""
    whole = schema.configuration()
    defs, found, seen = whole["$defs"], dict[str, str](), set[str]()
    todo = [("", whole)]
    while todo:
        prefix, of = todo.pop(0)
        for key, option in options(of, prefix).items():
            named = option["type"].rpartition(" ")[2]
            if named == kind:
                found[key] = option["type"]
            if option["type"] in defs and named not in seen:
                seen.add(named)
                todo += [(f"{key}.", defs[f"{named}.{name}"]) for name in registry.parts(named)]
    return found


def words(of: Schema) -> str:
    """The type of a value and its bounds: `int >= 1`, `float in [0, 1) | none`, `list of int`, `loss`."""
    choices = [words(one) for one in of.get("anyOf", ())] or [str(one) for one in of.get("enum", ())]
    if choices:
        return " | ".join(choices)
    if of.get("type") == "array":
        each = dict.fromkeys(words(one) for one in of.get("prefixItems", [of.get("items", {})]))
        many = f"{len(of['prefixItems'])} " if "prefixItems" in of else ""
        return f"list of {many}{' and '.join(each)}"
    if isinstance(inner := of.get("additionalProperties"), dict):
        return f"table of {words(inner)}"
    return schema.kind_of(of) or TYPES.get(of.get("type", ""), "any") + _bounds(of)


def _bounds(of: Schema) -> str:
    """` >= 1`, ` in [0, 1)`, or nothing."""
    low, high = of.get("minimum", of.get("exclusiveMinimum")), of.get("maximum", of.get("exclusiveMaximum"))
    if low is not None and high is not None:
        return f" in {'[' if 'minimum' in of else '('}{short(low)}, {short(high)}{']' if 'maximum' in of else ')'}"
    if low is not None:
        return f" {'>=' if 'minimum' in of else '>'} {short(low)}"
    return "" if high is None else f" {'<=' if 'maximum' in of else '<'} {short(high)}"


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
            "cases": _cases(path),
            "settings": flat(read_preset(name)),
        }
    return out


def _cases(path: Path) -> list[str]:
    """What a preset sets by the data, a line for each case: "channels_above 1: preset fastgan, optimizer.lr 0.0005"."""
    out = []
    for case in read_table(path).get("case", []):
        when = ", ".join(f"{key} {short(bound)}" for key, bound in case.pop("when", {}).items()) or "otherwise"
        out.append(f"{when}: {', '.join(f'{key} {short(value)}' for key, value in flat(case).items())}")
    return out


def runs(folder: Path) -> dict[str, dict[str, Any]]:
    """The runs in a folder by name, newest first; for one that cannot be read the reason, as `broken`."""
    there = [p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")] if folder.is_dir() else []
    return {p.name: run(Run(p)) for p in sorted(there, key=_begun, reverse=True)}


def _begun(path: Path) -> tuple[int, str]:
    """When a run was begun: `gan sample` without a name takes the newest, too."""
    with suppress(OSError):
        return (path / "config.json").stat().st_mtime_ns, path.name
    return 0, path.name


def run(found: Run) -> dict[str, Any]:
    """A run's data, preset, state, progress and last headline score. Its checkpoints are not verified."""
    out: dict[str, Any] = {"path": str(found.path)}
    try:
        found.check()
        layers = [found.json("config.json"), *(line.get("changes", {}) for line in history.read(found.path))]
        cfg = merge(migration.config(layer) for layer in layers)
        source = cfg["data"]["source"]
        name = Path(source["path"]).stem if "path" in source else str(source["name"])
        step, images = reached(found)
        out |= {"data": name, "preset": str(cfg["preset"]), **_state(found), "step": step, "images": images}
        return {**out, **_headline(found, str(cfg["task"]["name"]))}
    except CheckpointError as error:
        return {**out, "broken": error.cause}
    except (KeyError, TypeError):
        return {**out, "broken": "config.json is not that of a run"}
    except OSError as error:
        return {**out, "broken": error.strerror or str(error)}


def reached(found: Run) -> tuple[int | None, int | None]:
    """Step and images of the newest checkpoint; where there is none, of the model folder."""
    newest = checkpoint.listed(found.checkpoints)[:1]
    top = Folder(found.path)
    places = [(top / "checkpoints" / p.name, "model.json") for p in newest]
    for place, name in [*places, (top / "model", "config.json")]:
        with suppress(CheckpointError, KeyError, TypeError, ValueError):
            tick = table(place.read(name, MAX_JSON), str(place.path / name))["tick"]
            return int(tick["step"]), int(tick["images"])
    return (checkpoint.step_of(newest[0]) if newest else None), None


def _state(found: Run) -> dict[str, Any]:
    """The state in `status.json`; null if there is none, as in runs of format 1."""
    said = status.read(found)
    return {key: said.get(key) for key in ("state", "reason", "total", "minutes_left")}


def _headline(found: Run, task: str) -> dict[str, Any]:
    """The task's headline score in evaluation.json, else of the last validation, and the step of the model that it is of."""
    wanted = _headline_of(task)
    out: dict[str, Any] = {"score": wanted or None, "value": None, "score_step": None}
    with suppress(CheckpointError, KeyError, TypeError, AttributeError, ValueError):
        evaluation = found.json("evaluation.json")
        values = [s["value"] for name, s in evaluation["scores"].items() if name.partition("@")[0] == wanted]
        if values:
            return out | {"value": float(values[0]), "score_step": evaluation["protocol"]["fakes"].get("step")}
    for line in reversed(journal.read(found.scores)):  # validations (--evaluate-every)
        values = [v for name, v in line.items() if name.partition("@")[0] == wanted and isinstance(v, int | float)]
        if values:
            return out | {"value": float(values[0]), "score_step": line.get("step"), "validation": True}
    return out


def _headline_of(task: str) -> str:
    found = outline.parts("task").get(task)
    if found is not None and "headline" in found.constants:
        return str(found.constants["headline"])
    return str(getattr(registry.parts("task").get(task), "headline", ""))
