"""Classification accuracy score (1905.10887): train a classifier on labeled samples, test it on reals that the generator has not seen.

Only for conditional generators: each sample has the label that it was asked for. The classifier is small and trained in one thread, so that
the score does not depend on the machine's cores. The reference score is the accuracy after training on as many real images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from pydantic import Field

from gancli.evaluation.contracts import Inputs, Metric, Score
from gancli.evaluation.features.convnet import Plan, forward, resized, square, train
from gancli.evaluation.metrics.label_agreement import agreement, by_class
from gancli.evaluation.metrics.resampling import binomial


@contextmanager
def one_thread() -> Iterator[None]:
    """torch with one thread, for sums that come out the same everywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def predictions(
    pictures: Callable[[np.ndarray], np.ndarray],
    labels: np.ndarray,
    test: Iterable[np.ndarray],
    classes: int,
    epochs: float,
    seed: int,
) -> np.ndarray:
    """What a net says of images, after training on others.

    Args:
        pictures: int64 [n] -> the training images of these numbers, uint8 [n, C, H, W].
        labels: of all training images, int64 [N].
        test: batches of images, uint8 [m, C, H, W].
        classes: how many there are.
        epochs: passes over the training images, at least 60 steps of 64.
        seed: of the weights and of the order.

    Returns:
        int64 [M], the classes of the test images.
    """
    shape = pictures(np.arange(1)).shape
    size = square(shape, largest=28)
    plan = Plan(shape[1], classes, widths=(16, 32, 64), pool_after=(0, 1))
    steps = max(60, round(epochs * len(labels) / 64))
    with one_thread():
        weights = train(plan, pictures, labels, size, steps, seed, what="accuracy score", lr=1e-2)
        with torch.inference_mode():
            parts = [
                forward(weights, plan, resized(torch.from_numpy(np.ascontiguousarray(batch)), size))[1].argmax(1)
                for batch in test
            ]
    out: np.ndarray = torch.cat(parts).numpy()
    return out


class CAS(Metric):
    name = "cas"
    gives = ("cas",)
    space = "pixels"
    epochs: float = Field(3.0, gt=0, description="passes over the samples (at least 60 steps of 64)")

    def objection(self, inputs: Inputs) -> str:
        if inputs.fake.labels is None:
            return "the samples have no labels (the generator is not conditional)"
        if inputs.real.labels is None or len(inputs.classes) < 2:
            return "the data has no labels"
        return ""

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        fake, real = inputs.fake, inputs.real
        assert fake.labels is not None and real.labels is not None  # noqa: PT018
        found = predictions(
            lambda index: np.asarray(fake.take(index).images),
            fake.labels,
            (chunk.images for chunk in real.chunks()),
            len(inputs.classes),
            self.epochs,
            inputs.seed,
        )
        value = agreement(real.labels, found)
        named = by_class(real.labels, found, inputs.classes) if len(inputs.classes) <= 100 else {}
        meaning = "accuracy on reals after training on samples"
        error = binomial(value, len(real))
        return {"cas": Score(value, meaning, "higher", error, "binomial, over the reals", detail=named)}
