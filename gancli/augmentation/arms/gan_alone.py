"""Generated images alone, of all classes, as in the classification accuracy score (1905.10887)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from gancli.augmentation.contracts import Arm, Material, Role, Rows
from gancli.augmentation.drawing import balanced, changed
from gancli.core.window import Window


class GeneratedAlone(Arm):
    name = "gan-alone"
    title: ClassVar[str] = "generated images alone"
    place: ClassVar[int] = 8
    role: ClassVar[Role] = "other"

    def objection(self, material: Material) -> str:
        return "" if material.alone is not None else "there are no generated images of all classes"

    def options(self, material: Material) -> Mapping[str, object]:
        assert material.alone is not None
        return {"alone": material.alone.digest}

    def batch(self, material: Material, window: Window) -> Rows:
        assert material.alone is not None
        return changed(balanced(material.alone, window), material, window)
