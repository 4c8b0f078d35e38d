"""What can be done with latent vectors at sampling: paths between two, truncation, mixed styles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gancli.core.errors import UsageError
from gancli.models.layers import EmbeddedGenerator
from gancli.models.style import StyleGenerator

Points = tuple[Tensor, Tensor | None]  # latent points [N, Z], and the vectors of their conditions


def lerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """The straight path: a, b [Z], t [T] in [0, 1] -> [T, Z]."""
    return torch.lerp(a, b, t[:, None])


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """The path along the arc (1609.04468), which keeps to lengths that the net has seen: a, b [Z], t [T] -> [T, Z].

    sin((1 - t) o) / sin o * a + sin(t o) / sin o * b,    o the angle between a and b; straight where they are parallel
    """
    cosine = torch.dot(a, b) / (a.norm() * b.norm()).clamp_min(1e-12)
    angle = cosine.clamp(-1, 1).acos()
    if angle.sin() < 1e-4:
        return lerp(a, b, t)
    t = t[:, None]
    path: Tensor = (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()
    return path


def synthesize(
    net: nn.Module, z: Tensor, c: Tensor | None = None, seeds: Sequence[int] | None = None, truncation: float = 1.0
) -> Tensor:
    """Images of a generator in evaluation mode, in its own precision and place; differentiable in z.

    Args:
        net: (z, c) -> images; one with `sampling_options` also takes `seeds` and `truncation`.
        z: latent vectors [N, z].
        c: vectors of the condition [N, condition], or None.
        seeds: N seeds of the net's own noise, where it has any; None: the same noise for all.
        truncation: below 1 less variety and better images: w (1912.04958) or, in a net without a mapping, z is drawn towards its mean.

    Returns:
        Images [N, C, H, W].
    """
    z, c = _on_device(net, z, c)
    options: dict[str, Any] = {"seeds": seeds, "truncation": truncation}
    if not getattr(net, "sampling_options", False):
        z, options = z if truncation == 1 else z * truncation, {}
    images: Tensor = net(z, c, **options)
    return images


def _on_device(net: nn.Module, z: Tensor, c: Tensor | None) -> Points:
    like = next(net.parameters())
    return z.to(like.device, like.dtype), None if c is None else c.to(like.device)


def mix_styles(
    net: nn.Module,
    coarse: Points,
    fine: Points,
    cut: int | None = None,
    seeds: Sequence[int] | None = None,
    truncation: float = 1.0,
) -> Tensor:
    """Style mixing (1812.04948, section 3.1): styles of `coarse` below layer `cut`, those of `fine` from there on.

    Without `cut` each gives half of the layers; seeds and truncation are those of `drawn`. Raises UsageError where the net has no
    styles, or not so many layers.
    """
    generator = next((m for m in net.modules() if isinstance(m, StyleGenerator)), None)
    if generator is None:
        raise UsageError("this model has no styles to mix", "train one with --preset stylegan2")
    cut = generator.depth // 2 if cut is None else cut
    if not 0 <= cut <= generator.depth:
        raise UsageError(
            f"there is no layer {cut}: the model has {generator.depth}", f"--mix-at 1 to {generator.depth - 1}"
        )

    def styles(points: Points) -> Tensor:
        z, c = _on_device(net, *points)
        if isinstance(net, EmbeddedGenerator) and c is not None:
            c = net.embedding(c.to(z.dtype))
        return generator.styles(z, c, truncation)

    a, b = styles(coarse), styles(fine)
    return generator.synthesis(torch.cat([a[:, :cut], b[:, cut:]], 1), seeds)
