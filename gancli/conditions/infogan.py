"""InfoGAN (1606.03657): latent codes that an auxiliary net Q predicts from the image, without labels.

    min over G and Q, max over D of  V(D, G) - lambda E[log Q(c | G(z, c))]

The codes are one categorical code, one-hot with `classes` categories, and `continuous` codes, uniform in [-1, 1]. Q shares
D's trunk, on which it has a hidden layer of width `hidden` with batch norm (if D's trunk has none, this is the only batch
statistic of D). For a continuous code it predicts the mean of a normal distribution with variance 1, so its loss is half the
squared error, as in the published code for MNIST (`fix_std`). The codes are no input of D. In sampling, labels set the
category, and attributes named 0, 1, ... the continuous codes.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.conditions.labels import ClassifierHead, one_hot
from gancli.core.nets import Condition
from gancli.core.specs import Images
from gancli.models.latents import to_uniform


class InfoGAN(Condition):
    name = "infogan"
    in_trunk: ClassVar[bool] = False
    sampled: ClassVar[bool] = True
    has_auxiliary: ClassVar[bool] = True
    classes: int = Field(10, ge=2, le=65_536, description="categories of the categorical code")
    continuous: int = Field(2, ge=0, le=65_536, description="number of continuous codes")
    weight: float = Field(1.0, ge=0, description="lambda of the categorical code")
    weight_continuous: float = Field(0.1, ge=0, description="lambda of the continuous codes")
    hidden: int = Field(0, ge=0, le=65_536, description="width of the hidden layer of Q; 0: none")

    def width(self, spec: Images) -> int:  # noqa: ARG002
        return self.classes + self.continuous

    def choices(self, spec: Images) -> tuple[int, int]:  # noqa: ARG002
        return self.classes, self.continuous

    def drawn_attributes(self, spec: Images) -> tuple[int, bool]:  # noqa: ARG002
        return self.classes, True

    def encode(
        self,
        y: Tensor | None,
        attributes: Tensor | None,
        spec: Images,  # noqa: ARG002
        noise: Tensor | None = None,
    ) -> Tensor | None:
        category = one_hot(y, self.classes, noise)
        if not self.continuous:
            return category
        if attributes is None:
            attributes = (
                torch.zeros(len(category), self.continuous) if noise is None else to_uniform(noise[:, self.classes :])
            )
        return torch.cat([category, attributes.float().to(category.device)], 1)

    def head(self, features: int, spec: Images) -> nn.Module:
        return ClassifierHead(features, self.width(spec), self.hidden)

    def auxiliary(self, head: nn.Module, features: Tensor, c: Tensor, fake: bool) -> Tensor:
        assert isinstance(head, ClassifierHead)
        if not fake:
            return features.new_zeros(len(features), dtype=torch.float32)
        predicted, codes = head.classify(features), c.float()
        k = self.classes
        categorical = F.cross_entropy(predicted[:, :k], codes[:, :k].argmax(1), reduction="none")
        continuous = (predicted[:, k:] - codes[:, k:]).square().sum(1) / 2
        return self.weight * categorical + self.weight_continuous * continuous
