"""The JSON Schema (draft 2020-12) of the configuration and of every part.

`gan list`, docs/reference.md and forms are generated from it. A field that holds a part refers to `#/$defs/KIND`, a `oneOf`
of all registered parts of that kind; each of these is `#/$defs/KIND.NAME`, an object with a constant `name`. Groups of
options (`stop`, `optimizer.schedule`) are inlined. `x-papers` lists the arXiv ids in the docstring of a part; a task says in
`x-accepts` and `x-asks` what it learns from and what can be requested from its models.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from gancli.core import registry
from gancli.core.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gancli.core.registry import Frozen, Part

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PAPER = re.compile(r"(?<![\d.])\d{4}\.\d{4,5}(?![\d.])")  # an arXiv id
Schema = dict[str, Any]


class _Untitled(GenerateJsonSchema):
    """Omits titles, which would only repeat names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def model_schema(self, schema: Any) -> Schema:
        return {key: value for key, value in super().model_schema(schema).items() if key != "title"}


def configuration() -> Schema:
    """The schema of a resolved configuration, as in a run's config.json.

    Returns:
        A JSON Schema whose `$defs` contain every kind of part in a configuration and every registered part of these kinds.
    """
    out: Schema = {"$schema": DIALECT, "title": "gancli configuration", **of(Config)}
    defs: Schema = {}
    todo = list(kinds_in(out))
    for kind in todo:
        found = {f"{kind}.{name}": of_part(cls) for name, cls in registry.parts(kind).items()}
        defs |= {kind: {"oneOf": [{"$ref": f"#/$defs/{name}"} for name in found]}, **found}
        todo += [other for other in dict.fromkeys(kinds_in(found)) if other not in todo]
    return {**out, "$defs": defs}


def of_part(cls: type[Part]) -> Schema:
    """The schema of a part: name, options, and a description from its docstring.

    Args:
        cls: a registered part.

    Returns:
        A schema of type object; fields that hold parts refer to `#/$defs/KIND`.
    """
    found = of(cls)
    text, papers = _about(cls)
    properties = {"name": {"const": cls.name}, **found.get("properties", {})}
    required = ["name", *found.get("required", ())]
    return {
        "description": text, "type": "object", "properties": properties, "required": required,
        "additionalProperties": False, "x-papers": papers, **cls.schema_notes(),
    }  # fmt: skip


def of(cls: type[Frozen]) -> Schema:
    """The schema of a group of options.

    Args:
        cls: the class of the options.

    Returns:
        A schema of type object, without `$defs`; fields that hold parts refer to `#/$defs/KIND`.
    """
    found = cls.model_json_schema(schema_generator=_Untitled)
    out: Schema = _inlined(found, found.pop("$defs", {}))
    return out


def kind_of(schema: Schema) -> str:
    """The kind of part that the schema of a field refers to, or ""."""
    prefix, _, kind = str(schema.get("$ref", "")).rpartition("/")
    return kind if prefix == "#/$defs" else ""


def kinds_in(schema: Any) -> Iterator[str]:
    """The kinds of parts that a schema refers to at any depth, in order of occurrence."""
    if isinstance(schema, dict):
        if kind := kind_of(schema):
            yield kind
        for value in schema.values():
            yield from kinds_in(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from kinds_in(value)


def _inlined(node: Any, defs: Schema) -> Any:
    """Inline the definitions of groups of options, and refer to kinds of parts."""
    if isinstance(node, list):
        return [_inlined(item, defs) for item in node]
    if not isinstance(node, dict):
        return node
    inner = {key: _inlined(value, defs) for key, value in node.items()}
    if kind := inner.pop(registry.SCHEMA_KEY, ""):
        if "default" in inner:
            inner["default"] = registry.build(kind, inner["default"]).model_dump(mode="json")
        return {"$ref": f"#/$defs/{kind}", **inner}
    group = str(inner.pop("$ref", "")).rpartition("/")[2]
    return {**_inlined(defs[group], defs), **inner} if group else inner


def _about(cls: type[Part]) -> tuple[str, list[str]]:
    return about(cls.__dict__.get("__doc__") or inspect.getmodule(cls).__doc__ or "", cls.name)


def about(docstring: str, name: str) -> tuple[str, list[str]]:
    """A part's description (the first paragraph of the docstring of its class, or else module) and arXiv ids in it.

    Args:
        docstring: of the class or module.
        name: of the part, which is left out where the description begins with it.
    """
    text = inspect.cleandoc(docstring)
    first = " ".join(text.split("\n\n")[0].split())
    return first.removeprefix(f"`{name}`: "), list(dict.fromkeys(PAPER.findall(first) or PAPER.findall(text)))
