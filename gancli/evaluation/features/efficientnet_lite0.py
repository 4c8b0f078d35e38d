"""`efficientnet-lite0`: EfficientNet-Lite0 with ImageNet weights (1905.11946), for color images. It learns nothing from the data.

1280 features, the average of the last feature map, and the probabilities of ImageNet's 1,000 classes.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from gancli.core.data import Dataset
from gancli.core.images import ImageSamples
from gancli.evaluation.contracts import Extractor, Features, Progress, of_images, silent
from gancli.evaluation.features.convnet import grey, opaque, resized, square
from gancli.models.efficientnet import SHA256, pretrained

SMALLEST, LARGEST = 96, 128  # pixels a side: small photographs are recognized better enlarged


class EfficientNetLite0(Features):
    name = "efficientnet-lite0"

    @classmethod
    def suits(cls, train: Dataset) -> int:
        images = getattr(train.samples(), "images", None)
        return 3 if images is not None and images.shape[1] in (3, 4) else 0

    def prepare(
        self,
        train: Dataset,
        cache_dir: Path,  # noqa: ARG002
        device: torch.device,
        progress: Progress = silent,  # noqa: ARG002
    ) -> Extractor:
        data = train.samples()
        assert isinstance(data, ImageSamples)
        net = pretrained(device)
        size = square(data.images.shape, SMALLEST, LARGEST)

        def seen(images: Tensor) -> tuple[Tensor, Tensor]:
            x = resized(opaque(images), size)
            rgb = x if x.shape[1] == 3 else grey(x).expand(-1, 3, -1, -1)
            features, logits = net(rgb.contiguous(memory_format=torch.channels_last))
            return features, logits.softmax(1)

        first = "RGBA over white" if data.images.shape[1] == 4 else "grey repeated to RGB"
        rule = f"uint8 as saved, {first}, antialiased bilinear to {size[0]}x{size[1]}"
        return Extractor(self.name, SHA256, rule, of_images(seen, device), classifies=True)
