"""Grids of classes: which images are in them, and the names of the classes as titles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROW = 8  # images of a class in a row of a grid
ROWS = 16  # classes that have a row each
GAP = 2  # pixels between the images of a grid
TITLE = 200  # gray of a title
LONGEST_TITLE = 24  # characters
DRAWN = 0x250  # from this character on the font has hardly any


def first_of_each(labels: np.ndarray | None, size: int, n: int) -> np.ndarray:
    """Select images for a grid with every class, sorted by class.

    Args:
        labels: int64 [size], or None.
        size: number of images.
        n: how many images are shown; more if there are more classes.

    Returns:
        Indices: the first n images, or the first 8 of each of up to 16 classes; of more classes fewer, at least one.
    """
    if labels is None:
        return np.arange(min(n, size))
    order = np.argsort(labels, kind="stable")
    classes, firsts, counts = np.unique(labels[order], return_index=True, return_counts=True)
    each = ROW if len(classes) <= ROWS else max(1, n // len(classes))
    return np.concatenate([order[i : i + min(each, k)] for i, k in zip(firsts, counts, strict=True)])


def titles(labels: np.ndarray | None, recipe: dict[str, Any] | None) -> list[str]:
    """The titles of samples: the names of their classes, or their numbers where a name cannot be drawn.

    Args:
        labels: int64 [N], or None.
        recipe: whose entry `classes` has the names by label.

    Returns:
        N titles; none where labels or names are unknown.
    """
    names = (recipe or {}).get("classes")
    if labels is None or not isinstance(names, list | tuple):
        return []
    known = [str(name) for name in names]
    return [known[y] if y < len(known) and all(ord(c) < DRAWN for c in known[y]) else str(y) for y in map(int, labels)]


def columns_for(labels: Sequence[object]) -> int | None:
    """Samples in a row of a grid, such that rows or columns are classes where they can be; None: about as many as rows."""
    turns = next((i for i, y in enumerate(labels) if i and y == labels[0]), 0)  # classes in turn
    if 1 < turns <= ROWS and all(y == labels[i % turns] for i, y in enumerate(labels)):
        return turns
    return ROW if 1 < len(set(labels)) <= ROWS else None


def titled(image: np.ndarray, texts: Sequence[str], columns: int, cell: tuple[int, int]) -> np.ndarray:
    """Write titles into a grid: left of the rows where all of a row have the same, else above the columns
    where all of a column have the same, else below each image.

    Args:
        image: of `grid`, uint8 [C, H, W].
        texts: of the N images.
        columns: of the grid.
        cell: height and width of an image in the grid.

    Returns:
        uint8 [C, H', W'], larger.
    """
    rows = [list(texts[i : i + columns]) for i in range(0, len(texts), columns)]
    (height, width), size = cell, max(10, min(22, min(cell) // 5))
    font, line = ImageFont.load_default(size), size + 4
    middle = [GAP + k * (width + GAP) + width // 2 for k in range(columns)]
    places: list[tuple[int, int, str, str]]  # x, y, anchor, text
    if all(len(set(row)) == 1 for row in rows):
        names = [_short(row[0]) for row in rows]
        out = np.pad(image, ((0, 0), (0, 0), (8 + round(max(map(font.getlength, names))), 0)))
        places = [(4, GAP + i * (height + GAP) + height // 2, "lm", name) for i, name in enumerate(names)]
    elif len(rows) > 1 and all(len({row[k] for row in rows if k < len(row)}) == 1 for k in range(columns)):
        out = np.pad(image, ((0, 0), (line, 0), (0, 0)))
        places = [(middle[k], line // 2, "mm", _fitted(text, font, width)) for k, text in enumerate(rows[0])]
    else:
        out = _spread(image, len(rows), height, line)
        places = [
            (middle[k], GAP + i * (height + GAP + line) + height + line // 2, "mm", _fitted(text, font, width))
            for i, row in enumerate(rows)
            for k, text in enumerate(row)
        ]
    picture = Image.new("L", out.shape[:0:-1])
    pen = ImageDraw.Draw(picture)
    for x, y, anchor, text in places:
        pen.text((x, y), text, fill=255, font=font, anchor=anchor)
    ink = np.asarray(picture)
    at = ink > 0
    over = ink[at].astype(np.uint16)
    out[:3, at] = (out[:3, at] * (255 - over) + TITLE * over + 127) // 255
    out[3:, at] = np.maximum(out[3:, at], ink[at])
    return out


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TITLE else f"{text[: LONGEST_TITLE - 1]}..."


def _fitted(text: str, font: Any, width: int) -> str:
    """As much of a title as is not wider than an image."""
    while text and font.getlength(text) > width:
        text = text[:-1]
    return text


def _spread(image: np.ndarray, rows: int, height: int, line: int) -> np.ndarray:
    """Room for a line below each row of images."""
    step = height + GAP
    parts = [np.pad(image[:, i * step : (i + 1) * step], ((0, 0), (0, line), (0, 0))) for i in range(rows)]
    return np.concatenate([*parts, image[:, rows * step :]], 1)
