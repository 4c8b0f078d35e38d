"""What can be done with latent vectors at sampling: paths between two, truncation, mixed styles.

Nets that have noise or a mapping are told here, for the length of a `with`, which seeds and which truncation apply.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from gancli.core.errors import UsageError
from gancli.models.blocks import Noise
from gancli.models.layers import Embedded
from gancli.models.style import Mapping, StyleGenerator

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


@contextmanager
def sampling(net: nn.Module, seeds: Sequence[int] | None = None, truncation: float = 1.0) -> Iterator[None]:
    """The net in evaluation mode, its noise a function of `seeds`, its mapping drawn in by `truncation`."""
    training = net.training
    noises = [m for m in net.modules() if isinstance(m, Noise)]
    mappings = [m for m in net.modules() if isinstance(m, Mapping)]
    net.eval()
    for noise in noises:
        noise.seeds = seeds
    for mapping in mappings:
        mapping.truncation = truncation
    try:
        yield
    finally:
        net.train(training)
        for noise in noises:
            noise.seeds = None
        for mapping in mappings:
            mapping.truncation = 1.0


def truncated(net: nn.Module, z: Tensor, truncation: float) -> Tensor:
    """z, shrunk towards 0 where the net has no mapping that would do it better (1912.04958: in w)."""
    return z if truncation == 1 or any(isinstance(m, Mapping) for m in net.modules()) else z * truncation


def mixed(net: nn.Module, coarse: Points, fine: Points, cut: int | None = None) -> Tensor:
    """Style mixing (1812.04948, section 3.1): styles of `coarse` below layer `cut`, those of `fine` from there on.

    Without `cut` each gives half of the layers. Raises UsageError where the net has no styles, or not so many layers.
    """
    generator = next((m for m in net.modules() if isinstance(m, StyleGenerator)), None)
    if generator is None:
        raise UsageError("this model has no styles to mix", "train one with --preset stylegan2")
    cut = generator.depth // 2 if cut is None else cut
    if not 0 <= cut <= generator.depth:
        raise UsageError(
            f"there is no layer {cut}: the model has {generator.depth}", f"--mix-at 1 to {generator.depth - 1}"
        )
    like = next(net.parameters())

    def styles(points: Points) -> Tensor:
        z, c = points[0].to(like.device, like.dtype), None if points[1] is None else points[1].to(like.device)
        if isinstance(net, Embedded) and c is not None:
            c = net.embedding(c.to(z.dtype))
        return generator.styles(z, c)

    a, b = styles(coarse), styles(fine)
    return generator.paint(torch.cat([a[:, :cut], b[:, cut:]], 1))
