"""Class labels as a condition. Both nets are given the one-hot vector of the label (cGAN, 1411.1784), in one of four ways.

    concat      beside the latent vector, and as planes beside D's image
    embedding   the same, after a linear map of each net's own
    projection  to G; D's logit is w . f(x) + (V y) . f(x) + b (1802.05637, equation 3)
    acgan       to G; D has an auxiliary classifier, -log P(C = y | image), of reals and of fakes, for both nets (1610.09585)

Models with conditional batch norm (`resnet`) give G's normalizations the vector.
"""

from __future__ import annotations

from math import sqrt
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.core.errors import UsageError
from gancli.core.nets import Condition
from gancli.core.specs import Images
from gancli.models.layers import LinearHead


def one_hot(y: Tensor | None, classes: int, noise: Tensor | None) -> Tensor:
    """Labels [N] as [N, classes]; labels that are not given are drawn uniformly (argmax of `classes` normals)."""
    if y is None:
        if noise is None:
            raise UsageError("this model is conditional: labels are needed", "name them with --labels")
        y = noise[:, :classes].argmax(1)
    return F.one_hot(y.long(), classes).float()


def require_classes(spec: Images, what: str) -> int:
    """Raises UsageError if the data has no labels."""
    if not spec.classes:
        raise UsageError(f"the condition {what!r} needs labels, and the data has none", "use --set task.condition=none")
    return spec.classes


class Concat(Condition):
    """The label as one-hot beside z, and beside what D sees (1411.1784)."""

    name = "concat"

    def width(self, spec: Images) -> int:
        return require_classes(spec, self.name)

    def choices(self, spec: Images) -> tuple[int, int]:
        return spec.classes, 0

    def encode(
        self,
        y: Tensor | None,
        attributes: Tensor | None,  # noqa: ARG002
        spec: Images,
        noise: Tensor | None = None,
    ) -> Tensor | None:
        return one_hot(y, spec.classes, noise)

    def head(self, features: int, spec: Images) -> nn.Module:  # noqa: ARG002
        return LinearHead(features)


class Embedding(Concat):
    """The label as a learned vector beside z, and beside what D sees (1411.1784)."""

    name = "embedding"
    dim: int = Field(16, ge=1, le=65_536, description="width of the learned vector")

    def embedded_width(self, spec: Images) -> int:  # noqa: ARG002
        return self.dim

    def embedding(self, spec: Images) -> nn.Module:
        table = nn.Linear(spec.classes, self.dim, bias=False)
        nn.init.normal_(table.weight)
        return table


class ProjectionHead(nn.Module):
    """w . f + (V c) . f + b: features [N, F], c [N, C] -> logits [N]."""

    def __init__(self, features: int, condition: int) -> None:
        super().__init__()
        self.linear, self.table = nn.Linear(features, 1), nn.Linear(condition, features, bias=False)
        nn.init.normal_(self.table.weight, 0.0, 1 / sqrt(features))

    def forward(self, features: Tensor, c: Tensor) -> Tensor:
        plain: Tensor = self.linear(features).flatten().float()
        projected: Tensor = (self.table(c.to(features.dtype)) * features).float().sum(1)
        return plain + projected


class Projection(Concat):
    """The label beside z; in D the inner product of its embedding and the features is added to the logit (1802.05637)."""

    name = "projection"
    in_trunk: ClassVar[bool] = False

    def head(self, features: int, spec: Images) -> nn.Module:
        return ProjectionHead(features, spec.classes)


class ClassifierHead(LinearHead):
    """Logits, and by `name` the logits [N, classes] of an auxiliary classifier."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__(features)
        self.classifier = nn.Linear(features, classes)

    def classify(self, features: Tensor) -> Tensor:
        out: Tensor = self.classifier(features)
        return out.float()


class AuxiliaryClassifier(Concat):
    """The label beside z; D has an auxiliary classifier, whose loss both nets minimize (AC-GAN, 1610.09585)."""

    name = "acgan"
    in_trunk: ClassVar[bool] = False
    has_auxiliary: ClassVar[bool] = True
    weight: float = Field(1.0, ge=0, description="of the classifier's loss of the reals")
    weight_fake: float = Field(1.0, ge=0, description="of its loss of the fakes, in the losses of both nets")

    def head(self, features: int, spec: Images) -> nn.Module:
        return ClassifierHead(features, spec.classes)

    def auxiliary(self, head: nn.Module, features: Tensor, c: Tensor, fake: bool) -> Tensor:
        assert isinstance(head, ClassifierHead)
        wrong = F.cross_entropy(head.classify(features), c.argmax(1), reduction="none")
        return wrong * (self.weight_fake if fake else self.weight)


def to_uniform(noise: Tensor) -> Tensor:
    """Standard normal -> uniform in [-1, 1]."""
    return torch.erf(noise / sqrt(2))
