"""`lanczos`: enlarging by Pillow's Lanczos filter."""

from __future__ import annotations

from typing import ClassVar

from PIL import Image

from gancli.evaluation.enlarging import Enlarging


class Lanczos(Enlarging):
    name = "lanczos"
    resample: ClassVar[Image.Resampling] = Image.Resampling.LANCZOS
