"""Oversampling and classical augmentation with further real images in place of generated ones: what perfect images would bring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from gancli.augmentation.contracts import Arm, Material, Pool, Role, Rows
from gancli.augmentation.drawing import balanced, changed
from gancli.core.window import Window


class MoreReal(Arm):
    name = "more-real"
    title: ClassVar[str] = "classical, as many more real images"
    place: ClassVar[int] = 9
    role: ClassVar[Role] = "ceiling"

    def objection(self, material: Material) -> str:
        return "" if material.more is not None and len(material.more) else "no further real images: --more-real FOLDER"

    def options(self, material: Material) -> Mapping[str, object]:
        assert material.more is not None
        return {"more": material.more.digest}

    def batch(self, material: Material, window: Window) -> Rows:
        both = material.known.get("real and more")
        if not isinstance(both, Pool):
            assert material.more is not None
            both = material.known["real and more"] = Pool.joined([material.real, material.more])
        assert isinstance(both, Pool)
        return changed(balanced(both, window), material, window)
