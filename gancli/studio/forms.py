"""Forms from the JSON Schema of the configuration: the fields of a task, and what was filled in as arguments of `--set`.

A field that is empty keeps the preset's value, which it shows; what is filled in departs from the preset. No part is named here:
plug-ins have forms because they have schemas.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gancli.core.errors import UsageError
from gancli.core.schema import Schema, kind_of
from gancli.report.catalog import words

PREFIX = "o."  # of the names of fields
LEFT_OUT = (  # of the fields of all options: the page has fields of its own for these
    "preset", "data.source", "optimizers", "stop.epochs", "stop.max_minutes", "batch_size", "seed", "intervals.evaluate",
    "data.image_size", "data.channels", "runtime.device",
)  # fmt: skip
DEEPEST = 6
LONGEST = 2000  # characters of a value


@dataclass(frozen=True)
class Field:
    """An option of the configuration.

    Attributes:
        key: such as `task.loss`.
        label: the last part of the key.
        about: its description and bounds.
        widget: choice, number, whole or text.
        usual: the value if nothing is filled in, as it is shown.
        value: what was filled in.
        choices: of a choice.
        low, high: bounds of a number.
        inner: the options of the part or group.
        is_part: whether a part is chosen; another one has other options.
    """

    key: str
    label: str
    about: str
    widget: str
    usual: str = ""
    value: str = ""
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    inner: tuple[Field, ...] = field(default=())
    is_part: bool = False

    @property
    def name(self) -> str:
        """Of the input."""
        return PREFIX + self.key

    @property
    def changed(self) -> bool:
        """Whether it, or anything in it, was filled in."""
        return bool(self.value) or any(f.changed for f in self.inner)


def fields(schema: Schema, base: Mapping[str, Any], given: Mapping[str, str]) -> list[Field]:
    """The fields of a configuration.

    Args:
        schema: of the configuration (`gan list --schema`).
        base: the configuration without departures, as far as it is known, as a nested table.
        given: what was filled in, by key.

    Returns:
        A field for each key; those of groups and parts contain further ones.
    """
    return list(_of_object(schema, schema, base, given, ""))


def _of_object(whole: Schema, of: Schema, base: Any, given: Mapping[str, str], prefix: str) -> Iterator[Field]:
    for name, found in of.get("properties", {}).items():
        key = prefix + name
        if key in LEFT_OUT or name == "name" or key.count(".") > DEEPEST:
            continue
        inner = base.get(name) if isinstance(base, Mapping) else None
        yield _field(whole, found, inner, given, key)


def _field(whole: Schema, of: Schema, base: Any, given: Mapping[str, str], key: str) -> Field:
    label, about, value = key.rpartition(".")[2], of.get("description", ""), given.get(key, "")
    usual = of.get("default") if base is None else base
    if "properties" in of:
        inner = tuple(_of_object(whole, of, usual, given, f"{key}."))
        return Field(key, label, about.split("\n")[0], "group", inner=inner)
    if kind := kind_of(of):
        usual = {"name": usual} if isinstance(usual, str) else usual
        names = tuple(_parts(whole, kind))
        now = usual.get("name", "") if isinstance(usual, Mapping) else ""
        chosen = value or now
        part = whole["$defs"].get(f"{kind}.{chosen}", {})
        inner = tuple(_of_object(whole, part, usual if chosen == now else None, given, f"{key}."))
        return Field(key, label, about, "choice", now, value, names, inner=inner, is_part=True)
    low, high = of.get("minimum", of.get("exclusiveMinimum")), of.get("maximum", of.get("exclusiveMaximum"))
    plain = [one for one in of.get("anyOf", [of]) if one.get("type") != "null"]
    only = plain[0] if len(plain) == 1 else {}
    low, high = (
        only.get("minimum", only.get("exclusiveMinimum", low)),
        only.get("maximum", only.get("exclusiveMaximum", high)),
    )
    bounds = words(of)
    text = f"{about} ({bounds})" if bounds and bounds not in ("text", "bool") else about
    shown = _shown(usual)
    if "enum" in only:
        return Field(key, label, about, "choice", shown, value, tuple(str(v) for v in only["enum"]))
    if only.get("type") == "boolean":
        return Field(key, label, about, "choice", shown, value, ("true", "false"))
    widget = {"integer": "whole", "number": "number"}.get(only.get("type", ""), "text")
    return Field(key, label, text, widget, shown, value, low=low, high=high)


def _parts(whole: Schema, kind: str) -> Iterator[str]:
    for reference in whole["$defs"].get(kind, {}).get("oneOf", ()):
        yield reference["$ref"].rpartition(f"/{kind}.")[2]


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and value and all(isinstance(v, Mapping) and "name" in v for v in value):
        return json.dumps([v["name"] if len(v) == 1 else dict(v) for v in value])
    return value if isinstance(value, str) else json.dumps(value)


def given_in(body: Mapping[str, Any]) -> dict[str, str]:
    """What was filled in, by key. Raises UsageError for something that is no text or too long."""
    out = {}
    for name, value in body.items():
        if not name.startswith(PREFIX):
            continue
        text = value.strip() if isinstance(value, str) else json.dumps(value)
        if len(text) > LONGEST:
            raise UsageError(f"{name[len(PREFIX) : 100]}: a value of {len(text):,} characters", f"at most {LONGEST:,}")
        if text:
            out[name.removeprefix(PREFIX)] = text
    return out


def sets(given: Mapping[str, str]) -> list[str]:
    """The arguments of `--set`; parts before their options.

    Raises:
        UsageError: a key is none.
    """
    out = []
    for key in sorted(given, key=lambda k: (k.count("."), k)):
        if not all(part.replace("_", "").isalnum() and part.isascii() for part in key.split(".")):
            raise UsageError(f"{key[:80]!r} is no key of the configuration", "gan list config")
        out.append(f"{key}={_literal(given[key])}")
    return out


def _literal(text: str) -> str:
    """A value as `--set` reads it: a TOML value; JSON lists of parts become TOML; anything else is a string by itself."""
    try:
        tomllib.loads(f"v = {text}")
    except (ValueError, RecursionError):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return text
        return _toml(value)
    return text


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items() if v is not None) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """{"a.b": 1} -> {"a": {"b": 1}}; a part's name under its key where its options follow."""
    out: dict[str, Any] = {}
    for key, value in flat.items():
        *path, last = key.split(".")
        at = out
        for part in path:
            inner = at.get(part)
            if not isinstance(inner, dict):
                inner = at[part] = {"name": inner} if isinstance(inner, str) else {}
            at = inner
        at[last] = value
    return out
