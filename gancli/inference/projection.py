"""Projection of an image into latent space: the z whose image is nearest (inversion by optimization, 1609.03552).

The best of many random points is followed by Adam on the mean squared difference of pixels. z is kept at a length that the generator has
seen by a small penalty, (|z|^2 / width - 1)^2. The condition stays that of the random point; where the class is not given, all are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gancli.core.errors import CheckpointError, DataError
from gancli.core.files import read_capped
from gancli.core.images import recipe_of
from gancli.core.specs import Images
from gancli.data.collection import LARGEST
from gancli.data.decode import BrokenImageError, decode
from gancli.inference.generator import CHUNK, Model, padded

Progress = Callable[[str, int, int], None]


def picture(path: Path, spec: Images) -> np.ndarray:
    """A picture from a file.

    Args:
        path: of the file.
        spec: of the model's images, whose size and channels it is given.

    Returns:
        uint8 [C, H, W].

    Raises:
        DataError: it cannot be read, or is a grid of several.
    """
    try:
        content = read_capped(path, LARGEST)
        if several(recipe_of(content)):
            raise DataError(
                f"{path} is a grid of several images", "gan sample RUN --n 3 --out FOLDER/ writes a file for each"
            )
        return decode(content, spec.channels, (spec.height, spec.width), "white")
    except CheckpointError as error:
        raise DataError(error.cause) from None
    except BrokenImageError as error:
        raise DataError(f"{path}: {error}") from None


def several(recipe: Mapping[str, Any]) -> bool:
    """Whether a PNG that gan has made is of several images, by what it says of itself."""
    seeds = recipe.get("seeds")
    one = isinstance(seeds, list) and len(seeds) == 1
    if isinstance(seeds, str):
        first, _, last = seeds.partition("-")
        one = first == last
    return ("seeds" in recipe and not one) or bool({"rows", "mix", "data", "images"} & recipe.keys())


@dataclass(frozen=True)
class Projection:
    """What was found."""

    z: Tensor  # [N, z]
    images: Tensor  # [N, C, H, W] in [-1, 1]
    error: Tensor  # [N], root mean squared difference in [0, 1]
    labels: list[int] | None  # N classes, given or found; None where the model has none


def project(
    model: Model,
    targets: Tensor,
    labels: list[int] | None = None,
    steps: int = 300,
    tries: int = 512,
    lr: float = 0.05,
    progress: Progress = lambda _what, _done, _all: None,
) -> Projection:
    """The latent points whose images are nearest to given ones; the same every time.

    Args:
        model: with a latent space.
        targets: images [N, C, H, W] in [-1, 1].
        labels: N classes; not given: the nearest image's.
        steps: of Adam.
        tries: random points of which the best is the start.
        lr: learning rate.
        progress: called with what is done, steps done and all steps.

    Raises:
        UsageError: the model has no latent space, or the labels do not fit.
    """
    task, spec = model.latent("project images")
    labels = model.checked(labels, len(targets))
    place = next(p.device for net in model.nets.values() for p in net.parameters())
    targets = targets.to(place)
    seeds, labels = _nearest(model, targets, labels, tries)
    codes = task.condition_vectors(seeds, spec, labels)
    z = task.latents(seeds).to(place).requires_grad_()
    rule = torch.optim.Adam([z], lr=lr, betas=(0.9, 0.99))
    for i in range(steps):
        images = _shown(task.decode(model.nets, z, codes, spec, clamp=False))
        apart = (images - targets).square().mean((1, 2, 3))
        length = (z.square().mean(1) - 1).square()
        (gradient,) = torch.autograd.grad((apart + 1e-2 * length).sum(), z)
        z.grad = gradient
        rule.step()
        progress("projecting", i + 1, steps)
    with torch.no_grad():
        images = task.decode(model.nets, z, codes, spec)
    error = (images - targets).square().mean((1, 2, 3)).sqrt() / 2
    return Projection(z.detach().cpu(), images.cpu(), error.cpu(), labels)


def _shown(images: Tensor) -> Tensor:
    """Cut to [-1, 1], with a gradient as if they were not."""
    return images + (images.clamp(-1, 1) - images).detach()


def _nearest(model: Model, targets: Tensor, labels: list[int] | None, tries: int) -> tuple[list[int], list[int] | None]:
    """For each target the seed of the nearest image, of its class or of any, and the class of that."""
    if labels is None:
        classes = model.seed_labels(range(max(tries, len(model.labels))), 1)
        found = _best(model, targets, tries if classes is None else len(classes), classes)
        return found, None if classes is None else [classes[i] for i in found]
    seeds = torch.zeros(len(targets), dtype=torch.long)
    for label in set(labels):
        own = torch.tensor(labels) == label
        seeds[own] = torch.tensor(_best(model, targets[own.to(targets.device)], tries, [label] * tries))
    return seeds.tolist(), labels


@torch.no_grad()
def _best(model: Model, targets: Tensor, tries: int, labels: list[int] | None) -> list[int]:
    """For each target the seed below `tries` whose image is nearest; `labels` are those of the seeds."""
    task, spec = model.latent("project images")
    apart = []
    for first in range(0, tries, CHUNK):
        seeds, n = padded(first, tries)
        c = task.condition_vectors(seeds, spec, None if labels is None else [labels[i] for i in seeds])
        images = task.decode(model.nets, task.latents(seeds), c, spec)[:n]
        apart.append(
            torch.cdist(images.flatten(1), targets.flatten(1), compute_mode="donot_use_mm_for_euclid_dist").cpu()
        )
    best: list[int] = torch.cat(apart).argmin(0).tolist()
    return best
