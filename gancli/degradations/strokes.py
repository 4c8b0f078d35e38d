"""Random polylines, drawn by Pillow: the brush of masks and scratches."""

from __future__ import annotations

import math

import torch
from PIL import ImageDraw

from gancli.degradations.levels import draw, draw_integer

Point = tuple[float, float]


def polyline(height: int, width: int, points: int, step: float, turn: float, random: torch.Generator) -> list[Point]:
    """A random polyline.

    Args:
        height: of the image.
        width: of the image.
        points: how many.
        step: mean length of a segment in pixels.
        turn: largest change of direction at a point, in radians.
        random: to draw from.

    Returns:
        Points (x, y), which may lie outside of the image.
    """
    first, second, third, *others = torch.rand(2 * points + 1, generator=random).tolist()
    x, y, angle = width * first, height * second, 2 * math.pi * third
    out = [(x, y)]
    for side, far in zip(others[::2], others[1::2], strict=True):
        angle += turn * (2 * side - 1)
        length = step * (0.5 + far)
        x, y = x + length * math.cos(angle), y + length * math.sin(angle)
        out.append((x, y))
    return out


def stroke(canvas: ImageDraw.ImageDraw, points: list[Point], width: int, value: int) -> None:
    """Draw a polyline with round joints and ends."""
    canvas.line(points, fill=value, width=width, joint="curve")
    if width > 2:
        r = width / 2 - 0.5
        for x, y in points:
            canvas.ellipse((x - r, y - r, x + r, y + r), fill=value)


def brush(canvas: ImageDraw.ImageDraw, height: int, width: int, random: torch.Generator) -> None:
    """One to four strokes of 4 to 12 points, 6 to 20 % of the side wide, after 1806.03589; on average 19 % of the image."""
    side = min(height, width)
    for _ in range(draw_integer(1, 4, random)):
        thick = max(1, round(draw((0.06, 0.2), random) * side))
        stroke(canvas, polyline(height, width, draw_integer(4, 12, random), 0.15 * side, 2.0, random), thick, 255)
