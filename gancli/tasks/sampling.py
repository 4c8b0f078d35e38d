"""Functions for tasks that sample from seeds: labels and attributes of requests, and the generator as module for export."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from torch import Tensor, nn

from gancli.core.nets import Condition
from gancli.core.samples import Samples
from gancli.core.specs import Images
from gancli.core.task import Choices

ROW = 8  # samples per row of a grid; without given labels, a row has one class


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
        inputs: names of the inputs that the model uses, in the order of `forward`.
    """

    def __init__(self, net: nn.Module, condition: Condition, spec: Images, inputs: Sequence[str]) -> None:
        super().__init__()
        self.net, self.condition, self.spec, self.inputs = net, condition, spec, tuple(inputs)

    def forward(self, z: Tensor, label: Tensor | None = None, attributes: Tensor | None = None) -> Tensor:
        """Generate images.

        Args:
            z: latent vectors [N, z].
            label: int64 [N].
            attributes: [N, A].

        Returns:
            Images [N, C, H, W] in [-1, 1].
        """
        c = self.condition.encode(label, attributes, self.spec) if len(self.inputs) > 1 else None
        images: Tensor = self.net(z, c)
        return images[:, :, : self.spec.height, : self.spec.width].clamp(-1, 1)
