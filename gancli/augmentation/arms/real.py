"""The real images as they are: every image once per pass."""

from __future__ import annotations

from typing import ClassVar

from gancli.augmentation.contracts import Arm, Material, Rows
from gancli.core.window import Window


class Real(Arm):
    name = "real"
    title: ClassVar[str] = "real images"
    place: ClassVar[int] = 1

    def batch(self, material: Material, window: Window) -> Rows:
        index = window.indices(len(material.real))
        return Rows(material.real.pictures(index), material.real.targets(index))
