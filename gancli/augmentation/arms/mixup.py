"""Mixup after classical augmentation (1710.09412): pairs of images and of their labels are mixed, lambda ~ Beta(alpha, alpha)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from pydantic import Field

from gancli.augmentation.contracts import Arm, Material, Rows
from gancli.augmentation.drawing import balanced, changed, permuted
from gancli.core.seeds import derive
from gancli.core.window import Window


class Mixup(Arm):
    name = "mixup"
    title: ClassVar[str] = "classical, mixup"
    place: ClassVar[int] = 5
    mixed: ClassVar[bool] = True
    alpha: float = Field(0.2, gt=0, description="of the distribution of lambda")

    def batch(self, material: Material, window: Window) -> Rows:
        rows = changed(balanced(material.real, window), material, window)
        random = np.random.Generator(np.random.PCG64(derive(window.orders.seed, "mixup", window.position)))
        own = torch.from_numpy(random.beta(self.alpha, self.alpha, window.n)).float()
        share, other = own[window.first : window.first + window.rows], permuted(window)
        images = torch.lerp(rows.images[other], rows.images, share[:, None, None, None])
        return Rows(images, torch.lerp(rows.targets[other], rows.targets, share[:, None]))
