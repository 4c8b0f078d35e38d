"""What there is: parts with their options, presets with their first line. For `gan list` and the reference pages."""

from __future__ import annotations

import inspect
from typing import Any

from gancli.config import presets
from gancli.registry import Part


def part(cls: type[Part]) -> dict[str, Any]:
    """A part's one-line description (of its module, where the class has none) and its options."""
    text = cls.__dict__.get("__doc__") or inspect.getmodule(cls).__doc__ or ""
    options = {
        name: {
            "type": str(field.annotation).replace("<class '", "").replace("'>", "").replace("typing.", ""),
            "default": None if field.is_required() else _plain(field.get_default(call_default_factory=True)),
            "description": field.description or "",
        }
        for name, field in cls.model_fields.items()
    }
    return {"about": text.strip().split("\n")[0], "module": cls.__module__, "options": options}


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def preset_lines() -> dict[str, dict[str, Any]]:
    """Preset -> its first comment line."""
    out = {}
    for name, path in presets().items():
        first = path.read_text().split("\n", 1)[0].lstrip("# ")
        out[name] = {"about": first.removeprefix(f"{name}:").strip(), "file": path.name, "options": {}}
    return out
