"""Bilinear sampling with derivatives of any order with respect to the image, for gradient penalties.

Sampling is linear in the image, S x. Its backward pass is S^T g, which is linear in g, with backward pass S. PyTorch has both
operations, but no derivative of the second.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

REFLECTION = 2  # index of the padding mode of grid_sample: zeros, border, reflection


class _Sample(torch.autograd.Function):
    """S x: sample images x [N, C, H, W] at grid [N, H, W, 2]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.shape = x.shape
        return F.grid_sample(x, grid, "bilinear", "reflection", align_corners=False)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (grid,) = ctx.saved_tensors
        back: Tensor = _Transposed.apply(gradients[0], grid, ctx.shape)
        return back, None


class _Transposed(torch.autograd.Function):
    """S^T g: the gradient with respect to the image."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        image = g.new_zeros(()).expand(shape)
        mask = [True, False]
        out: Tensor = torch.ops.aten.grid_sampler_2d_backward(g.contiguous(), image, grid, 0, REFLECTION, False, mask)[
            0
        ]
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = ctx.saved_tensors
        back: Tensor = _Sample.apply(gradients[0], grid)
        return back, None, None


def resample(x: Tensor, matrix: Tensor) -> Tensor:
    """Transform images by affine maps, with bilinear interpolation and reflection padding.

    Args:
        x: images [N, C, H, W].
        matrix: maps [N, 2, 3] from output to input coordinates, which are -1 and 1 at the edges.

    Returns:
        [N, C, H, W] in the dtype of x.
    """
    grid = F.affine_grid(matrix.float(), list(x.shape), align_corners=False)
    out: Tensor = _Sample.apply(x.float(), grid)
    return out.to(x.dtype)
