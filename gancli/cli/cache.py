"""`gan cache`: what is kept of data sets and evaluations, all of which can be made again."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from gancli.cli import options as o
from gancli.core.errors import CheckpointError, UsageError

if TYPE_CHECKING:
    from gancli.data.entries import Entry
    from gancli.report.console import Console

PLACE = 10


class Action(StrEnum):
    """What is to be done."""

    list = "list"
    verify = "verify"
    clear = "clear"


UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
What = Annotated[Action, typer.Argument(help="list, verify (read every entry) or clear (remove all).")]
MaxSize = Annotated[
    str | None, typer.Option(help="With clear: remove the least recently used entries until the rest fits: 5GB.")
]


def command(what: What = Action.list, max_size: MaxSize = None, json: o.Json = False) -> None:
    """List, verify or clear the cache of decoded data, features and baseline scores (GAN_CACHE_DIR)."""
    from gancli.data.entries import bound, clear, entries
    from gancli.report.console import Console
    from gancli.runs.files import disk
    from gancli.training.prepare import cache_dir

    console, place, most = Console(json=json), cache_dir(), _bytes(max_size)
    if most is not None and what is not Action.clear:
        raise UsageError("--max-size is for clearing", "gan cache clear --max-size 5GB")
    with disk("the cache", place, then=""):
        if not place.is_dir():  # nothing was ever kept, or the home cannot be written
            _say(console, [], "", {"removed": []} if what is Action.clear else {})
            return
        if what is Action.clear:
            removed = clear(place) if most is None else bound(place, most)
            _say(console, entries(place), f"{len(removed)} entries removed; ", {"removed": _table(removed)})
            return
        there = entries(place)
    problems = {entry.name: why for entry in there if what is Action.verify and (why := entry.problem())}
    _say(console, there, "", {"problems": problems} if what is Action.verify else {})
    for name, why in problems.items():
        console.warn(f"{name}: {why}")
    if problems:
        raise CheckpointError(f"{len(problems)} of {len(there)} entries would be made again", "gan cache clear")


def _bytes(text: str | None) -> int | None:
    """Raises UsageError if it is no size such as 500MB."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*([KMGT]?)B?", text.strip(), re.IGNORECASE)
    if match is None:
        raise UsageError(f"--max-size {text!r} is no size", "such as 500MB or 5GB")
    return int(float(match[1]) * UNITS[match[2].upper()])


def _table(found: list[Entry]) -> list[dict[str, object]]:
    return [{"name": e.name, "size": e.size, "used": round(e.used), "mine": e.mine} for e in found]


def _say(console: Console, there: list[Entry], before: str, more: dict[str, object]) -> None:
    from gancli.training.prepare import cache_dir

    total = sum(entry.size for entry in there)
    if console.json:
        console.dump({"cache": str(cache_dir()), "size": total, "entries": _table(there), **more})
        return
    kinds: dict[str, list[Entry]] = {}
    for entry in there:
        kinds.setdefault(entry.kind, []).append(entry)
    if kinds:
        rows = [
            [kind, f"{len(of):,}", f"{sum(e.size for e in of) / 1e6:,.1f} MB"] for kind, of in sorted(kinds.items())
        ]
        console.sheet(["kind", "entries", "size"], rows, right=(1, 2))
    console.note(f"{before}{len(there)} entries, {total / 1e6:,.1f} MB in {cache_dir()}")
