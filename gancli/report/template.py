"""A preset as a TOML file in which every option stands with its value and its description, for `gan init`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from gancli.core import registry, schema
from gancli.core.config import Config, Layer, flat, read_preset, resolve
from gancli.core.registry import Part
from gancli.report import catalog

PLACEHOLDER: Layer = {"data": {"source": "digits"}}  # a configuration needs a source; the user names one
HEAD = """# {about}
#
# gan train --config {file} trains with the options of this file. All settings below are those of the preset, commented out: remove
# the # before a setting to change it. What is not set here remains the preset's choice, also where that depends on the data.
{cases}
preset = {preset}
"""


def template(preset: str, file: str, changes: Layer) -> str:
    """The text of the file.

    Args:
        preset: its name.
        file: that is written.
        changes: a layer over the preset, whose settings are not commented out.

    Raises:
        UsageError: there is no such preset, or a change is not valid; suggests the nearest names.
    """
    base = read_preset(preset)
    cfg = resolve(PLACEHOLDER, base, {"preset": preset}, changes)
    set_here = {key for key, value in flat(changes).items() if value is not None}
    known = catalog.preset_lines()[preset]
    cases = [
        "The preset depends on the data, and the settings below are those for data that no condition fits:",
        *known["cases"],
    ]
    said = "".join(f"# {line}\n" for line in cases) if known["cases"] else ""
    lines = [HEAD.format(about=f"{preset}: {known['about']}", file=file, cases=said, preset=_toml(preset))]
    for title, group in _groups(cfg):
        lines.append(f"# ---- {title}\n")
        for key, value, text in group:
            here = key in set_here or (key.endswith(".name") and key.removesuffix(".name") in set_here)
            lines.append(_setting(key, value, text, here))
    return "\n".join(lines) + "\n"


def _setting(key: str, value: Any, text: str, here: bool) -> str:
    if value is None:
        return f"# {key} is not set: {text}\n"
    return f"# {text}\n{'' if here else '#'}{key} = {_toml(value)}\n"


def _groups(cfg: Config) -> Iterator[tuple[str, list[tuple[str, Any, str]]]]:
    """Titles, and settings (key, value, description)."""
    alone = [s for s in _settings(cfg, schema.of(Config), "") if "." not in s[0] and s[0] != "preset"]
    yield "run", alone
    for name in Config.model_fields:
        value = getattr(cfg, name)
        if isinstance(value, BaseModel):
            found = schema.of_part(type(value)) if isinstance(value, Part) else schema.of(type(value))  # type: ignore[arg-type]
            first = [(f"{name}.name", value.name, f"gan list {_kind(name)}")] if isinstance(value, Part) else []
            yield name, [*first, *_settings(value, found, f"{name}.")]


def _settings(of: BaseModel, found: schema.Schema, prefix: str) -> Iterator[tuple[str, Any, str]]:
    """The settings of a group or a part, with those of the parts in it."""
    for key, option in catalog.options(found).items():
        if key == "name":
            continue
        value: Any = of
        for name in key.split("."):
            value = getattr(value, name)
        text = f"{option['description']} ({option['type']})" if option["description"] else f"({option['type']})"
        if isinstance(value, Part):
            if prefix or key not in Config.model_fields:
                yield f"{prefix}{key}.name", value.name, f"{option['description']} (gan list {option['type']})"
                yield from _settings(value, schema.of_part(type(value)), f"{prefix}{key}.")
        elif not isinstance(value, BaseModel):
            yield prefix + key, _plain(value), text


def _kind(name: str) -> str:
    return name if name in registry.kinds() else "config"


def _plain(value: Any) -> Any:
    """A value as JSON: parts as tables, tuples as lists."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _toml(value: Any) -> str:
    """A value as TOML in one line; entries that are None are left out."""
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items() if v is not None) + " }" if value else "{}"
        )
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)
