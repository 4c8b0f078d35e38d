"""`classifier`: for labeled data that has no shipped features, a small classifier trained once on the data's own labels.

Its weights are kept under the cache folder, named by the training data's fingerprint and the recipe. The labels are those of the training
images: those of the test set are not seen.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from gancli.core.data import Dataset
from gancli.core.errors import CheckpointError, UsageError
from gancli.core.images import ImageSamples
from gancli.data.cache import fingerprint, release
from gancli.evaluation.contracts import Extractor, Features, Progress, classes_of, of_images, silent
from gancli.evaluation.features.convnet import Plan, forward, resized, square, train
from gancli.evaluation.weights import expect, keep, kept

LABELLED = 500  # images from which on a classifier of the data's own is worth training


class Classifier(Features):
    name = "classifier"
    seed: int = Field(0, description="of the weights and of the order of the images")
    images: int = Field(60_000, ge=1, description="training images seen in all, repeats counted")

    @classmethod
    def suits(cls, train: Dataset) -> int:
        return 2 if len(train) >= LABELLED and _several(train.samples()) else 0

    def prepare(self, train: Dataset, cache_dir: Path, device: torch.device, progress: Progress = silent) -> Extractor:
        data, classes = train.samples(), classes_of(train)
        assert isinstance(data, ImageSamples)
        if not _several(data):
            raise UsageError("features 'classifier' need labeled data with two classes or more", "take random-conv")
        size = square(data.images.shape)
        plan = Plan(data.images.shape[1], len(classes))
        own, digest = self._weights(data, plan, size, cache_dir, progress)
        own = {k: v.to(device) for k, v in own.items()}

        def net(images: Tensor) -> tuple[Tensor, Tensor]:
            features, logits = forward(own, plan, resized(images, size))
            return features, logits.softmax(1)

        rule = f"uint8 as saved, antialiased bilinear to {size[0]}x{size[1]}"
        return Extractor(f"classifier-{digest[:8]}", digest, rule, of_images(net, device), True, classes)

    def _weights(
        self, data: ImageSamples, plan: Plan, size: tuple[int, int], cache_dir: Path, progress: Progress
    ) -> tuple[dict[str, Tensor], str]:
        assert data.labels is not None
        recipe = fingerprint(str(plan), size, self.seed, self.images)
        name = f"{fingerprint(data.images, data.labels)[:20]}-{recipe[:12]}.safetensors"
        path = cache_dir / "classifier" / name
        found = kept(path)
        if found is not None:
            try:
                expect(found[0], plan.shapes(), str(path))
                return found
            except CheckpointError:
                pass
        steps = max(20, self.images // 64)

        def pictures(index: np.ndarray) -> np.ndarray:
            found: np.ndarray = data.images[index]
            release(data.images)
            return found

        own = train(plan, pictures, data.labels, size, steps, self.seed, progress)
        return own, keep(path, own)


def _several(samples: object) -> bool:
    """Whether samples have labels, of two classes or more."""
    labels = getattr(samples, "labels", None)
    return labels is not None and len(np.unique(labels)) >= 2
