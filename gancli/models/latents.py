"""Operations on latent vectors in sampling: interpolation, truncation, style mixing."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn

from gancli.core.errors import UsageError
from gancli.models.layers import EmbeddedGenerator
from gancli.models.style import StyleGenerator

Points = tuple[Tensor, Tensor | None]  # latent vectors [N, z] and condition vectors [N, condition]


def to_uniform(noise: Tensor) -> Tensor:
    """Transform standard normal numbers to uniform ones in [-1, 1]."""
    return torch.erf(noise / sqrt(2))


def lerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Linear interpolation: a, b [z], t [T] in [0, 1] -> [T, z]."""
    return torch.lerp(a, b, t[:, None])


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Spherical interpolation (1609.04468), which preserves the norms typical of the prior: a, b [z], t [T] -> [T, z].

    sin((1 - t) o) / sin o * a + sin(t o) / sin o * b, where o is the angle between a and b; linear if they are parallel.
    """
    cosine = torch.dot(a, b) / (a.norm() * b.norm()).clamp_min(1e-12)
    angle = cosine.clamp(-1, 1).acos()
    if angle.sin() < 1e-4:
        return lerp(a, b, t)
    t = t[:, None]
    path: Tensor = (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()
    return path


def closed_path(stops: Tensor, t: Tensor) -> Tensor:
    """A smooth closed path through latent vectors, whose direction does not jump at the stops or at its end.

    Catmull-Rom splines through the directions of the stops, scaled to norms between those of the stops (as 1609.04468, to
    keep to norms that are typical of the prior).

    Args:
        stops: [K, z].
        t: [T] in [0, K); at t = k the path is at stop k.

    Returns:
        [T, z].
    """
    norms = stops.norm(dim=1).clamp_min(1e-12)
    units = stops / norms[:, None]
    k, u = t.long(), (t - t.floor())[:, None]
    a, b, c, d = (units[(k + i) % len(stops)] for i in (-1, 0, 1, 2))
    path = 0.5 * (2 * b + (c - a) * u + (2 * a - 5 * b + 4 * c - d) * u**2 + (3 * b - a - 3 * c + d) * u**3)
    sizes = torch.lerp(norms[k], norms[(k + 1) % len(stops)], u[:, 0])
    out: Tensor = path / path.norm(dim=1, keepdim=True).clamp_min(1e-12) * sizes[:, None]
    return out


def synthesize(
    net: nn.Module, z: Tensor, c: Tensor | None = None, seeds: Sequence[int] | None = None, truncation: float = 1.0
) -> Tensor:
    """Generate images, in the dtype and on the device of the net; differentiable in z.

    Args:
        net: generator (z, c) -> images in evaluation mode. With the attribute `sampling_options`, it also takes `seeds` and
            `truncation`.
        z: latent vectors [N, z].
        c: condition vectors [N, condition], or None.
        seeds: N seeds of the noise inside the net, if it has any; None: the same noise for all.
        truncation: psi of the truncation trick (1912.04958): w, or z in nets without mapping, is moved towards its mean.
            Below 1: less diversity, more typical samples.

    Returns:
        Images [N, C, H, W].

    Raises:
        UsageError: there is a truncation, and the generator normalizes z, whose length then says nothing.
    """
    if truncation != 1 and any(getattr(module, "normalizes_z", False) for module in net.modules()):
        raise UsageError("this generator normalizes z, so that truncation has no effect", "omit --truncation")
    z, c = _on_device(net, z, c)
    options: dict[str, Any] = {"seeds": seeds, "truncation": truncation}
    if not getattr(net, "sampling_options", False):
        z, options = z if truncation == 1 else z * truncation, {}
    images: Tensor = net(z, c, **options)
    return images


def _on_device(net: nn.Module, z: Tensor, c: Tensor | None) -> Points:
    like = next(net.parameters())
    return z.to(like.device, like.dtype), None if c is None else c.to(like.device)


def style_generator(net: nn.Module) -> StyleGenerator | None:
    """The generator with styles in a net, or None."""
    return next((m for m in net.modules() if isinstance(m, StyleGenerator)), None)


def styles(net: nn.Module, z: Tensor, c: Tensor | None = None, truncation: float = 1.0) -> Tensor:
    """The mapping network of a generator.

    Args:
        net: generator with styles.
        z: latent vectors [N, z].
        c: condition vectors [N, condition], or None.
        truncation: as in `synthesize`.

    Returns:
        w [N, depth, w], the same for all layers. The running average of w is not updated.

    Raises:
        UsageError: the generator has no styles.
    """
    generator = style_generator(net)
    if generator is None:
        raise UsageError("this model has no styles", "train with --preset stylegan2")
    z, c = _on_device(net, z, c)
    if isinstance(net, EmbeddedGenerator) and c is not None:
        c = net.embedding(c.to(z.dtype))
    return generator.styles(z, c, truncation, track=False)


def mix_styles(
    net: nn.Module,
    coarse: Points,
    fine: Points,
    cut: int | None = None,
    seeds: Sequence[int] | None = None,
    truncation: float = 1.0,
) -> Tensor:
    """Style mixing (1812.04948, section 3.1).

    Args:
        net: generator in evaluation mode.
        coarse: latent and condition vectors of the styles of layers before `cut`.
        fine: those of layers from `cut` on.
        cut: index of a layer; default: half the layers.
        seeds: as in `synthesize`.
        truncation: as in `synthesize`.

    Returns:
        Images [N, C, H, W].

    Raises:
        UsageError: the generator has no styles, or no layer `cut`.
    """
    generator = style_generator(net)
    if generator is None:
        raise UsageError("this model has no styles to mix", "train with --preset stylegan2")
    cut = generator.depth // 2 if cut is None else cut
    if not 0 <= cut <= generator.depth:
        raise UsageError(
            f"there is no layer {cut}: the model has {generator.depth}", f"use --mix-at 1 to {generator.depth - 1}"
        )

    a, b = styles(net, *coarse, truncation), styles(net, *fine, truncation)
    return generator.synthesis(torch.cat([a[:, :cut], b[:, cut:]], 1), seeds)
