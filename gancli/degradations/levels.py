"""Strengths of degradations: a number, or a range from which each image gets its own."""

from __future__ import annotations

import re
from typing import Annotated, Any

import torch
from pydantic import AfterValidator, BeforeValidator, Field
from torch import Tensor


def _range(value: Any) -> Any:
    """Parse a number or range: 25 -> (25, 25), "5-50" -> (5, 50)."""
    if isinstance(value, str) and (found := re.fullmatch(r"([0-9.]+)-([0-9.]+)", value)):
        return found[1], found[2]
    return (value, value) if isinstance(value, int | float | str) else value


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"lower bound {value[0]:g} exceeds upper bound {value[1]:g}")
    return value


Level = Annotated[float, Field(ge=0, le=255)]
Range = Annotated[tuple[Level, Level], BeforeValidator(_range), AfterValidator(_ordered)]


def draw(bounds: tuple[float, float], random: torch.Generator) -> float:
    """Draw a uniform number from a range."""
    low, high = bounds
    return low + (high - low) * float(torch.rand((), generator=random))


def draw_integer(low: int, high: int, random: torch.Generator) -> int:
    """Draw a uniform integer from low to high, both included."""
    return int(torch.randint(low, high + 1, (), generator=random))


def quantized(x: Tensor) -> Tensor:
    """Clip and round an image in [-1, 1] to integers 0 to 255, as in a file. Changes and returns x."""
    return x.add_(1).mul_(127.5).round_().clamp_(0, 255).mul_(2 / 255).sub_(1)
