"""Class labels as one-hot condition vectors, used in one of four ways.

    concat      concatenated to z and, as constant channels, to D's input (cGAN, 1411.1784)
    embedding   as concat, after a learned embedding per net
    projection  input of G; D's logit is w . f(x) + (V y) . f(x) + b (1802.05637, equation 3)
    acgan       input of G; auxiliary classifier in D, with loss -log P(C = y | image) of reals and fakes (1610.09585)

In models with conditional batch norm (`resnet`), the vector is an input of G's batch norms instead of concatenated to z.
"""

from __future__ import annotations

from math import sqrt
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.core.errors import UsageError
from gancli.core.nets import Condition
from gancli.core.specs import Images
from gancli.models.layers import LinearHead


def one_hot(y: Tensor | None, classes: int, noise: Tensor | None) -> Tensor:
    """Encode labels as one-hot vectors.

    Args:
        y: labels int64 [N], or None.
        classes: number of classes.
        noise: standard normal [N, >= classes], whose argmax is a uniformly distributed label if y is None.

    Returns:
        float32 [N, classes].

    Raises:
        UsageError: neither labels nor noise are given.
    """
    if y is None:
        if noise is None:
            raise UsageError("this model is conditional: labels are needed", "give them with gan sample --labels")
        y = noise[:, :classes].argmax(1)
    return F.one_hot(y.long(), classes).float()


def require_classes(spec: Images, condition: str) -> int:
    """The number of classes of the data.

    Args:
        spec: of the data.
        condition: name of the condition, for the message.

    Raises:
        UsageError: the data has no labels.
    """
    if not spec.classes:
        raise UsageError(
            f"the condition {condition!r} needs labels, and the data has none", "use --set task.condition=none"
        )
    return spec.classes


class Concat(Condition):
    """The one-hot label, concatenated to z and to D's input (1411.1784)."""

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
    """A learned embedding of the label, concatenated to z and to D's input (1411.1784)."""

    name = "embedding"
    dim: int = Field(16, ge=1, le=65_536, description="width of the embedding")

    def embedded_width(self, spec: Images) -> int:  # noqa: ARG002
        return self.dim

    def embedding(self, spec: Images, net: Literal["G", "D"]) -> nn.Module:  # noqa: ARG002
        table = nn.Linear(spec.classes, self.dim, bias=False)
        nn.init.normal_(table.weight)
        return table


class ProjectionHead(nn.Module):
    """w . f + (V c) . f + b: features [N, F], c [N, C] -> logits [N]; or features [N, P, F] -> logits [N, P]."""

    def __init__(self, features: int, condition: int) -> None:
        super().__init__()
        self.linear, self.table = nn.Linear(features, 1), nn.Linear(condition, features, bias=False)
        nn.init.normal_(self.table.weight, 0.0, 1 / sqrt(features))

    def forward(self, features: Tensor, c: Tensor) -> Tensor:
        unconditional: Tensor = self.linear(features).squeeze(-1).float()
        embedded = self.table(c.to(features.dtype))
        embedded = embedded if features.dim() == 2 else embedded[:, None]
        projection: Tensor = (embedded * features).float().sum(-1)
        return unconditional + projection


class Projection(Concat):
    """The label concatenated to z; D's logit adds the inner product of label embedding and features (1802.05637)."""

    name = "projection"
    in_trunk: ClassVar[bool] = False
    shared: int = Field(
        0, ge=0, le=65_536, description="width of an embedding that all layers of G share (BigGAN, 1809.11096); 0: none"
    )

    def embedded_width(self, spec: Images) -> int:
        return self.shared or self.width(spec)

    def embedding(self, spec: Images, net: Literal["G", "D"]) -> nn.Module | None:
        if not self.shared or net == "D":
            return None
        table = nn.Linear(spec.classes, self.shared, bias=False)
        nn.init.orthogonal_(table.weight)
        return table

    def head(self, features: int, spec: Images) -> nn.Module:
        return ProjectionHead(features, spec.classes)


class ClassifierHead(LinearHead):
    """D's logits, with an auxiliary classifier on the same features.

    Args:
        features: width of the features.
        classes: outputs of the classifier.
        hidden: width of its hidden layer, with batch norm and leaky ReLU; 0: none.
    """

    def __init__(self, features: int, classes: int, hidden: int = 0) -> None:
        super().__init__(features)
        self.classifier: nn.Module = nn.Linear(hidden or features, classes)
        if hidden:
            layers = nn.Linear(features, hidden, bias=False), nn.BatchNorm1d(hidden), nn.LeakyReLU(0.1)
            self.classifier = nn.Sequential(*layers, self.classifier)

    def classify(self, features: Tensor) -> Tensor:
        """The logits of the auxiliary classifier, float32 [N, classes]."""
        out: Tensor = self.classifier(features)
        return out.float()


class AuxiliaryClassifier(Concat):
    """The label concatenated to z; both nets minimize the loss of an auxiliary classifier in D (AC-GAN, 1610.09585)."""

    name = "acgan"
    in_trunk: ClassVar[bool] = False
    has_auxiliary: ClassVar[bool] = True
    weight: float = Field(1.0, ge=0, description="weight of the classifier's loss of reals")
    weight_fake: float = Field(1.0, ge=0, description="weight of the classifier's loss of fakes, for both nets")

    def head(self, features: int, spec: Images) -> nn.Module:
        return ClassifierHead(features, spec.classes)

    def auxiliary(self, head: nn.Module, features: Tensor, c: Tensor, fake: bool) -> Tensor:
        assert isinstance(head, ClassifierHead)
        cross_entropy = F.cross_entropy(head.classify(features), c.argmax(1), reduction="none")
        return cross_entropy * (self.weight_fake if fake else self.weight)
