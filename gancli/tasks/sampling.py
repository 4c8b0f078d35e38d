"""What tasks that sample from seeds share: labels and attributes of an ask, and the generator as a net for use elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from torch import Tensor, nn

from gancli.core.nets import Condition
from gancli.core.samples import Samples
from gancli.core.specs import Images
from gancli.core.task import Choices

ROW = 8  # seeds in a row of a grid: where no class is asked for, they have the same


def class_rows(choices: Choices, seeds: Iterable[int], alike: int = ROW) -> tuple[int, ...] | None:
    """A class for each seed, by the seed alone: `alike` neighbors have one, the next the next; None where labels say nothing."""
    return tuple(s // alike % choices.classes for s in seeds) if choices.classes else None


def labels_like(choices: Choices, known: Samples, n: int) -> tuple[tuple[int, ...] | None, np.ndarray | None]:
    """Labels and attributes for n samples in the proportions of the data's.

    Args:
        choices: what the task heeds; latent codes are left to be drawn.
        known: the data's samples with `labels` int64 [N] and `attributes` float32 [N, A], where there are any.
        n: how many.

    Returns:
        Labels and attributes [n, A], each None where they say nothing; where both say something, row i is of one datum.
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
    """n of the rows, evenly spread; the same ones for any array of as many rows."""
    random = np.random.Generator(np.random.PCG64(0))
    if shuffled:
        rows = rows[random.permutation(len(rows))]
    return np.asarray(rows[random.permutation((np.arange(n) * len(rows)) // n)])


class Generator(nn.Module):
    """G for use elsewhere: latent vector, label and attributes in, images in [-1, 1] out."""

    def __init__(self, net: nn.Module, condition: Condition, spec: Images, inputs: Sequence[str]) -> None:
        super().__init__()
        self.net, self.condition, self.spec, self.inputs = net, condition, spec, tuple(inputs)

    def forward(self, z: Tensor, label: Tensor | None = None, attributes: Tensor | None = None) -> Tensor:
        """z [N, z], label int64 [N], attributes [N, A] -> images [N, C, H, W] in [-1, 1]."""
        c = self.condition.encode(label, attributes, self.spec) if len(self.inputs) > 1 else None
        images: Tensor = self.net(z, c)
        return images[:, :, : self.spec.height, : self.spec.width].clamp(-1, 1)
