"""Path-length regularization (StyleGAN2, 1912.04958, equation 4): a step in w changes the image by the same length everywhere.

    E_w,y[(|J_w^T y| - a)^2],   y ~ N(0, I) / sqrt(H W),   |J_w^T y|^2 averaged over the layers of w

a is the exponential moving average of the lengths |J_w^T y|, without detaching the present ones, as in the published code. The
latent vectors are other ones than those of the adversarial loss, and fewer.
"""

from __future__ import annotations

from math import sqrt
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from gancli.core import sharding
from gancli.core.contracts import Memory, Penalty, PenaltyInputs


class PathLength(Penalty):
    name = "path-length"
    applies_to: ClassVar[Literal["D", "G"]] = "G"
    needs_styles: ClassVar[bool] = True
    weight: float = Field(2.0, ge=0, description="gamma")
    every: int = Field(4, ge=1, description="apply on every k-th step, k times as strong")
    decay: float = Field(0.01, gt=0, le=1, description="rate of the moving average of the lengths")
    shrink: int = Field(2, ge=1, description="use every k-th row of a batch")

    def memory(self) -> Memory:
        return {"path-length_mean": torch.zeros(())}

    def loss(self, inputs: PenaltyInputs) -> Tensor:
        assert inputs.styled is not None
        w, images = inputs.styled(self.shrink)
        y = sharding.randn(*images.shape, random=inputs.random).to(images.device, images.dtype)
        lengths = path_lengths(w, images, y)
        mean, current = inputs.memory["path-length_mean"], sharding.mean_over_ranks(lengths.mean())
        target = mean.lerp(current, self.decay)
        with torch.no_grad():
            mean.lerp_(current.detach(), self.decay * sharding.fraction())
        return (lengths - target).square()


def path_lengths(w: Tensor, images: Tensor, y: Tensor) -> Tensor:
    """|J_w^T y| for each sample.

    Args:
        w: [N, layers, w], with graph to the images.
        images: of w, [N, C, H, W].
        y: standard normal noise [N, C, H, W].

    Returns:
        The lengths [N], float32, with graph.
    """
    product = (images * y).float().sum() / sqrt(images.shape[2] * images.shape[3])
    (gradient,) = torch.autograd.grad(product, w, create_graph=True)
    return gradient.float().square().sum(2).mean(1).sqrt()
