"""The module for export of a task that maps images to images: what `gan apply` does to a picture that needs no tiles."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from gancli.core.data import Batch, Spec
from gancli.core.errors import UsageError
from gancli.core.exportable import Exportable
from gancli.core.samples import FromInput
from gancli.core.task import Task
from gancli.inference.generator import Model


class Mapping(nn.Module):
    """`Task.apply` in one direction, with its nets.

    Args:
        task: of the model.
        nets: of the model.
        spec: of the data.
        direction: the mapping.
    """

    def __init__(self, task: Task, nets: dict[str, nn.Module], spec: Spec, direction: str) -> None:
        super().__init__()
        self.task, self.nets, self.spec = task, nn.ModuleDict(nets), spec
        self.ask = FromInput(images=np.zeros((1, 1, 1, 1), np.uint8), direction=direction)

    def forward(self, image: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map images.

        Args:
            image: [N, C, H, W] in [-1, 1].
            mask: [N, 1, H, W], 1: missing.

        Returns:
            Images [N, C', H', W'] in [-1, 1].
        """
        fields = {"source": image} if mask is None else {"source": image, "mask": mask}
        return self.task.apply(dict(self.nets.items()), Batch(fields), self.ask, self.spec).clamp(-1, 1)


def mapping(model: Model, direction: str = "") -> Exportable:
    """The module for export of a model that maps images to images.

    Args:
        model: the model.
        direction: the mapping; empty: the first.

    Raises:
        UsageError: the model has not learned this direction.
    """
    known = model.task.maps(model.spec)
    name = direction or next(iter(known))
    if name not in known:
        raise UsageError(f"this model has not learned {name}", f"it maps {' and '.join(known)}")
    one = known[name]
    size = [-(-side // one.grid) * one.grid for side in (one.source.height, one.source.width)]
    inputs = {"image": torch.zeros(2, one.source.channels, *size)}
    if one.masks:
        inputs["mask"] = torch.zeros(2, 1, *size)
    module = Mapping(model.task, model.nets, model.spec, name)
    return Exportable(module.eval(), inputs, free=dict.fromkeys(inputs, one.grid))
