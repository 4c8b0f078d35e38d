"""Perceptual distance (1801.03924, equation 1, with equal weights) of images, from the feature maps of EfficientNet-Lite0.

The vectors of each map are scaled to unit length over the channels; their squared distances are averaged over positions and over the
maps. It is 0 for equal images and at most 4. Differentiable, for a loss as well as for a score.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from gancli.models.efficientnet import pretrained

SMALLEST = 64  # pixels: images with a shorter side are enlarged


def perceptual_distance(a: Tensor, b: Tensor) -> Tensor:
    """The distance of images from images.

    Args:
        a: [N, C, H, W] in [-1, 1].
        b: of the same shape.

    Returns:
        float32 [N].

    Raises:
        UsageError: the package with the weights is not installed.
        CheckpointError: the weights are not the pinned ones.
    """
    return torch.stack([distances.mean((1, 2)) for distances in _distances(a, b)]).mean(0)


def perceptual_map(a: Tensor, b: Tensor) -> Tensor:
    """As `perceptual_distance`, float32 [N, 1, H, W]: the distances of each map are enlarged to the image, then averaged."""
    size = a.shape[2:]
    return torch.stack([F.interpolate(d[:, None], size, mode="nearest-exact") for d in _distances(a, b)]).mean(0)


def _distances(a: Tensor, b: Tensor) -> list[Tensor]:
    """The squared distances [N, h, w] of the vectors of each map."""
    maps = pretrained(a.device).maps(torch.cat([_prepared(a), _prepared(b)]))
    pairs = (F.normalize(m, dim=1).chunk(2) for m in maps)
    return [(x - y).square().sum(1) for x, y in pairs]


def _prepared(images: Tensor) -> Tensor:
    """Float32, with three channels (any other number: their mean, repeated), large enough."""
    x = images.float()
    x = x if x.shape[1] == 3 else x.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    factor = SMALLEST / min(x.shape[2:])
    if factor > 1:
        size = [round(side * factor) for side in x.shape[2:]]
        x = F.interpolate(x, size, mode="bilinear", align_corners=False)
    return x.contiguous(memory_format=torch.channels_last)
