"""Chains of degradations, written `gauss:25+jpeg:10-40`: parts by name, each with its argument, applied from left to right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import BeforeValidator, WithJsonSchema

from gancli.core.contracts import Degradation
from gancli.core.errors import UsageError
from gancli.core.registry import SCHEMA_KEY, build, find, of_kind

SPELLINGS = {"grey": "gray"}


def parse(value: Any) -> Any:
    """Parse a chain.

    Args:
        value: text, or a list of parts, tables and texts, which is returned with its texts parsed.

    Returns:
        A tuple of parts and tables; what is neither text nor a list, as it is, for the configuration to refuse.

    Raises:
        UsageError: a name is unknown or an argument is invalid.
    """
    if isinstance(value, str):
        value = [one for one in value.split("+") if one.strip()]
    if not isinstance(value, list | tuple):
        return value
    return tuple(_parsed(one) if isinstance(one, str) else one for one in value)


def _parsed(text: str) -> Degradation:
    name, colon, argument = text.strip().partition(":")
    name = SPELLINGS.get(name, name)
    options: dict[str, Any] = {"name": name}
    if colon:
        key = cast("type[Degradation]", find("degradation", name)).argument
        if not key:
            raise UsageError(f"the degradation {name!r} takes no argument", f"write {name}")
        options[key] = argument
    return cast("Degradation", build("degradation", options))


if TYPE_CHECKING:
    Chain = tuple[Degradation, ...]
else:
    Chain = Annotated[
        tuple[Annotated[Degradation, *of_kind("degradation")], ...],
        BeforeValidator(parse),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {SCHEMA_KEY: "degradation"}}]}),
    ]
