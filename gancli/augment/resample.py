"""Bilinear sampling whose gradient can itself be differentiated, as gradient penalties need.

Sampling is linear in the image: S x. Its gradient is S^T g, linear in g, whose gradient is S again. PyTorch has both as
operations, but does not know that one is the other's derivative.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

REFLECT = 2  # grid_sample's padding modes: zeros, border, reflection


class _Sample(torch.autograd.Function):
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
    @staticmethod
    def forward(ctx: Any, g: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        image = g.new_zeros(()).expand(shape)
        mask = [True, False]
        out: Tensor = torch.ops.aten.grid_sampler_2d_backward(g.contiguous(), image, grid, 0, REFLECT, False, mask)[0]
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = ctx.saved_tensors
        back: Tensor = _Sample.apply(gradients[0], grid)
        return back, None, None


def resample(x: Tensor, matrix: Tensor) -> Tensor:
    """Images [N, C, H, W] seen through maps [N, 2, 3] from places in the result to places in the image, edges at -1 and 1."""
    grid = F.affine_grid(matrix.float(), list(x.shape), align_corners=False)
    out: Tensor = _Sample.apply(x.float(), grid)
    return out.to(x.dtype)
