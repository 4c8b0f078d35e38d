"""`random-conv`: features of a net that has learned nothing (2002.09797, section 5.1), for data without labels.

Three 3x3 convolutions of stride 2 with ReLU and random He weights, average-pooled to 2x2: 256 features. The weights are a pure function of
the number of channels and a fixed seed.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from gancli.core.data import Dataset
from gancli.core.images import ImageSamples
from gancli.core.seeds import generator
from gancli.evaluation.contracts import Extractor, Features, Progress, of_images, silent
from gancli.evaluation.features.convnet import resized, square
from gancli.evaluation.weights import sha256

WIDTHS = (32, 64, 64)


def weights(channels: int, seed: int) -> list[Tensor]:
    """Convolutions [out, in, 3, 3], normal with variance 2 / fan-in."""
    random = generator("random-conv", seed, channels)
    return [
        torch.randn(b, a, 3, 3, generator=random).mul_((2 / (9 * a)) ** 0.5) for a, b in pairwise((channels, *WIDTHS))
    ]


class RandomConv(Features):
    name = "random-conv"
    seed: int = Field(0, description="of the weights")

    @classmethod
    def suits(cls, train: Dataset) -> int:  # noqa: ARG003
        return 1

    def prepare(
        self,
        train: Dataset,
        cache_dir: Path,  # noqa: ARG002
        device: torch.device,
        progress: Progress = silent,  # noqa: ARG002
    ) -> Extractor:
        data = train.samples()
        assert isinstance(data, ImageSamples)
        own = weights(data.images.shape[1], self.seed)
        digest = sha256(b"".join(w.numpy().tobytes() for w in own))
        placed = [w.to(device) for w in own]
        size = square(data.images.shape, smallest=16, largest=64)

        def net(images: Tensor) -> tuple[Tensor, None]:
            x = resized(images, size)
            for w in placed:
                x = F.relu(F.conv2d(x, w, stride=2, padding=1))
            return F.adaptive_avg_pool2d(x, 2).flatten(1), None

        label = self.name if self.seed == 0 else f"{self.name}-{self.seed}"
        rule = f"uint8 as saved, antialiased bilinear to {size[0]}x{size[1]}"
        return Extractor(label, digest, rule, of_images(net, device))
