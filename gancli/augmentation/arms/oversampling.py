"""Oversampling: all classes equally often, images of rare ones repeated (1710.05381)."""

from __future__ import annotations

from typing import ClassVar

from gancli.augmentation.contracts import Arm, Material, Rows
from gancli.augmentation.drawing import balanced
from gancli.core.window import Window


class Oversampling(Arm):
    name = "oversampling"
    title: ClassVar[str] = "oversampling"
    place: ClassVar[int] = 3

    def batch(self, material: Material, window: Window) -> Rows:
        return balanced(material.real, window)
