"""SMOTE in pixels (Chawla et al. 2002): new images of rare classes between an image and one of its nearest neighbors.

Of a class with n_k images, n_k / n_max of the draws are its images and the others are x + u (y - x), y one of the k nearest
neighbors of x in its class, u uniform in [0, 1].
"""

from __future__ import annotations

from typing import ClassVar, cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from gancli.augmentation.contracts import Arm, Material, Pool, Rows
from gancli.augmentation.drawing import balanced_indices
from gancli.core.window import Window


class Smote(Arm):
    name = "smote"
    title: ClassVar[str] = "SMOTE in pixels"
    place: ClassVar[int] = 6
    k: int = Field(5, ge=1, description="nearest neighbors")

    def batch(self, material: Material, window: Window) -> Rows:
        real = material.real
        index = balanced_indices(real, window)
        key = f"smote {self.k}"
        if key not in material.known:
            material.known[key] = neighbors(real, self.k)
        near = cast(Tensor, material.known[key])
        labels = torch.from_numpy(real.labels)[index]
        share = torch.from_numpy(real.counts / real.counts.max()).float()[labels]
        made = (window.rand("smote made") >= share).float()
        which = (window.rand("smote which") * near.shape[1]).long().clamp(max=near.shape[1] - 1)
        along = (window.rand("smote along") * made)[:, None, None, None]
        images = torch.lerp(real.pictures(index), real.pictures(near[index, which]), along)
        return Rows(images, real.targets(index))


def neighbors(real: Pool, k: int) -> Tensor:
    """The k nearest images of each image in its class, int64 [N, k]; where a class is smaller, they are repeated, or it is itself."""
    out = torch.arange(len(real))[:, None].repeat(1, k)
    flat = torch.from_numpy(np.ascontiguousarray(real.images)).reshape(len(real), -1).float()
    for members in real.members:
        n = len(members)
        if n < 2:
            continue
        distances = torch.cdist(flat[members], flat[members])
        distances.fill_diagonal_(torch.inf)
        found = distances.topk(min(k, n - 1), largest=False).indices
        out[members] = members[found[:, torch.arange(k) % found.shape[1]]]
    return out
