"""No condition: unconditional generation."""

from __future__ import annotations

from torch import Tensor, nn

from gancli.core.nets import Condition
from gancli.core.specs import Images
from gancli.models.layers import LinearHead


class Unconditional(Condition):
    name = "none"

    def width(self, spec: Images) -> int:  # noqa: ARG002
        return 0

    def choices(self, spec: Images) -> tuple[int, int]:  # noqa: ARG002
        return 0, 0

    def encode(
        self,
        y: Tensor | None,  # noqa: ARG002
        attributes: Tensor | None,  # noqa: ARG002
        spec: Images,  # noqa: ARG002
        noise: Tensor | None = None,  # noqa: ARG002
    ) -> Tensor | None:
        return None

    def head(self, features: int, spec: Images) -> nn.Module:  # noqa: ARG002
        return LinearHead(features)
