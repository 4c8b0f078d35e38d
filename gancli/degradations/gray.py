"""Color removed: the luma of each pixel (ITU-R 601) in all three channels."""

from __future__ import annotations

import torch
from torch import Tensor

from gancli.core.contracts import Degradation
from gancli.degradations.levels import quantized


class Gray(Degradation):
    name = "gray"

    def __call__(self, x: Tensor, random: torch.Generator) -> tuple[Tensor, None]:  # noqa: ARG002
        if len(x) != 3:
            return x, None
        luma = (x * x.new_tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(0, keepdim=True)
        return quantized(luma.repeat(3, 1, 1)), None
