"""Templates: every text that comes from a file, a name or a request is escaped."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

from gancli.core.errors import GanError
from gancli.core.printable import printable
from gancli.report.text import short
from gancli.studio.calls import Call, status_of

HERE = Path(__file__).parent
SIZES = ("B", "kB", "MB", "GB", "TB")


def _clean(value: Any, breaks: bool = False) -> str:
    """A text without anything that acts on a terminal or turns the direction of a line."""
    return printable(str(value), breaks=breaks, most=20_000)


def _marked(value: Any) -> Markup:
    """A text, escaped, in which what stands between backticks is code."""
    return Markup(re.sub(r"`([^`<>]{1,200})`", r"<code>\1</code>", str(escape(_clean(value)))))


def size(count: float) -> str:
    """Bytes in few characters."""
    for name in SIZES:
        if count < 1000 or name == SIZES[-1]:
            return f"{count:.0f} {name}" if name in SIZES[:2] else f"{count:.1f} {name}"
        count /= 1000
    return ""


def ago(seconds: float) -> str:
    """How long ago a time was."""
    passed = max(0.0, time.time() - seconds)
    for most, unit, name in ((90, 1, "s"), (5400, 60, "min"), (130_000, 3600, "h")):
        if passed < most:
            return f"{passed / unit:.0f} {name} ago"
    return time.strftime("%Y-%m-%d", time.localtime(seconds))


def left(minutes: Any) -> str:
    """How long a run will take."""
    if not isinstance(minutes, int | float):
        return ""
    return (
        f"{minutes * 60:.0f} s" if minutes < 1.5 else f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"
    )


def number(value: Any) -> str:
    """A number in few characters; what is none as text."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else _clean(value)


def spark(values: list[float], width: int = 96, height: int = 22) -> str:
    """The points of a polyline."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    step = width / (len(values) - 1)
    return " ".join(f"{i * step:.1f},{height - 1 - (v - low) / span * (height - 2):.1f}" for i, v in enumerate(values))


def environment() -> Environment:
    """The environment of all templates."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {
        "clean": _clean, "marked": _marked, "size": size, "ago": ago, "left": left, "spark": spark, "short": short,
        "number": number,
        "json": json.dumps,
    }  # fmt: skip
    return made


ENVIRONMENT = environment()


def page(template: str, call: Call, code: int = 200, **values: Any) -> Response:
    """A page, or a part of one."""
    text = ENVIRONMENT.get_template(template).render(studio=call.studio, call=call, **values)
    return HTMLResponse(text, code, headers={"cache-control": "no-store"})


def as_page(call: Call, error: GanError) -> Response:
    """An error, as a page or a part of one."""
    return page("error.html" if not call.fragment else "error_part.html", call, status_of(error), error=error)
