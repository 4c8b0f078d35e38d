"""Class weights: the loss of an image is weighted by N / (K n_k), as scikit-learn's `class_weight="balanced"`."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from gancli.augmentation.contracts import Arm, Material, Rows
from gancli.core.window import Window


class ClassWeights(Arm):
    name = "class-weights"
    title: ClassVar[str] = "class weights"
    place: ClassVar[int] = 2
    weighted: ClassVar[bool] = True

    def batch(self, material: Material, window: Window) -> Rows:
        real = material.real
        index = window.indices(len(real))
        weights = len(real) / (real.classes * np.maximum(1, real.counts))
        own = torch.from_numpy(weights[real.labels[index.numpy()]]).float()
        return Rows(real.pictures(index), real.targets(index), own)
