"""Writes docs/reference.md from the command line and the configuration schema: `python tests/make_reference.py`."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from gancli.cli import app, options
from gancli.core import registry
from gancli.report import catalog
from gancli.report.text import short

PAGE = Path(__file__).parents[1] / "docs" / "reference.md"
HEAD = """# Reference

Every verb with its options, every key of the configuration, and every part with its options. This page is generated
from the code (`python tests/make_reference.py`); `gan VERB --help`, `gan list config` and `gan list KIND NAME` print
the same. `gan list --schema` prints a JSON Schema of the whole configuration.

- [Command line](#command-line)
- [Configuration](#configuration)
- [Parts](#parts)
- [Presets](#presets)
"""
KINDS = {
    "task": "Tasks", "data": "Data sources", "model": "Models", "loss": "Losses", "penalty": "Penalties",
    "augment": "Augmentations", "condition": "Conditions", "optimizer": "Optimizers", "features": "Feature extractors",
    "metric": "Metrics", "baseline": "Baselines", "arm": "Arms of a study",
    "classifier": "Classifiers of a study", "spec": "Data specifications",
}  # fmt: skip


def reference() -> str:
    """The page."""
    return "\n".join([HEAD, *_commands(), *_configuration(), *_parts(), *_presets()])


def _commands() -> Iterator[str]:
    yield "## Command line\n"
    yield "Options can also be set by environment variables: `GAN_TRAIN_EPOCHS=20` is `gan train --epochs 20`."
    yield "The configuration of a run is made from, in this order: preset, `--config` file, environment and options, `--set`.\n"
    root = typer.main.get_command(app)
    for name, verb in root.commands.items():  # type: ignore[attr-defined]
        context = verb.make_context(name, [], resilient_parsing=True)
        sets, rows = _keys(name), []
        for param in verb.get_params(context):
            if (record := param.get_help_record(context)) and "--help" not in param.opts:
                rows.append([f"`{record[0]}`", record[1], sets.get(param.name, "")])
        yield f"### gan {name}\n\n{verb.help}\n"
        yield from _table(["option", "meaning", "sets"], rows) if sets else _table(["option", "meaning"], rows)


def _keys(verb: str) -> dict[str, str]:
    """Option -> the key of the configuration that it sets, of a verb that makes a configuration."""
    hints = inspect.get_annotations(importlib.import_module(f"gancli.cli.{verb}").command)
    if not all(hasattr(hint, "__metadata__") for hint in hints.values()):
        return {}
    found = ((name, info) for name, hint in hints.items() for info in hint.__metadata__)
    return {name: f"`{info.path}`" for name, info in found if isinstance(info, options.Key)}


def _configuration() -> Iterator[str]:
    yield "## Configuration\n"
    yield "The keys of a TOML file and of `--set KEY=VALUE`. A key that holds a part takes its name, or a table of a name and options;"
    yield "below it stand those of its default, or else those that all parts of its kind have. A default of - depends on the part or"
    yield "on the data.\n"
    for name, table in catalog.groups(catalog.configuration()).items():
        yield f"### {name}\n"
        yield from _options(table)


def _parts() -> Iterator[str]:
    yield "## Parts\n"
    for kind in (*KINDS, *(kind for kind in registry.kinds() if kind not in KINDS)):
        parts = {name: cls for name, cls in registry.parts(kind).items() if cls.__module__.startswith("gancli.")}
        if not parts:
            continue
        places = ", ".join(f"`{key}` ({form})" for key, form in catalog.places(kind).items())
        yield f"### {KINDS.get(kind, kind)}\n"
        if places:
            yield f"Configuration: {places}.\n"
        for name, cls in parts.items():
            entry = catalog.part(cls)
            yield f"#### {kind} {name}\n\n{entry['about']}\n"
            if entry["papers"]:
                yield f"Papers: {_papers(entry['papers'])}\n"
            yield from _options(entry["options"]) if entry["options"] else ("No options.\n",)


def _presets() -> Iterator[str]:
    yield "## Presets\n"
    rows = [[f"`{name}`", entry["about"], _papers(entry["papers"])] for name, entry in catalog.preset_lines().items()]
    yield from _table(["preset", "meaning", "papers"], rows)


def _papers(ids: list[str]) -> str:
    return ", ".join(f"[arXiv {one}](https://arxiv.org/abs/{one})" for one in ids)


def _options(found: catalog.Options) -> Iterator[str]:
    rows = [
        [f"`{key}`", o["type"], "required" if o["required"] else short(o["default"]), o["description"]]
        for key, o in found.items()
    ]
    yield from _table(["option", "type", "default", "meaning"], rows)


def _table(heads: list[str], rows: list[list[Any]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |\n|{'-|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row[: len(heads)])} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(reference())
