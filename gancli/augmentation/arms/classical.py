"""Oversampling and classical augmentation: shift, rotation and scale; for color images flips, crops and color."""

from __future__ import annotations

from typing import ClassVar

from gancli.augmentation.contracts import Arm, Material, Rows
from gancli.augmentation.drawing import balanced, changed
from gancli.core.window import Window


class Classical(Arm):
    name = "classical"
    title: ClassVar[str] = "oversampling, classical augmentation"
    place: ClassVar[int] = 4

    def batch(self, material: Material, window: Window) -> Rows:
        return changed(balanced(material.real, window), material, window)
