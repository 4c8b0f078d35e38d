"""`gan list` as tables: runs, parts, presets, the keys of the configuration."""

from __future__ import annotations

from typing import Any

from gancli.report.catalog import groups
from gancli.report.console import Console
from gancli.report.text import short

HEADS = ["option", "type", "default", "meaning"]


def show_runs(console: Console, found: dict[str, Any]) -> None:
    """Runs with state, progress and score; for one that cannot be read the reason."""
    if console.json:
        console.dump({"runs": found})
        return
    scores = {entry["score"] for entry in found.values() if entry.get("score")}
    score = scores.pop() if len(scores) == 1 else ""
    heads = ["run", "data", "preset", "state", "step", "images", score or "score", "at step"]
    if found:
        table = [[name, *_row(entry, not score)] for name, entry in found.items()]
        left_out = [heads.index(head) for head in ("images", "data", "preset", "at step", "step")]
        console.sheet(heads, table, right=(4, 5, 6, 7), leave_out=left_out)
    if any(entry.get("validation") for entry in found.values()):
        console.say("* on the validation set")
    for name, entry in found.items():
        if "broken" in entry:
            console.warn(f"{name}: {entry['broken']}")


def _row(entry: dict[str, Any], named: bool) -> list[str]:
    """The cells of a run, behind its name; `named`: with the name of its score."""
    if "broken" in entry:
        return ["broken", *6 * ["-"]]
    step, images, at = (f"{entry[k]:,}" if isinstance(entry[k], int) else "-" for k in ("step", "images", "score_step"))
    value = "-" if entry["value"] is None else f"{entry['value']:.4g}{'*' if entry.get('validation') else ''}"
    value = f"{entry['score']} {value}" if named and value != "-" else value
    return [entry["data"], entry["preset"] or "-", state(entry), step, images, value, at]


def state(entry: dict[str, Any]) -> str:
    """`finished` (all images seen), `finished: minutes`, `running, 12 min left`, `stopped`, ..."""
    said = entry.get("state")
    if said == "finished" and entry["reason"] != "images":
        return f"finished: {entry['reason']}"
    if said in ("running", "saving") and isinstance(left := entry.get("minutes_left"), int | float):
        return f"{said}, {left:,.0f} min left" if left >= 1 else f"{said}, {60 * left:.0f} s left"
    return said or "-"


def show_catalog(console: Console, found: dict[str, Any], detail: str | None) -> None:
    """The parts and presets that there are, or one of them with its options."""
    if console.json:
        console.dump(found)
        return
    for kind, entries in found.items():
        if detail is not None:
            _show_one(console, kind, detail, entries[detail])
        elif entries:
            console.sheet([kind, ""], [[name, entry["about"]] for name, entry in entries.items()])
            console.say("")


def _show_one(console: Console, kind: str, name: str, entry: dict[str, Any]) -> None:
    console.say(f"{kind} {name}", "bold")
    console.say(entry["about"])
    if entry["papers"]:
        console.say("paper: " + ", ".join(f"arXiv {paper}" for paper in entry["papers"]))
    for line in entry.get("cases", []):
        console.say(line)
    if entry.get("cases"):
        console.say("below: what it sets for other data")
    console.say("")
    settings = [[key, short(value)] for key, value in entry.get("settings", {}).items()]
    if entry["options"]:
        console.sheet(HEADS, rows(entry["options"]))
    elif settings:
        console.sheet(["sets", "to"], settings)
    else:
        console.say("It has no options.")
    if entry.get("keys"):
        console.say("")
    for key, form in entry.get("keys", {}).items():
        console.say("set by " + _set(key, form, kind, name, bool(entry["options"])))


def _set(key: str, form: str, kind: str, name: str, options: bool) -> str:
    """The `--set` that chooses a part, and the one that sets an option of it."""
    if form == kind:
        return f"gan train --set {key}={name}" + (f", or {key}.OPTION=VALUE" if options else "")
    if form.startswith("table"):
        return f"gan train --set {key}.NET={name}" + (f", or {key}.NET.OPTION=VALUE" if options else "")
    return f"""gan train --set '{key}=[{{ name = "{name}"{", OPTION = VALUE" if options else ""} }}]'"""


def rows(options: dict[str, Any]) -> list[list[str]]:
    """A row for each option: key, type, default, meaning."""
    return [
        [
            key,
            o["type"],
            "required" if o["required"] else short(o["default"]),
            o["description"],
        ]
        for key, o in options.items()
    ]


def show_configuration(console: Console, found: dict[str, Any]) -> None:
    """Keys of the configuration, a table for each group of them."""
    if console.json:
        console.dump({"config": found})
        return
    for group, table in groups(found).items():
        console.sheet([group, *HEADS[1:]], rows(table))
        console.say("")
