"""The classifier behind the filters: trained on the training part alone, by oversampling and classical augmentation.

It says of which class an image is, and gives the features of `coverage`. A pre-trained one can be named instead, unless it has been
trained on labeled images of the same kind: it would know more than the training part.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from gancli.augmentation.arms.classical import Classical
from gancli.augmentation.classifiers.net import Net, size_of
from gancli.augmentation.contracts import Lesson, Material, Pool, Rows
from gancli.augmentation.streams import stream
from gancli.core.data import Dataset
from gancli.core.errors import CheckpointError, UsageError
from gancli.core.images import ImageSamples
from gancli.core.registry import build
from gancli.data.cache import fingerprint
from gancli.evaluation.contracts import Extracted, Extractor, Features, Progress, of_images, silent
from gancli.evaluation.features.convnet import forward, resized
from gancli.evaluation.weights import expect, keep, kept

SEED = 2**40  # of the weights: none of a study


def own(
    real: Pool, names: tuple[str, ...], cache_dir: Path, net: Net | None = None, progress: Progress = silent
) -> Extractor:
    """Train the classifier, or read it from the cache.

    Args:
        real: the training images.
        names: of the classes.
        cache_dir: where its weights are kept.
        net: its options; default: those of `Net`.
        progress: called with what is done, steps done and all steps.
    """
    net, shape = net or Net(), (int(real.images.shape[1]), int(real.images.shape[2]), int(real.images.shape[3]))
    plan, size = net.plan(shape[0], real.classes), size_of(shape)
    name = fingerprint(real.digest, str(net.model_dump(mode="json")), SEED)[:32]
    path = cache_dir / "augmentation" / f"{name}.safetensors"
    there = kept(path)
    if there is not None:
        try:
            expect(there[0], plan.shapes(), str(path))
        except CheckpointError:
            there = None
    if there is None:
        batches = stream(Classical(), Material(real), SEED)

        def counted(position: int, n: int) -> Rows:
            progress("classifier of the training part", position // n + 1, net.steps)
            return batches(position, n)

        weights = net.weights(Lesson(counted, shape, real.classes, SEED))
        there = weights, keep(path, weights)
    weights, digest = there

    def passed(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features, logits = forward(weights, plan, resized(images, size))
        return features, logits.softmax(1)

    rule = f"uint8 as saved, antialiased bilinear to {size[0]}x{size[1]}"
    return Extractor(f"training-part-{digest[:8]}", digest, rule, of_images(passed, torch.device("cpu")), True, names)


def named(name: str, train: Dataset, names: tuple[str, ...], cache_dir: Path) -> Extractor:
    """A feature extractor by name, if it may be used here.

    Raises:
        UsageError: it knows labels of other images, or does not classify into these classes.
    """
    part = build("features", name)
    assert isinstance(part, Features)
    if part.knows:
        raise UsageError(
            f"features {name} have been trained on {part.knows}: as a filter they would bring in labels that the training part"
            " does not have",
            "omit --features: a classifier is trained on the training part alone",
        )
    found = part.prepare(train, cache_dir, torch.device("cpu"))
    if not found.classifies or tuple(found.columns) != names:
        raise UsageError(f"features {name} do not classify into the classes of the data", "omit --features")
    return found


def look(extractor: Extractor, images: np.ndarray) -> Extracted:
    """Features and class probabilities of images, uint8 [N, C, H, W]."""
    blocks = [ImageSamples(images[at : at + 500]) for at in range(0, len(images), 500)]
    return extractor(blocks, len(images))
