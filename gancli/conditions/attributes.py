"""Vectors of attributes as a condition: binary, several at once, or continuous; beside z and as planes beside D's image (1411.1784).

With `labels` the one-hot label goes with them. What is not given at sampling is drawn as a standard normal.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from gancli.conditions.labels import classes_of, one_hot
from gancli.core.contracts import Condition, Shape
from gancli.core.errors import UsageError
from gancli.models.layers import LinearHead


class Attributes(Condition):
    name = "attributes"
    labels: bool = Field(False, description="the class label, too")

    def width(self, shape: Shape) -> int:
        if not shape.attributes:
            raise UsageError("the condition 'attributes' needs attributes, and the data has none")
        return shape.attributes + (classes_of(shape, self.name) if self.labels else 0)

    def encode(
        self, y: Tensor | None, attributes: Tensor | None, shape: Shape, noise: Tensor | None = None
    ) -> Tensor | None:
        if attributes is None:
            if noise is None:
                raise UsageError("this model is conditional: attributes are needed", "name them with --attr")
            attributes = noise[:, : shape.attributes]
        if not self.labels:
            return attributes.float()
        rest = None if noise is None else noise[:, shape.attributes :]
        return torch.cat([attributes.float(), one_hot(y, shape.classes, rest)], 1)

    def head(self, features: int, shape: Shape) -> nn.Module:  # noqa: ARG002
        return LinearHead(features)
