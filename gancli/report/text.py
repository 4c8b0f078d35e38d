"""Values as text."""

from __future__ import annotations

import json
from typing import Any

from gancli.core.printable import printable

SIGNS = {
    "±": "+-", "↓": "v", "↑": "^", "≈": "~", "→": ">", "×": "x", "–": "-", "—": "-", "−": "-", "…": ".", "·": ".", "²": "2",
}  # fmt: skip


def encodable(text: str, encoding: str | None) -> str:
    """A text in the characters that an encoding has: signs by plain ones (`SIGNS`), others by escapes (`\\u4e2d`).

    Args:
        text: any text.
        encoding: of a stream; None: UTF-8.
    """
    encoding = encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_encodable(one, encoding) for one in text)
    return text


def _encodable(character: str, encoding: str) -> str:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return SIGNS.get(character) or character.encode("ascii", "backslashreplace").decode()
    return character


def short(value: Any) -> str:
    """A configuration value in few characters."""
    if value is None:
        return "-"
    if isinstance(value, dict) and value:
        return str(value["name"]) if "name" in value else ", ".join(f"{k}={short(v)}" for k, v in value.items())
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        named = any(isinstance(item, dict) for item in value)
        return ", ".join(map(short, value)) if named else json.dumps(value)
    return printable(str(value))


def lines(value: Any) -> str:
    """A value without brackets: entries of a table, and of a long list, are on lines of their own."""
    if isinstance(value, dict):
        width = max(map(len, value), default=0)
        return "".join(f"\n  {printable(k):<{width}}  {lines(v)}" for k, v in value.items()) or "none"
    if isinstance(value, list | tuple):
        texts = [lines(v) for v in value]
        if sum(map(len, texts)) > 60:
            return "".join(f"\n  {text}" for text in texts)
        numbers = len(value) == 2 and all(isinstance(v, int | float) for v in value)
        return (" to " if numbers else ", ").join(texts) or "none"
    return printable(str(value))


def plotted(text: str, most: int = 60) -> str:
    """Text of any origin as a label of a plot, where dollar signs would begin a formula."""
    return printable(text, most=most).replace("$", r"\$")


def clock(seconds: float) -> str:
    """`1:02:03`, or `2:03` below an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
