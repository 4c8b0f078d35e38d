"""`hole`: Missing pixels, zero (mid-gray) in the image and 1 in the mask.

Forms: `brush`, strokes (1806.03589); `box`, a rectangle of a quarter to a half of each side at a random place; `center`, the middle half of
each side; `half`, each pixel with probability 1/2; or a folder of masks, of which each image gets one (white: missing), resized without
interpolation and flipped at random.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from PIL import Image, ImageDraw
from pydantic import Field, field_validator
from torch import Tensor

from gancli.core.contracts import Degradation
from gancli.core.errors import DataError
from gancli.degradations.levels import draw_integer
from gancli.degradations.strokes import brush

FORMS = ("brush", "box", "center", "half")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif")


class Hole(Degradation):
    name = "hole"
    argument: ClassVar[str] = "form"
    masks: ClassVar[bool] = True
    form: str = Field("brush", description="brush, box, center, half, or a folder of masks (white: missing)")

    @field_validator("form")
    @classmethod
    def _known(cls, value: str) -> str:
        value = {"centre": "center"}.get(value, value)
        if value not in FORMS and not Path(value).expanduser().is_dir():
            raise ValueError(f"neither a folder nor one of {', '.join(FORMS)}")
        return value if value in FORMS else str(Path(value).expanduser().resolve())

    def __call__(self, x: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        mask = self._mask(x.shape[1], x.shape[2], random).to(x)
        return x * (1 - mask), mask

    def _mask(self, height: int, width: int, random: torch.Generator) -> Tensor:
        """[1, H, W]; 1: missing. At least one pixel is missing, and at least one is known (of two and more)."""
        if self.form == "half":
            return (torch.rand(1, height, width, generator=random) < 0.5).float()
        if self.form == "center":
            return _box(height, width, height // 4, width // 4, -(-height // 2), -(-width // 2))
        if self.form == "box":
            h, w = (draw_integer(max(1, side // 4), max(1, side // 2), random) for side in (height, width))
            return _box(height, width, draw_integer(0, height - h, random), draw_integer(0, width - w, random), h, w)
        if self.form == "brush":
            image = Image.new("L", (width, height))
            brush(ImageDraw.Draw(image), height, width, random)
            return torch.from_numpy(np.array(image) > 127).float()[None]
        files = files_of(self.form)
        mask = read_mask(files[draw_integer(0, len(files) - 1, random)], height, width)
        flips = tuple(d for d in (0, 1) if draw_integer(0, 1, random))
        return torch.from_numpy(np.ascontiguousarray(np.flip(mask, flips))).float()[None]


def _box(height: int, width: int, top: int, left: int, h: int, w: int) -> Tensor:
    mask = torch.zeros(1, height, width)
    mask[:, top : top + h, left : left + w] = 1
    return mask


@lru_cache(maxsize=8)
def files_of(folder: str) -> list[str]:
    """The image files of a folder, sorted. Raises DataError if there are none."""
    found = sorted(str(p) for p in Path(folder).iterdir() if p.suffix.lower() in SUFFIXES)
    if not found:
        raise DataError(f"{folder} holds no masks", "masks are images, white where pixels are missing")
    return found


@lru_cache(maxsize=4096)
def read_mask(file: str, height: int, width: int) -> np.ndarray:
    """A mask, bool [H, W], resized without interpolation. Raises DataError if the file cannot be read."""
    try:
        with Image.open(file) as image:
            return np.asarray(image.convert("L").resize((width, height), Image.Resampling.NEAREST)) > 127
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"the mask {file} cannot be read: {error}", "remove it") from None
