"""Attribute vectors, binary or continuous, concatenated to z and to D's input (1411.1784).

With `labels`, the one-hot label is appended to the attributes. In sampling, attributes that are not given are drawn from a
standard normal distribution.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from gancli.conditions.labels import one_hot, require_classes
from gancli.core.errors import UsageError
from gancli.core.nets import Condition
from gancli.core.specs import Images
from gancli.models.layers import LinearHead


class Attributes(Condition):
    name = "attributes"
    labels: bool = Field(False, description="also condition on the class label")

    def width(self, spec: Images) -> int:
        if not spec.attributes:
            raise UsageError("the condition 'attributes' needs attributes, and the data has none")
        return spec.attributes + (require_classes(spec, self.name) if self.labels else 0)

    def choices(self, spec: Images) -> tuple[int, int]:
        return spec.classes if self.labels else 0, spec.attributes

    def encode(
        self, y: Tensor | None, attributes: Tensor | None, spec: Images, noise: Tensor | None = None
    ) -> Tensor | None:
        if attributes is None:
            if noise is None:
                raise UsageError("this model is conditional: attributes are needed", "give them with --attr")
            attributes = noise[:, : spec.attributes]
        if not self.labels:
            return attributes.float()
        rest = None if noise is None else noise[:, spec.attributes :]
        return torch.cat([attributes.float(), one_hot(y, spec.classes, rest)], 1)

    def head(self, features: int, spec: Images) -> nn.Module:  # noqa: ARG002
        return LinearHead(features)
