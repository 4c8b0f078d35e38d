"""Functions for tasks that sample from seeds: labels and attributes of requests, and the generator as module for export."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from gancli.core.exportable import Draw, Exportable
from gancli.core.nets import Condition
from gancli.core.samples import Samples
from gancli.core.specs import Images
from gancli.core.task import Choices
from gancli.core.titles import ROW, ROWS
from gancli.models.blocks import Noise

MOST = 1024  # classes in a grid


def class_rows(choices: Choices, seeds: Iterable[int], alike: int = ROW) -> tuple[int, ...] | None:
    """Assign labels to seeds for a grid with one class per row.

    Args:
        choices: of the task.
        seeds: the seeds; the label of a seed depends only on the seed.
        alike: number of consecutive seeds with the same label.

    Returns:
        One label per seed; None for a model without labels.
    """
    return tuple(s // alike % choices.classes for s in seeds) if choices.classes else None


def grid_seeds(choices: Choices, n: int, first: int = 0) -> tuple[int, ...]:
    """The seeds of a grid that shows every class.

    Args:
        choices: of the task.
        n: number of samples of an unconditional model.
        first: the first seed.

    Returns:
        n seeds for up to 8 classes; a row of 8 for each of up to 16 classes; of more classes n, evenly, or one of each.
    """
    classes = min(choices.classes, MOST)
    if classes * ROW <= n:
        return tuple(range(first, first + n))
    if classes <= ROWS:
        return tuple(range(first, first + classes * ROW))
    each = max(1, n // classes)
    return tuple(first + ROW * k + i for k in range(classes) for i in range(each))


def labels_like(choices: Choices, known: Samples, n: int) -> tuple[tuple[int, ...] | None, np.ndarray | None]:
    """Labels and attributes for n samples, in the same proportions as in the data.

    Args:
        choices: of the task. Latent codes are sampled from the seed instead.
        known: samples of the data, which may have `labels` int64 [N] and `attributes` float32 [N, A].
        n: number of samples.

    Returns:
        Labels [n] and attributes [n, A], each None if the model does not use them. If it uses both, row i of both comes from
        the same datum.
    """
    if not choices.from_data:
        return None, None
    labels, attributes = getattr(known, "labels", None), getattr(known, "attributes", None)
    labels = labels if choices.classes else None
    attributes = attributes if choices.attributes else None
    if labels is not None and attributes is None:
        labels = np.sort(labels)
    both = labels is not None and attributes is not None
    chosen = None if labels is None else tuple(int(y) for y in _spread(labels, n, both))
    return chosen, None if attributes is None else np.asarray(_spread(attributes, n, both), np.float32)


def _spread(rows: np.ndarray, n: int, shuffled: bool) -> np.ndarray:
    """Select n evenly spaced rows in random order; the same indices for all arrays of this length."""
    random = np.random.Generator(np.random.PCG64(0))
    if shuffled:
        rows = rows[random.permutation(len(rows))]
    return np.asarray(rows[random.permutation((np.arange(n) * len(rows)) // n)])


class Generator(nn.Module):
    """The generator for export, with one-hot encoding of labels, cropping and clamping.

    Args:
        net: G.
        condition: of the task.
        spec: of the data.
    """

    def __init__(self, net: nn.Module, condition: Condition, spec: Images) -> None:
        super().__init__()
        self.net, self.condition, self.spec = net, condition, spec
        self.noises = [(m.key, *m.fixed.shape[2:]) for m in net.modules() if isinstance(m, Noise)]

    def forward(
        self,
        z: Tensor,
        label: Tensor | None = None,
        attributes: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Generate images.

        Args:
            z: latent vectors [N, z].
            label: int64 [N].
            attributes: [N, A].
            noise: of all layers, [N, P]; None: the same for all images.

        Returns:
            Images [N, C, H, W] in [-1, 1].
        """
        conditional = label is not None or attributes is not None
        c = self.condition.encode(label, attributes, self.spec) if conditional else None
        images: Tensor = self.net(z, c) if noise is None else self.net(z, c, seeds=self._by_layer(noise))
        return images[:, :, : self.spec.height, : self.spec.width].clamp(-1, 1)

    def _by_layer(self, noise: Tensor) -> dict[int, Tensor]:
        """The noise of each layer, [N, 1, H, W]."""
        parts = torch.split(noise, [height * width for _, height, width in self.noises], 1)
        return {key: x.reshape(x.shape[0], 1, h, w) for (key, h, w), x in zip(self.noises, parts, strict=True)}


def exportable(net: nn.Module, z: Draw, condition: Condition, spec: Images) -> Exportable:
    """The module for export of a task that samples from seeds.

    Args:
        net: G.
        z: how the latent vector is drawn.
        condition: of the task.
        spec: of the data.
    """
    module = Generator(net, condition, spec)
    draws: dict[str, tuple[Draw, ...]] = {"z": (z,)}
    inputs = {"z": torch.zeros(2, z.width)}
    classes, attributes = condition.choices(spec)
    if classes:
        inputs["label"] = torch.zeros(2, dtype=torch.int64)
    if attributes:
        inputs["attributes"] = torch.zeros(2, attributes)
        first, uniform = condition.drawn_attributes(spec)
        path = ("sample", None, "c")
        draws["attributes"] = (Draw(path, condition.width(spec), first, first + attributes, uniform),)
    if module.noises:
        draws["noise"] = tuple(Draw(("noise", key, None), h * w) for key, h, w in module.noises)
        inputs["noise"] = torch.zeros(2, sum(draw.width for draw in draws["noise"]))
    return Exportable(module, inputs, draws)
