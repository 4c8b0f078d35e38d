"""A pair of increasing numbers as an option: a list, or text such as `0,4095`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator


def _pair(value: Any) -> Any:
    pair = value.split(",") if isinstance(value, str) and "," in value else value
    if isinstance(pair, list | tuple) and not -1e30 < float(pair[0]) < float(pair[-1]) < 1e30:
        raise ValueError("the second number must be greater than the first")
    return pair


Interval = Annotated[tuple[float, float], BeforeValidator(_pair)]
