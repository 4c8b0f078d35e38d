"""What earlier formats called things. Everything read from disk passes through here; everything written has today's names.

Format 1 (until 2026-11): British spellings, `average`, `rhythm`, `machine`, one critic's log keys.
"""

from __future__ import annotations

from typing import Any

FORMAT = 2  # of checkpoints and model folders
READABLE = (1, 2)

FILES = {"ema.safetensors": "average.safetensors", "optimizer.safetensors": "optimiser.safetensors"}  # now -> format 1
SECTIONS = {
    "optimiser": "optimizer",
    "optimisers": "optimizers",
    "average": "ema",
    "rhythm": "intervals",
    "machine": "runtime",
}


def config(table: dict[str, Any]) -> dict[str, Any]:
    """A configuration (whole, or one layer of it) under today's names.

    Args:
        table: nested values of a run's config.json, a recorded change, or a user's file.

    Returns:
        A new table; what has today's names already is returned as it is.
    """
    out = {SECTIONS.get(key, key): value for key, value in table.items()}
    if isinstance(out.get("optimizer"), dict):
        out["optimizer"] = _optimizer(out["optimizer"])
    if isinstance(out.get("optimizers"), dict):
        out["optimizers"] = {net: _optimizer(value) for net, value in out["optimizers"].items()}
    return out


def _optimizer(table: Any) -> Any:
    if isinstance(table, dict) and isinstance(schedule := table.get("schedule"), dict) and "course" in schedule:
        return {**table, "schedule": {("shape" if k == "course" else k): v for k, v in schedule.items()}}
    return table


def model(table: dict[str, Any]) -> dict[str, Any]:
    """A model's config.json under today's names."""
    out = dict(table)
    if isinstance(facts := out.get("facts"), dict) and "average" in facts:
        out["facts"] = {("ema" if k == "average" else k): v for k, v in facts.items()}
    return out


def state(table: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint's state.json under today's names."""
    return {("optimizer" if key == "optimiser" else key): value for key, value in table.items()}
