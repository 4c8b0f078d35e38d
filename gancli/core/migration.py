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


LOGS = {
    "logit_real": "logit/D/real",
    "logit_fake": "logit/D/fake",
    "real": "real/D",
    "apart": "apart/D",
    "overfit": "overfit/D",
}


def config(table: dict[str, Any], classes: int = 0) -> dict[str, Any]:
    """A configuration (whole, or one layer of it) under today's names.

    Args:
        table: nested values of a run's config.json, a recorded change, or a user's file.
        classes: those of the run's data, where they are known.

    Returns:
        A new table; what has today's names already is returned as it is.
    """
    out = {SECTIONS.get(key, key): value for key, value in table.items()}
    if isinstance(out.get("optimizer"), dict):
        out["optimizer"] = _optimizer(out["optimizer"])
    if isinstance(out.get("optimizers"), dict):
        out["optimizers"] = {net: _optimizer(value) for net, value in out["optimizers"].items()}
    if isinstance(out.get("task"), dict):
        out["task"] = _task(out["task"], classes)
    return out


def run_config(table: dict[str, Any], classes: int = 0) -> dict[str, Any]:
    """A run's whole config.json: as `config`; runs of format 1 had no validation set."""
    out = config(table, classes)
    if isinstance(data := out.get("data"), dict) and "validation" not in data:
        out["data"] = {**data, "validation": 0.0}
    return out


def _optimizer(table: Any) -> Any:
    if isinstance(table, dict) and isinstance(schedule := table.get("schedule"), dict) and "course" in schedule:
        return {**table, "schedule": {("shape" if k == "course" else k): v for k, v in schedule.items()}}
    return table


def _task(table: dict[str, Any], classes: int) -> dict[str, Any]:
    out = {("n_critic" if key == "turns" else key): value for key, value in table.items()}
    condition = out.get("condition")
    if condition in ("labels-if-any", {"name": "labels-if-any"}):
        out["condition"] = {"name": "projection" if classes > 1 else "none"}
    return out


def model(table: dict[str, Any]) -> dict[str, Any]:
    """A model's config.json under today's names."""
    out = dict(table)
    if isinstance(facts := out.get("facts"), dict) and "average" in facts:
        out["facts"] = {("ema" if k == "average" else k): v for k, v in facts.items()}
    if "spec" not in out and isinstance(shape := out.get("shape"), dict):
        out["spec"] = {"name": "images", **shape}
    spec = out.get("spec")
    classes = spec.get("classes", 0) if isinstance(spec, dict) else 0
    if isinstance(out.get("task"), dict):
        out["task"] = _task(out["task"], classes if isinstance(classes, int) else 0)
    return out


def state(table: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint's state.json under today's names."""
    out = {("optimizer" if key == "optimiser" else key): value for key, value in table.items()}
    if isinstance(window := out.get("window"), dict):
        out["window"] = logs(window)
    return out


def logs(line: dict[str, Any]) -> dict[str, Any]:
    """A line of a journal under today's keys; `d_loss` and `g_loss` stay beside them."""
    out: dict[str, Any] = {}
    for key, value in line.items():
        net, _, rest = key.partition("_")
        if key in LOGS:
            out[LOGS[key]] = value
        elif net in ("d", "g") and rest:
            name = {"loss": f"loss/{net.upper()}", "grad": f"grad/{net.upper()}", "update": f"update/{net.upper()}"}
            name["aux"] = f"auxiliary/{net.upper()}"
            out[name.get(rest, f"penalty/{net.upper()}/{rest}")] = value
        else:
            out[key] = value
    return out
