"""Names, descriptions and constants of the parts in gancli's folders and of the groups of the configuration, read from the source.

Nothing is imported, so that `gan list` answers without waiting for torch. Plug-ins are not seen (`registry.parts` has them).
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gancli.core import schema
from gancli.core.registry import FOLDERS

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Outline:
    """What the source says of a part."""

    about: str  # the description, as in its schema
    constants: dict[str, Any]  # class attributes with constant values, `name` among them


def parts(kind: str) -> dict[str, Outline]:
    """The parts in the folder of a kind.

    Args:
        kind: such as "loss".

    Returns:
        Outlines by name, sorted.
    """
    found: dict[str, Outline] = {}
    for path in sorted((ROOT / FOLDERS[kind].replace(".", "/")).glob("*.py")):
        found |= _in_file(path)
    return dict(sorted(found.items()))


@functools.cache
def _in_file(path: Path) -> dict[str, Outline]:
    text = path.read_text(encoding="utf-8")
    if "name" not in text:
        return {}
    module = ast.parse(text)
    out = {}
    for node in module.body:
        if not isinstance(node, ast.ClassDef):
            continue
        constants = dict(_constants(node))
        name = constants.get("name")
        if isinstance(name, str):
            doc = ast.get_docstring(node) or ast.get_docstring(module) or ""
            out[name] = Outline(schema.about(doc, name)[0], constants)
    return out


def _constants(node: ast.ClassDef) -> Iterator[tuple[str, Any]]:
    for line in node.body:
        target = line.targets[0] if isinstance(line, ast.Assign) else getattr(line, "target", None)
        if isinstance(target, ast.Name) and isinstance(value := getattr(line, "value", None), ast.Constant):
            yield target.id, value.value
