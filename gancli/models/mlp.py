"""Two multilayer perceptrons, as in the original GAN (1406.2661).

G: z -> 256 -> 512 -> 1024 -> image, ReLU, tanh output. D: image -> 1024 -> 512 -> 256, leaky ReLU 0.2, dropout 0.3.
Weights have torch's default initialization, U(-1, 1) / sqrt(inputs), under which the outputs of a new G hardly depend on z.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Literal

from pydantic import Field, PositiveInt
from torch import nn

from gancli.core.nets import Model, Trunk
from gancli.core.specs import Images
from gancli.models.layers import ConcatCondition, Dropout, FlatTrunk, Reshape


class MLP(Model):
    name = "mlp"
    z: int = Field(100, ge=1, description="width of the latent vector")
    g_widths: tuple[PositiveInt, ...] = Field((256, 512, 1024), description="widths of the hidden layers of G")
    d_widths: tuple[PositiveInt, ...] = Field(
        (1024, 512, 256), min_length=1, description="widths of the hidden layers of D"
    )
    dropout: float = Field(0.3, ge=0, lt=1, description="dropout probability after each hidden layer of D")
    slope: float = Field(0.2, ge=0, description="negative slope of D's leaky ReLU")
    initialization: Literal["torch", "he"] = Field(
        "torch",
        description="of G's hidden layers; he: outputs vary with the latent vector from the first step (1502.01852)",
    )

    def generator(self, spec: Images, condition: int) -> nn.Module:
        pixels = (spec.channels, spec.height, spec.width)
        layers: list[nn.Module] = []
        for a, b in pairwise((self.z + condition, *self.g_widths)):
            layer = nn.Linear(a, b)
            if self.initialization == "he":
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            layers += [layer, nn.ReLU(inplace=True)]
        layers += [nn.Linear(self.g_widths[-1] if self.g_widths else self.z + condition, prod(pixels)), nn.Tanh()]
        return ConcatCondition(nn.Sequential(*layers, Reshape(*pixels)))

    def discriminator(self, spec: Images, condition: int) -> Trunk:
        pixels = spec.channels * spec.height * spec.width
        layers: list[nn.Module] = [nn.Flatten()]
        for a, b in pairwise((pixels + condition, *self.d_widths)):
            layers += [nn.Linear(a, b), nn.LeakyReLU(self.slope, inplace=True), Dropout(self.dropout)]
        return FlatTrunk(nn.Sequential(*layers), self.d_widths[-1])
