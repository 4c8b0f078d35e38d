"""`bicubic`: enlarging by Pillow's bicubic filter."""

from __future__ import annotations

from typing import ClassVar

from PIL import Image

from gancli.evaluation.enlarging import Enlarging


class Bicubic(Enlarging):
    name = "bicubic"
    resample: ClassVar[Image.Resampling] = Image.Resampling.BICUBIC
