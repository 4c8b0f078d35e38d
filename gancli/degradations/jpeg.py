"""`jpeg`: JPEG compression by Pillow, with its default chroma subsampling (4:2:0)."""

from __future__ import annotations

import io
from typing import ClassVar

import torch
from PIL import Image
from pydantic import Field
from torch import Tensor

from gancli.core.contracts import Degradation
from gancli.degradations.levels import Range, draw_integer
from gancli.degradations.pillow import from_pil, to_pil


class Jpeg(Degradation):
    name = "jpeg"
    argument: ClassVar[str] = "quality"
    quality: Range = Field((10.0, 40.0), description="quality of Pillow, 1 to 95: an integer, or a range (10-40)")

    def __call__(self, x: Tensor, random: torch.Generator) -> tuple[Tensor, None]:
        low, high = (max(1, min(95, round(q))) for q in self.quality)
        file = io.BytesIO()
        to_pil(x).save(file, "JPEG", quality=draw_integer(low, high, random))
        with Image.open(file) as image:
            return from_pil(image, x), None
