"""Synchronized batch norm: statistics over all ranks, with derivatives of any order, as gradient penalties need.

Each rank's mean m and variance v are gathered; those of the batch are mean(m) and mean(v) + mean((m - mean(m))^2).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gancli.core import sharding


class SyncBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Assigned as class of the batch norms of a net, whose parameters and buffers are unchanged."""

    def _check_input_dim(self, input: Tensor) -> None: ...

    def forward(self, x: Tensor) -> Tensor:
        group = sharding.group()
        if group is None or not self.training:
            out: Tensor = super().forward(x)
            return out
        y = x.float()
        dims = [0, *range(2, x.dim())]
        means, variances = group.gather(torch.stack([y.mean(dims), y.var(dims, unbiased=False)])).unbind(
            1
        )  # [world, C]
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square().mean(0)
        self._update_running_statistics(mean.detach(), variance.detach(), x.numel() // x.shape[1] * group.world)
        shape = (1, -1, *[1] * (x.dim() - 2))
        scale = (variance + self.eps).rsqrt()
        if self.weight is not None:
            scale = scale * self.weight.float()
        y = (y - mean.view(shape)) * scale.view(shape)
        return (y if self.bias is None else y + self.bias.float().view(shape)).to(x.dtype)

    @torch.no_grad()
    def _update_running_statistics(self, mean: Tensor, variance: Tensor, n: int) -> None:
        """As `nn.BatchNorm2d`; n is the number of values per channel."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        rate = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, rate)
        self.running_var.lerp_(variance * (n / (n - 1)), rate)
