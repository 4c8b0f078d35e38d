"""Vectors of attributes as a condition: binary, several at once, or continuous; beside z (1411.1784), and in D's logit by their
projection, (V a) . f(x) (1802.05637).

With `labels` the one-hot label goes with them. D also guesses the attributes from f(x), which has not seen them: the squared error is
a loss of both nets, as AC-GAN's (1610.09585) with real values. What is not given at sampling is drawn as a standard normal.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from gancli.contracts import Condition, Shape
from gancli.errors import UsageError
from gancli.models.labels import ProjectionHead, classes_of, one_hot


class AttributesHead(ProjectionHead):
    """Logits, and by `guess` the attributes [N, A]."""

    def __init__(self, features: int, condition: int, attributes: int) -> None:
        super().__init__(features, condition)
        self.guess = nn.Linear(features, attributes)


class Attributes(Condition):
    name = "attributes"
    in_trunk: ClassVar[bool] = False
    judged: ClassVar[bool] = True
    labels: bool = Field(False, description="the class label, too")
    guess: float = Field(1.0, ge=0, description="weight of D's guess at the attributes; 0: it makes none")

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

    def head(self, features: int, shape: Shape) -> nn.Module:
        return AttributesHead(features, self.width(shape), shape.attributes)

    def auxiliary(self, head: nn.Module, features: Tensor, c: Tensor, fake: bool) -> Tensor:  # noqa: ARG002
        assert isinstance(head, AttributesHead)
        guess: Tensor = head.guess(features).float()
        wrong = (guess - c[:, : guess.shape[1]].float()).square().mean(1)
        return self.guess * wrong
