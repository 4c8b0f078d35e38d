"""`scratch`: Thin bright or dark scratches on the image, as on old photographs. There is no mask: a model has to find them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from PIL import Image, ImageDraw
from pydantic import Field
from torch import Tensor

from gancli.core.contracts import Degradation
from gancli.degradations.levels import Range, draw, draw_integer, quantized
from gancli.degradations.strokes import polyline, stroke


class Scratch(Degradation):
    name = "scratch"
    argument: ClassVar[str] = "count"
    count: Range = Field((1.0, 3.0), description="scratches per image: an integer or a range")

    def __call__(self, x: Tensor, random: torch.Generator) -> tuple[Tensor, None]:
        low, high = (max(0, round(n)) for n in self.count)
        out, (height, width) = x.clone(), x.shape[1:]
        for _ in range(draw_integer(low, high, random)):
            image = Image.new("L", (width, height))
            line = polyline(height, width, draw_integer(3, 6, random), 0.3 * max(height, width), 0.5, random)
            stroke(ImageDraw.Draw(image), line, draw_integer(1, 2, random), 255)
            where = torch.from_numpy(np.array(image) > 127).to(x.device)
            value = draw((0.5, 1.0), random) * (1 if draw_integer(0, 3, random) else -1)
            share = draw((0.7, 1.0), random)
            out[:, where] = (1 - share) * out[:, where] + share * value
        return quantized(out), None
