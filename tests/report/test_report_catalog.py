"""Options, their types and bounds in words, and the keys of the configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gancli.core import registry
from gancli.core.config import Config, flat, resolve
from gancli.report import catalog, listing
from gancli.runs.folder import Run
from gancli.runs.lock import locked


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "integer", "minimum": 1}, "int >= 1"),
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, "float in [0, 1)"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1e9}, "float in (0, 1e+09]"),
        ({"type": "integer", "maximum": 2**24}, "int <= 16777216"),
        ({"type": "number", "exclusiveMaximum": 1}, "float < 1"),
        ({"anyOf": [{"type": "integer", "exclusiveMinimum": 0}, {"type": "null"}]}, "int > 0 | none"),
        ({"enum": ["a", "b"], "type": "string"}, "a | b"),
        ({"type": "array", "items": {"$ref": "#/$defs/penalty"}}, "list of penalty"),
        ({"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}]}, "list of 2 float"),
        ({"type": "object", "additionalProperties": {"$ref": "#/$defs/optimizer"}}, "table of optimizer"),
        ({"$ref": "#/$defs/loss"}, "loss"),
        ({}, "any"),
    ],
)
def test_types_in_words(schema: dict[str, Any], text: str) -> None:
    assert catalog.words(schema) == text


def test_all_keys_of_the_configuration_are_there() -> None:
    found = catalog.configuration()
    for key in flat(resolve({"data": {"source": "digits"}}).dump()):
        known = key in found or any(key == f"{holder}.name" for holder in found)
        inside = any(key.startswith(f"{holder}.") for holder, o in found.items() if o["type"] in registry.kinds())
        assert known or inside, key
    for group in ("data", "stop", "ema", "intervals", "runtime", "optimizer.schedule"):
        assert sum(key.startswith(f"{group}.") for key in found) >= 2, group
    assert found["optimizer.schedule.shape"]["type"] == "constant | linear | cosine"
    assert found["stop.epochs"]["default"] == Config.model_fields["stop"].default.epochs
    assert found["data.source"]["required"]
    assert all(option["description"] for option in found.values())


def test_the_options_of_a_group_are_shown_by_their_paths() -> None:
    options = catalog.part(registry.find("optimizer", "adam"))["options"]
    assert options["schedule.warmup"]["type"] == "int >= 0"
    assert "name" not in options


def test_where_a_part_is_set() -> None:
    assert catalog.places("optimizer") == {"optimizer": "optimizer", "optimizers": "table of optimizer"}
    assert catalog.places("data") == {"data.source": "data"}
    assert "task.penalties" in catalog.places("penalty")
    assert catalog.places("metric") == {}


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ({"state": "finished", "reason": "quality"}, "finished: quality"),
        ({"state": "stopped", "reason": "stopped at step 3"}, "stopped"),
        ({"state": "diverged", "reason": "a loss"}, "diverged"),
        ({"state": "running", "minutes_left": 12.4}, "interrupted"),
        ({}, "-"),
    ],
)
def test_the_state_of_a_run(run: Path, status: dict[str, Any], text: str) -> None:
    (run / "status.json").unlink()
    if status:
        (run / "status.json").write_text(json.dumps(status))
    assert listing.state(catalog.run(Run(run))) == text


@pytest.mark.parametrize(
    ("left", "text"), [(12.4, "running, 12 min left"), (0.5, "running, 30 s left"), (None, "running")]
)
def test_a_run_in_training(run: Path, left: float | None, text: str) -> None:
    (run / "status.json").write_text(json.dumps({"state": "running", "minutes_left": left}))
    with locked(run):
        assert listing.state(catalog.run(Run(run))) == text
