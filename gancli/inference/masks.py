"""Masks of missing pixels, for the pictures that a model is applied to.

White is a hole, or where a mask has transparency, what is transparent; values above 127 count as white. A mask is found by itself if it
lies beside the picture as NAME_mask.png; a picture with transparency and without a mask is filled where it is transparent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Literal

import numpy as np

from gancli.core.errors import DataError, UsageError
from gancli.data import whole
from gancli.data.decode import BrokenImageError
from gancli.data.whole import Picture
from gancli.inference.folders import Item, items

ENDING = "_mask"
THRESHOLD = 127
MOST = 0.9  # share of the picture from which on a mask may be inverted
Hole = Literal["auto", "white", "black", "alpha"]
HOLES: tuple[Hole, ...] = ("auto", "white", "black", "alpha")


def hole_of(mask: Picture, hole: Hole = "auto") -> np.ndarray:
    """Which pixels are missing.

    Args:
        mask: gray or color, perhaps with alpha.
        hole: what is missing: white, black, or transparent; auto: transparent if there is transparency, else white.

    Returns:
        bool [H, W].

    Raises:
        DataError: the mask has no alpha, which is to say what is missing.
    """
    if hole == "alpha" and mask.alpha is None:
        raise DataError("the mask has no alpha channel", "use --hole white or --hole black")
    if mask.alpha is not None and (hole == "alpha" or (hole == "auto" and bool((mask.alpha <= THRESHOLD).any()))):
        return np.asarray(mask.alpha <= THRESHOLD)
    values = (mask.in_channels(1)[0] + 1) * 127.5
    return np.asarray(values <= THRESHOLD if hole == "black" else values > THRESHOLD + 0.5)


@dataclass(frozen=True)
class Masks:
    """The masks of pictures.

    Args:
        place: a file for all pictures, or a folder or zip with one for each, of the same name or NAME_mask; None: beside the pictures.
        hole: what is missing in them.

    Raises:
        UsageError: `hole` is none of `HOLES`.
        DataError: there is nothing at the place.
    """

    place: str | None = None
    hole: Hole = "auto"
    _beside: dict[str, Item] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.hole not in HOLES:
            raise UsageError(f"--hole {self.hole!r}", f"use {', '.join(HOLES[1:])}")

    def apart(self, found: Sequence[Item]) -> list[Item]:
        """The pictures without the masks among them, which are remembered."""
        stems = {item.stem for item in found}
        masks = {item.stem: item for item in found if item.stem.removesuffix(ENDING) in stems - {item.stem}}
        self._beside.update(masks)
        return [item for item in found if item.stem not in masks]

    @cached_property
    def _placed(self) -> dict[str, Item] | Item:
        assert self.place is not None
        found = items([self.place])
        if len(found) == 1 and found[0].path is not None and str(found[0].path) == self.place:
            return found[0]
        return {item.stem: item for item in found}

    def _item(self, of: Item) -> Item | None:
        if self.place is not None:
            placed = self._placed
            if isinstance(placed, Item):
                return placed
            found = placed.get(of.stem) or placed.get(of.stem + ENDING)
            if found is None:
                raise DataError(
                    f"{of.name} has no mask in {self.place}", f"name it {PurePosixPath(of.stem).name}{ENDING}.png"
                )
            return found
        if (known := self._beside.get(of.stem + ENDING)) is not None:
            return known
        if of.path is not None:
            for path in sorted(of.path.parent.glob(f"{of.path.stem}{ENDING}.*")):
                return items([str(path)])[0]
        return None

    def of(self, item: Item, picture: Picture) -> np.ndarray:
        """The missing pixels of a picture, bool [H, W].

        Raises:
            DataError: there is no mask, it cannot be read, or it has another size.
        """
        found = self._item(item)
        if found is None:
            if picture.alpha is not None and bool((picture.alpha <= THRESHOLD).any()):
                return np.asarray(picture.alpha <= THRESHOLD)
            raise DataError(
                f"{item.name} has no mask", f"--mask FILE, or {PurePosixPath(item.stem).name}{ENDING}.png beside it"
            )
        try:
            mask = whole.read(found.read())
        except BrokenImageError as error:
            raise DataError(f"the mask {found.name} cannot be read: {error}", "give another --mask") from None
        size, wanted = mask.pixels.shape[1:], picture.pixels.shape[1:]
        if size != wanted:
            (h, w), (height, width) = size, wanted
            raise DataError(
                f"the mask {found.name} has {h}x{w} pixels (height x width), and {item.name} {height}x{width}",
                "make them of the same size",
            )
        return hole_of(mask, self.hole)


def said(mask: np.ndarray) -> tuple[str, str]:
    """What is to be said of a mask: its share of the picture, and a warning, empty if there is none."""
    share = float(mask.mean())
    text = f"hole {100 * share:.0f} % of the picture" if share >= 0.01 or not share else "hole under 1 % of the picture"
    if not share:
        return text, "the mask is empty: the picture stays as it is"
    if share > MOST:
        return text, f"{text}: is the mask inverted? (--hole black)"
    return text, ""
