"""Migration of files of earlier formats: every file is converted to the current names when it is read.

Format 1 (until 2026-11) has British spellings, the sections `average`, `rhythm` and `machine`, and log keys for one critic.
"""

from __future__ import annotations

from typing import Any

FORMAT = 2  # of checkpoints and model folders
READABLE = (1, 2)

FILES = {"ema.safetensors": "average.safetensors", "optimizer.safetensors": "optimiser.safetensors"}  # current -> old
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
NET_LOGS = {
    "loss": "loss",
    "grad": "grad",
    "update": "update",
    "aux": "auxiliary",
}  # d_NAME -> NAME/D; others are penalties
COLUMNS = {"d_loss": "loss/D", "g_loss": "loss/G"}  # written in addition to the current keys
KINDS = {"overfitting": "overfitting of D", "no gradient": "no gradient of G"}  # of the monitor's warnings
BY_CLASSES = "labels-if-any"  # a condition that depended on the data; replaced by a table of the preset


def config(table: dict[str, Any], classes: int | None = None) -> dict[str, Any]:
    """Migrate a configuration or one layer of it.

    Args:
        table: nested table from a run's config.json, a recorded change, or a user's file.
        classes: number of classes of the data; None if unknown, then entries that depend on it are unchanged.

    Returns:
        A new table; entries with current names are unchanged.
    """
    out = {SECTIONS.get(key, key): value for key, value in table.items()}
    if isinstance(out.get("optimizer"), dict):
        out["optimizer"] = _optimizer(out["optimizer"])
    if isinstance(out.get("optimizers"), dict):
        out["optimizers"] = {net: _optimizer(value) for net, value in out["optimizers"].items()}
    if isinstance(out.get("task"), dict):
        out["task"] = _task(out["task"], classes)
    return out


def run_config(table: dict[str, Any], classes: int | None = None) -> dict[str, Any]:
    """Migrate a run's complete config.json: as `config`, and runs of format 1 have no validation set.

    Args:
        table: content of config.json.
        classes: number of classes of the data; None if unknown.

    Returns:
        A new table.
    """
    out = config(table, classes)
    if isinstance(data := out.get("data"), dict) and "validation" not in data:
        out["data"] = {**data, "validation": 0.0}
    return out


def _optimizer(table: Any) -> Any:
    if isinstance(table, dict) and isinstance(schedule := table.get("schedule"), dict) and "course" in schedule:
        return {**table, "schedule": {("shape" if k == "course" else k): v for k, v in schedule.items()}}
    return table


def _task(table: dict[str, Any], classes: int | None) -> dict[str, Any]:
    out = {("n_critic" if key == "turns" else key): value for key, value in table.items()}
    if out.get("condition") in (BY_CLASSES, {"name": BY_CLASSES}) and classes is not None:
        out["condition"] = {"name": "projection" if classes > 1 else "none"}
    return out


def model(table: dict[str, Any]) -> dict[str, Any]:
    """Migrate a model's config.json."""
    out = dict(table)
    if isinstance(facts := out.get("facts"), dict) and "average" in facts:
        out["facts"] = {("ema" if k == "average" else k): v for k, v in facts.items()}
    if "spec" not in out and isinstance(shape := out.get("shape"), dict):
        out["spec"] = {"name": "images", **shape}
    if isinstance(out.get("task"), dict):
        out["task"] = _task(out["task"], classes_of(out) or 0)
    return out


def classes_of(table: dict[str, Any]) -> int | None:
    """The number of classes in a migrated config.json of a model, or None if it has no such entry."""
    spec = table.get("spec")
    classes = spec.get("classes") if isinstance(spec, dict) else None
    return classes if isinstance(classes, int) else None


def state(table: dict[str, Any]) -> dict[str, Any]:
    """Migrate a checkpoint's state.json."""
    out = {("optimizer" if key == "optimiser" else key): value for key, value in table.items()}
    if isinstance(window := out.get("window"), dict):
        out["window"] = {_log(key): value for key, value in window.items()}
    return out


def line(values: dict[str, Any]) -> dict[str, Any]:
    """Migrate a line of a journal: `d_loss` -> `loss/D`, `logit_real` -> `logit/D/real`, `g_grad` -> `grad/G` and so on.

    `d_loss` and `g_loss` are also kept.
    """
    out = {_log(key): value for key, value in values.items()}
    out |= {key: values[key] for key in COLUMNS if key in values}
    for key in ("warned", "over"):
        if isinstance(kinds := out.get(key), list):
            out[key] = [KINDS.get(kind, kind) if isinstance(kind, str) else kind for kind in kinds]
    return out


def _log(key: str) -> str:
    """Migrate a log key."""
    net, _, rest = key.partition("_")
    if key in LOGS or net not in ("d", "g") or not rest:
        return LOGS.get(key, key)
    return f"{NET_LOGS[rest]}/{net.upper()}" if rest in NET_LOGS else f"penalty/{net.upper()}/{rest}"


def evaluation(table: dict[str, Any]) -> dict[str, Any]:
    """Migrate an evaluation.json; in format 1, the reference score is named floor."""
    if "format" in table:
        return table
    scores = {name: _score(score) for name, score in table["scores"].items()}
    protocol = {**table["protocol"], "split": "test set"}
    for key in ("metrics", "skipped"):
        if isinstance(of := protocol.get(key), dict):
            protocol[key] = {name.replace("memorisation", "memorization"): value for name, value in of.items()}
    return {**table, "scores": scores, "protocol": protocol}


def _score(table: dict[str, Any]) -> dict[str, Any]:
    out = {key.replace("floor", "reference"): value for key, value in table.items()}
    return {**out, "better": "reference"} if out.get("better") == "floor" else out
