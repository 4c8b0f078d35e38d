"""The JSON Schema of the configuration: every part and option is in it, every preset fits it, and what `gan` refuses does not."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gancli.core import registry, schema
from gancli.core.config import Config, presets, read_preset, resolve
from gancli.core.registry import Frozen

PLUGIN = """
from gancli.losses.hinge import Hinge
from pydantic import Field

class Scaled(Hinge):
    \"\"\"A hinge loss that is scaled (1705.02894).\"\"\"

    name = "scaled_of_schema"
    factor: float = Field(2.0, gt=0, description="of both losses")
"""


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return schema.configuration()


def dump(*layers: dict[str, Any]) -> dict[str, Any]:
    return resolve({"data": {"source": "digits"}}, *layers).dump()


def walk(cls: type[Frozen], found: dict[str, Any]) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Every field of a class and of the groups in it, with its schema."""
    for name, field in cls.model_fields.items():
        inner = found["properties"][name]
        yield name, field, inner
        if isinstance(field.annotation, type) and issubclass(field.annotation, Frozen) and "properties" in inner:
            yield from walk(field.annotation, inner)


def test_it_is_a_schema_of_draft_2020_12(whole: dict[str, Any]) -> None:
    assert whole["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(whole)


def test_every_part_of_a_configuration_is_in_it(whole: dict[str, Any]) -> None:
    kinds = {kind for kind in whole["$defs"] if "." not in kind}
    assert kinds == {
        "task",
        "data",
        "optimizer",
        "model",
        "loss",
        "penalty",
        "augment",
        "condition",
        "logger",
        "translator",
        "critic",
        "degradation",
    }
    for kind in kinds:
        choices = {one["$ref"] for one in whole["$defs"][kind]["oneOf"]}
        assert choices == {f"#/$defs/{kind}.{name}" for name in registry.parts(kind)}
        for name in registry.parts(kind):
            part = whole["$defs"][f"{kind}.{name}"]
            assert part["properties"]["name"] == {"const": name}
            assert part["required"][0] == "name"
            assert part["additionalProperties"] is False


@pytest.mark.parametrize("kind", registry.kinds())
def test_every_option_has_a_type_a_default_and_a_description(kind: str) -> None:
    for name, cls in registry.parts(kind).items():
        if not cls.__module__.startswith("gancli."):
            continue  # a test's own
        found = schema.of_part(cls)
        assert found["description"], f"{kind} {name}"
        for option, field, inner in walk(cls, found):
            assert inner.get("description"), f"{kind} {name}.{option} has no description"
            assert field.description in (None, inner["description"])
            assert {"type", "anyOf", "enum", "$ref"} & inner.keys(), f"{kind} {name}.{option}"
            assert field.is_required() == ("default" not in inner), f"{kind} {name}.{option}"


def test_every_key_of_the_configuration_has_a_description(whole: dict[str, Any]) -> None:
    for key, _, inner in walk(Config, whole):
        assert inner.get("description"), key


@pytest.mark.parametrize("name", presets())
@pytest.mark.parametrize("source", ["digits", {"name": "folder", "path": "pictures"}])
def test_presets_fit(whole: dict[str, Any], name: str, source: Any) -> None:
    cfg = resolve(read_preset(name), {"preset": name, "data": {"source": source, "image_size": [32, 28]}})
    Draft202012Validator(whole).validate(cfg.dump())


def test_defaults_fit(whole: dict[str, Any]) -> None:
    """Every default is a value that its own schema accepts."""
    found = []

    def look(node: Any) -> None:
        if isinstance(node, dict):
            if "default" in node and isinstance(node.get("description"), str):
                found.append(node)
            for value in node.values():
                look(value)
        elif isinstance(node, list):
            for value in node:
                look(value)

    look(whole)
    assert len(found) > 150
    for node in found:
        Draft202012Validator({"$defs": whole["$defs"], **node}).validate(node["default"])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("batch_size",), 0),
        (("batchsize",), 5),
        (("data", "channels"), 2),
        (("data", "image_size"), [32]),
        (("stop", "epoch"), 3),
        (("task", "loss"), {"name": "hing"}),
        (("task", "loss"), "hinge"),
        (("task", "model", "wdth"), 3),
        (("task", "penalties"), [{"name": "r1", "every": 0}]),
        (("optimizer", "lr"), -1.0),
        (("optimizer", "schedule", "shape"), "square"),
        (("optimizers", "D"), {"name": "adam", "betas": [0.5]}),
        (("runtime", "precision"), "fp7"),
    ],
)
def test_what_is_wrong_does_not_fit(whole: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    table = dump()
    assert Draft202012Validator(whole).is_valid(table)
    inner = changed = copy.deepcopy(table)
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert not Draft202012Validator(whole).is_valid(changed)


def test_a_plug_in_s_part_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "scaled.py").write_text(PLUGIN)
    registry.load_plugin(tmp_path / "scaled.py")
    whole = schema.configuration()
    part = whole["$defs"]["loss.scaled_of_schema"]
    assert part["description"] == "A hinge loss that is scaled (1705.02894)."
    assert part["x-papers"] == ["1705.02894"]
    assert part["properties"]["factor"] == {
        "type": "number", "exclusiveMinimum": 0, "default": 2.0, "description": "of both losses",
    }  # fmt: skip
    Draft202012Validator(whole).validate(dump({"task": {"loss": {"name": "scaled_of_schema", "factor": 3.0}}}))
