"""`classifier`: for labelled data that has no shipped features, a small classifier trained once on the data's own labels.

Its weights are kept under the cache folder, named by the training data's fingerprint and the recipe. The labels are those of the training
images: the held-out reals are not seen.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from gancli.core.errors import CheckpointError, UsageError
from gancli.data.cache import fingerprint
from gancli.data.images import ImageDataset
from gancli.evaluation.contracts import Extractor, Features, Progress, silent
from gancli.evaluation.features.convnet import Plan, forward, resized, train
from gancli.evaluation.weights import expect, keep, kept


def square(images: np.ndarray, smallest: int = 8, largest: int = 32) -> tuple[int, int]:
    """The size at which a net sees images [N, C, H, W]: square, their longer side, within bounds."""
    side = min(largest, max(smallest, *images.shape[2:]))
    return side, side


class Classifier(Features):
    name = "classifier"
    seed: int = Field(0, description="of the weights and of the order of the images")
    images: int = Field(60_000, ge=1, description="training images seen in all, repeats counted")

    def prepare(
        self, train: ImageDataset, cache_dir: Path, device: torch.device, progress: Progress = silent
    ) -> Extractor:
        if train.labels is None or len(np.unique(train.labels)) < 2:
            raise UsageError("features 'classifier' need labelled data with two classes or more", "take random-conv")
        size = square(train.images)
        plan = Plan(train.images.shape[1], len(train.classes))
        own, digest = self._weights(train, plan, size, cache_dir, progress)
        own = {k: v.to(device) for k, v in own.items()}

        def net(images: Tensor) -> tuple[Tensor, Tensor]:
            features, logits = forward(own, plan, resized(images, size))
            return features, logits.softmax(1)

        rule = f"uint8 as saved, antialiased bilinear to {size[0]}x{size[1]}"
        return Extractor(f"classifier-{digest[:8]}", digest, rule, net, device, train.classes)

    def _weights(
        self, data: ImageDataset, plan: Plan, size: tuple[int, int], cache_dir: Path, progress: Progress
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
        labels = torch.from_numpy(np.asarray(data.labels, np.int64))
        own = train(plan, torch.from_numpy(np.asarray(data.images)), labels, size, steps, self.seed, progress)
        return own, keep(path, own)
