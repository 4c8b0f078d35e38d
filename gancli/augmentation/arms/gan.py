"""Oversampling and classical augmentation, with generated images beside the real ones of the classes that lack some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch

from gancli.augmentation.contracts import Arm, Material, Role, Rows
from gancli.augmentation.drawing import balanced, changed
from gancli.core.window import Window


class WithGenerated(Arm):
    name = "gan"
    title: ClassVar[str] = "classical, generated images"
    place: ClassVar[int] = 7
    role: ClassVar[Role] = "generated"
    verdict: ClassVar[bool] = True
    otherwise: ClassVar[str] = "classical"

    def objection(self, material: Material) -> str:
        return "" if material.generated is not None and len(material.generated) else "there are no generated images"

    def options(self, material: Material) -> Mapping[str, object]:
        assert material.generated is not None
        return {"generated": material.generated.digest, "ratio": material.ratio}

    def batch(self, material: Material, window: Window) -> Rows:
        rows, made = balanced(material.real, window), material.generated
        assert made is not None
        labels, share = rows.targets.argmax(1), material.ratio / (1 + material.ratio)
        counts = torch.from_numpy(made.counts)[labels]
        taken = (window.rand("generated") < share) & (counts > 0)
        place = (window.rand("which generated") * counts).long()
        if taken.any():
            index = torch.stack([made.members[int(k)][i] for k, i in zip(labels[taken], place[taken], strict=True)])
            rows.images[taken] = made.pictures(index)
        return changed(rows, material, window)
