"""`digits-v1`: the frozen classifier that is shipped for digits and what looks like them.

Five convolutions, 128 features, 10 classes; trained by `benchmarks/train_digits_features.py` on MNIST and scikit-learn's
digits. Images with as many classes as digits can be combined in their channels (Stacked MNIST: 1,000 classes in three channels) are
seen channel by channel: features side by side, the probability of a class the product of its channels'.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from gancli.core.data import Dataset
from gancli.core.images import ImageSamples
from gancli.evaluation.contracts import Extractor, Features, Progress, classes_of, of_images, silent
from gancli.evaluation.features.convnet import Plan, forward, grey, resized
from gancli.evaluation.weights import expect, read, verified

FILE = Path(__file__).with_name("digits_v1.safetensors")
SHA256 = "411faa6f42d985cee4885c3b89400d2824b5eade24a44b02b3c780961ff1ae2a"
PLAN = Plan(channels=1, classes=10)
DIGITS = tuple("0123456789")


def weights(file: Path = FILE) -> dict[str, Tensor]:
    """The shipped weights. Raises CheckpointError, before anything is loaded, if they are not the pinned ones."""
    found = verified(read(file), SHA256, f"features digits-v1 ({file.name})", "install gancli again")
    expect(found, PLAN.shapes(), "features digits-v1")
    return found


def column_names(classes: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the ten columns: the data's own, where its classes are the digits; the digits, where it has none."""
    if not classes:
        return DIGITS
    named = all(name.startswith(d) for name, d in zip(classes, DIGITS, strict=False))
    return classes if len(classes) == 10 and named else ()


class DigitsV1(Features):
    name = "digits-v1"
    knows: ClassVar[str] = "all of MNIST's training set and scikit-learn's digits"

    def prepare(
        self,
        train: Dataset,
        cache_dir: Path,  # noqa: ARG002
        device: torch.device,
        progress: Progress = silent,  # noqa: ARG002
    ) -> Extractor:
        own = {k: v.to(device) for k, v in weights().items()}
        data, classes = train.samples(), classes_of(train)
        assert isinstance(data, ImageSamples)
        channels = data.images.shape[1]
        stacked = channels > 1 and len(classes) == 10**channels

        def net(x: Tensor) -> tuple[Tensor, Tensor]:
            features, logits = forward(own, PLAN, x)
            return features, logits.softmax(1)

        def each(images: Tensor) -> tuple[Tensor, Tensor]:
            n, c = images.shape[:2]
            f, p = net(resized(images.flatten(0, 1)[:, None], (28, 28)))
            out = p.view(n, c, 10)[:, 0]
            for i in range(1, c):
                out = (out[:, :, None] * p.view(n, c, 10)[:, i, None]).flatten(1)
            return f.view(n, -1), out

        how = "each channel by itself" if stacked else "grey by luma (ITU-R 601)" if channels > 1 else "grey"
        return Extractor(
            label=self.name,
            hash=SHA256,
            rule=f"uint8 as saved, {how}, antialiased bilinear to 28x28",
            forward=of_images(each if stacked else lambda images: net(grey(resized(images, (28, 28)))), device),
            classifies=True,
            columns=classes if stacked else column_names(classes),
        )
