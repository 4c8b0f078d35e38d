"""Projection of an image into latent space: the z whose image is nearest (inversion by optimisation, 1609.03552).

The best of many random points is followed by Adam on the mean squared difference of pixels. z is kept at a length that the generator has
seen by a small price on |z|^2 / width - 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gancli.contracts import Shape
from gancli.data.decode import BrokenImageError, decode
from gancli.errors import DataError, UsageError
from gancli.model import CHUNK, Latent, Model

Progress = Callable[[str, int, int], None]


def picture(path: Path, shape: Shape) -> np.ndarray:
    """A picture as uint8 [C, H, W] in the shape of a model's images. Raises DataError if it cannot be read."""
    try:
        return decode(path.read_bytes(), shape.channels, (shape.height, shape.width), "white")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    except BrokenImageError as error:
        raise DataError(f"{path}: {error}") from None


@dataclass(frozen=True)
class Projection:
    """What was found."""

    z: Tensor  # [N, z]
    images: Tensor  # [N, C, H, W] in [-1, 1]
    error: Tensor  # [N], root mean squared difference in [0, 1]


def project(
    model: Model,
    targets: Tensor,
    labels: list[int] | None = None,
    steps: int = 300,
    tries: int = 512,
    lr: float = 0.05,
    progress: Progress = lambda _what, _done, _all: None,
) -> Projection:
    """The latent points of `targets` [N, C, H, W] in [-1, 1]; the same every time. Raises UsageError without a latent space."""
    task = model.task
    if not isinstance(task, Latent):
        raise UsageError(f"the task {task.name!r} has no latent space to project into")
    seeds = list(range(len(targets)))
    codes = task.codes(seeds, model.shape, labels)
    z = _nearest(model, targets, codes, tries).requires_grad_()
    rule = torch.optim.Adam([z], lr=lr, betas=(0.9, 0.99))
    for i in range(steps):
        images = task.decode(model.nets, z, codes, model.shape)
        apart = (images - targets).square().mean((1, 2, 3))
        length = (z.square().mean(1) - 1).square()
        (gradient,) = torch.autograd.grad((apart + 1e-2 * length).sum(), z)
        z.grad = gradient
        rule.step()
        progress("projecting", i + 1, steps)
    with torch.no_grad():
        images = task.decode(model.nets, z, codes, model.shape).cpu()
    error = (images - targets).square().mean((1, 2, 3)).sqrt() / 2
    return Projection(z.detach().cpu(), images, error)


@torch.no_grad()
def _nearest(model: Model, targets: Tensor, codes: Tensor | None, tries: int) -> Tensor:
    """For each target, the best of `tries` latent points."""
    task = model.task
    assert isinstance(task, Latent)
    z = task.latents(list(range(tries)))
    best = torch.full((len(targets),), torch.inf)
    found = torch.zeros(len(targets), z.shape[1])
    for k in range(len(targets)):
        for first in range(0, tries, CHUNK):
            piece = z[first : first + CHUNK]
            c = None if codes is None else codes[k : k + 1].expand(len(piece), -1)
            apart = (task.decode(model.nets, piece, c, model.shape).cpu() - targets[k]).square().mean((1, 2, 3))
            if apart.min() < best[k]:
                best[k], found[k] = apart.min(), piece[apart.argmin()]
    return found
