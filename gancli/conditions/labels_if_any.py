"""`projection` (1802.05637) where the data has two classes or more, and no condition where it has not: for recipes that take any data."""

from __future__ import annotations

from torch import Tensor, nn

from gancli.conditions.labels import Projection
from gancli.core.contracts import Shape
from gancli.models.layers import LinearHead


class LabelsIfAny(Projection):
    name = "labels-if-any"

    def width(self, shape: Shape) -> int:
        return shape.classes if shape.classes > 1 else 0

    def encode(
        self, y: Tensor | None, attributes: Tensor | None, shape: Shape, noise: Tensor | None = None
    ) -> Tensor | None:
        return super().encode(y, attributes, shape, noise) if self.width(shape) else None

    def head(self, features: int, shape: Shape) -> nn.Module:
        return super().head(features, shape) if self.width(shape) else LinearHead(features)
