"""`down`: A smaller image, by Pillow's bicubic filter, which is antialiased."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from PIL import Image
from pydantic import BeforeValidator, Field
from torch import Tensor

from gancli.core.contracts import Degradation
from gancli.degradations.pillow import from_pil, to_pil


class Down(Degradation):
    name = "down"
    argument: ClassVar[str] = "factor"
    factor: Annotated[Literal[2, 3, 4, 8], BeforeValidator(lambda v: int(v) if str(v).isdigit() else v)] = Field(
        2, description="height and width are divided by it"
    )

    @property
    def scale(self) -> int:
        return self.factor

    def __call__(self, x: Tensor, random: torch.Generator) -> tuple[Tensor, None]:  # noqa: ARG002
        size = x.shape[2] // self.factor, x.shape[1] // self.factor
        return from_pil(to_pil(x).resize(size, Image.Resampling.BICUBIC), x), None
