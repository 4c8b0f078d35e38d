"""Values as text."""

from __future__ import annotations

import json
from collections.abc import Sequence
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


def distinct(values: Sequence[Any], most: int | None = None) -> list[str]:
    """Values in few characters, of which different ones have different texts.

    Args:
        values: of one key of several configurations.
        most: characters of a text, of which as many are left out at the beginning as are needed.
    """
    texts = [short(value) for value in values]
    keys = [json.dumps(value, sort_keys=True, default=str) for value in values]
    if len(set(texts)) < len(set(keys)):
        parts = [item for value in values for item in (value if isinstance(value, list | tuple) else [value])]
        texts = [_detailed(value, parts) for value in values]
    if most is None or all(len(text) <= most for text in texts):
        return texts
    cut = [text[:most] for text in texts]
    if len(set(cut)) < len(set(texts)):
        cut = [text if len(text) <= most else f"...{text[3 - most :]}" for text in texts]
    return cut


def _detailed(value: Any, others: Sequence[Any]) -> str:
    """A part with those of its options that differ from other parts of its name: `r1(weight=0.5)`."""
    if isinstance(value, list | tuple):
        return ", ".join(_detailed(item, others) for item in value)
    if not isinstance(value, dict) or "name" not in value:
        return printable(json.dumps(value, default=str))
    alike = [other for other in others if isinstance(other, dict) and other.get("name") == value["name"]]
    own = {k: v for k, v in value.items() if any(other.get(k) != v for other in alike)}
    return f"{value['name']}({', '.join(f'{k}={v}' for k, v in own.items())})" if own else str(value["name"])


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
